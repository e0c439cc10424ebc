"""Starts the real binary with a policy of its own, watches its processes, reads its log."""

import ctypes
import datetime
import functools
import itertools
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import pace, policy
from .check import Failure, eventually
from .wire import Client

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = ROOT / "build/sallyport"
PR_SET_PDEATHSIG = 1

CRASH = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|signal (4|6|7|8|11|31)\b|"
                   r"SIGILL|SIGABRT|SIGBUS|SIGFPE|SIGSEGV|SIGSYS|Assertion|assertion")

_libc = ctypes.CDLL(None)
_ports = itertools.count(20000 + os.getpid() % 97 * 100)


def installed(folder):
    """The program installed in a folder: other users may not be able to enter the checkout."""
    program = folder / "bin/sallyport"
    program.parent.mkdir()
    shutil.copy(BINARY, program)
    for name in ("conf", "www"):
        shutil.copytree(ROOT / name, folder / "share/sallyport" / name)
    return program


def own_address():
    """A loopback address of this process alone, so that no port is fought over."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 8) % 128}.{pid % 256}.9"


def free_port(address=None):
    """A port below the range of outgoing connections that nobody has bound."""
    for port in _ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address or own_address(), port))
                return port
            except OSError:
                continue


def die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class LogLine(dict):
    """A line of the JSON access log; .raw is its text. A text that is empty is left out of the line."""

    raw = ""
    texts = ("method", "target", "canonical", "host", "user_agent", "referer", "site", "rule",
             "name", "evidence", "setting", "origin", "sni", "cipher", "egress", "excepted")

    def __getattr__(self, name):
        if name not in self and name not in self.texts:
            raise Failure(f"the log line has no {name!r}: {self.raw}")
        return self.get(name, "")


class Server:
    """sallyport with one site, "site.example", before `origins`. settings are laid over _standard();
    "site" in them stands for the first of the sites, "tls" for a second listener, with TLS, at tls_address."""

    def __init__(self, origins=(), settings=None, *, arguments=(), environment=None, inherit=(),
                 limit_descriptors=None, user=None,
                 before=None, start=True):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-e2e-"))
        self.directory.chmod(0o755)
        self.runtime = self.directory / "run"
        self.runtime.mkdir()
        self.address = (own_address(), free_port())
        self.tls_address = (own_address(), free_port())
        self.origins = list(origins)
        self.settings = self._laid_over(self._standard(), settings or {})
        self.file = self.directory / "sallyport.cfg"
        self.access_log = self.directory / "access.log"
        self.events_log = self.directory / "events.log"
        self.errors_file = self.directory / "stderr"
        self.arguments, self.environment = list(arguments), environment or {}
        self.inherit, self.limit_descriptors = inherit, limit_descriptors
        self.user, self.before = user, before
        if user is not None:
            os.chown(self.directory, user, user)
            os.chown(self.runtime, user, user)
        self.binary = BINARY if user is None else installed(self.directory)
        self.process = None
        self.first_workers = []
        self.write_policy()
        if start:
            self._start_or_forget()

    def _start_or_forget(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def _standard(self):
        return {
            "listen": [{"address": f"{self.address[0]}:{self.address[1]}"}],
            "sites": [{"name": "site", "hosts": ["site.example"],
                       "origins": [origin.url if hasattr(origin, "url") else origin
                                   for origin in self.origins]}],
            "timeouts": {"linger": "300 ms", "drain": "5 s"},
            "log": {"access": str(self.directory / "access.log"),
                    "events": str(self.directory / "events.log"), "format": "json"},
            "process": {"workers": 1, "runtime": str(self.runtime)},
            "vault": {"directory": str(self.directory / "vault")},
        }

    def _laid_over(self, base, settings):
        settings = dict(settings)
        site, tls = settings.pop("site", {}), settings.pop("tls", None)
        if tls:
            address = f"{self.tls_address[0]}:{self.tls_address[1]}"
            settings["listen"] = [*settings.get("listen", base["listen"])[:1], {"address": address, "tls": tls}]
        merged = policy.merge(base, settings)
        merged["sites"] = [policy.merge(merged["sites"][0], site), *merged["sites"][1:]]
        return merged

    def write_policy(self, settings=None):
        if settings is not None:
            self.settings = self._laid_over(self.settings, settings)
        self.file.write_text(policy.write(self.settings))

    # ---- life

    def _in_child(self):
        die_with_parent()
        if self.limit_descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE,
                               (self.limit_descriptors, self.limit_descriptors))
        if self.before:
            self.before()

    def start(self, wait=True):
        with open(self.errors_file, "ab") as errors:
            self.process = subprocess.Popen(
                [self.binary, "run", *(["-c", self.file] if not self.arguments else self.arguments)],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True,
                preexec_fn=self._in_child, user=self.user, group=self.user, pass_fds=self.inherit,
                                            env=os.environ | self.environment, cwd=self.directory)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=10.0):
        def ready():
            if self.process.poll() is not None:
                raise Failure(f"the server ended with {self.process.returncode}:\n{self.errors()}")
            try:
                return self.api("GET", "/readyz").status == 200
            except (OSError, Failure):
                return False
        eventually(ready, lambda: f"the server is ready\n{self.errors()}", seconds)
        self.first_workers = self.workers()

    def stop(self):
        """Ends the server and forgets its files."""
        try:
            self._stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(8 * pace.stretch())
            except subprocess.TimeoutExpired:
                for pid in [*self.descendants(), self.process.pid]:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self.process.wait()
                raise Failure(f"SIGTERM did not end the server within 8 s\n{self.errors()}") from None
        if self.breakage():
            raise Failure(self.breakage())

    def errors(self):
        return self.errors_file.read_text(errors="replace") if self.errors_file.exists() else ""

    def breakage(self):
        """What a process of the server that crashed left on standard error."""
        if CRASH.search(self.errors()):
            return f"a process of the server broke:\n{self.errors()[-4000:]}"
        return None

    def leftovers(self):
        """What the server still holds once nobody uses it. For servers whose clients have all gone."""
        def counted():
            counters = self.status()["counters"]
            return {name: counters[name] for name in ("connections", "exchanges") if counters[name]}
        try:
            eventually(lambda: not counted(), "", 4.0, 0.05)
            return None
        except (Failure, OSError):
            return f"the server still counts {counted()}, though everybody has gone"

    def complaint(self):
        """What is wrong with the server itself: it ended, a process of it died, a sanitizer spoke."""
        if self.process.poll() is not None:
            return f"the server ended with {self.process.returncode}:\n{self.errors()}"
        if self.breakage():
            return self.breakage()
        if self.workers() != self.first_workers:
            return f"a worker was replaced: {self.first_workers} -> {self.workers()}\n{self.errors()}"
        return None

    # ---- its processes

    def descendants(self, pid=None):
        found = []
        pid = pid or self.process.pid
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            return found
        for task in tasks:
            try:
                children = pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            except OSError:
                continue
            for child in map(int, children):
                found += [child, *self.descendants(child)]
        return found

    def processes(self):
        """What the master says: role, pid, slot, restarts of each process."""
        return self.status()["processes"]

    def workers(self):
        return sorted(process["pid"] for process in self.processes() if process["role"] == "worker")

    def gate_pid(self):
        """The gate that takes connections now: of several, the youngest."""
        return max(process["pid"] for process in self.processes() if process["role"] == "gate")

    def cpu_seconds(self):
        """User and system time of all processes that live."""
        ticks = 0
        for pid in [self.process.pid, *self.descendants()]:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self, pid=None):
        """Bytes that the processes alone hold (Pss) of the whole server, or of one process."""
        pids = [pid] if pid else [self.process.pid, *self.descendants()]
        total = 0
        for each in pids:
            try:
                rollup = pathlib.Path(f"/proc/{each}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in rollup.splitlines()
                         if line.startswith("Pss:"))
        return total * 1024

    # ---- talking to it

    def client(self, **options):
        return Client(self.address, **options)

    def get(self, target="/", **options):
        """One request on a connection of its own."""
        client = self.client()
        try:
            return client.get(target, **options)
        finally:
            client.close()

    @property
    def control_socket(self):
        sockets = [path for path in self.runtime.iterdir() if path.is_socket()]
        if not sockets:
            raise Failure(f"no control socket in {self.runtime}")
        return str(sorted(sockets)[0])

    def ended(self, seconds=5.0):
        """Waits until the server has ended by itself, or was told to; its exit status."""
        return self.process.wait(seconds * pace.stretch())

    def api(self, method, path, fields=(), host="localhost"):
        client = Client(self.control_socket)
        try:
            return client.get(path, host=host, method=method,
                              fields=[("Connection", "close"), *fields])
        finally:
            client.close()

    def status(self):
        return json.loads(self.api("GET", "/api/status").body)

    def reasons(self):
        """How often each reason was counted."""
        return {reason["name"]: reason["count"] for reason in self.status()["reasons"]}

    def reload(self):
        """Asks for a reload; the API's answer."""
        return self.api("POST", "/api/reload")

    def command(self, *arguments, seconds=10.0, environment=None):
        return run_command(*arguments, seconds=seconds, environment=environment,
                           directory=self.directory)

    # ---- its log

    def mark(self):
        """A moment, for lines_since and next_line. The scribe writes some time after the fact, so a place
        in the file would not do."""
        time.sleep(0.002)  # lines tell milliseconds
        size = self.access_log.stat().st_size if self.access_log.exists() else 0
        return size, datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]

    def lines_since(self, mark=None):
        """The lines of requests that began after the mark."""
        size, moment = mark or (0, "")
        if not self.access_log.exists():
            return []
        with open(self.access_log, "rb") as file:
            file.seek(size)
            text = file.read()
        lines = []
        for raw in text.split(b"\n")[:-1]:
            try:
                line = LogLine(json.loads(raw))
            except ValueError as error:
                raise Failure(f"not a JSON log line ({error}): {raw!r}") from None
            line.raw = raw.decode(errors="replace")
            if line["time"] >= moment:
                lines.append(line)
        return lines

    def next_line(self, mark, where=None, seconds=3.0):
        """The first line after mark (that satisfies `where`)."""
        def look():
            return next((line for line in self.lines_since(mark) if where is None or where(line)),
                        None)
        return eventually(look,
                          lambda: f"a log line; there are {[l.raw for l in self.lines_since(mark)]}",
                          seconds)

    def events(self):
        return self.events_log.read_text(errors="replace") if self.events_log.exists() else ""


@functools.cache
def is_sanitized():
    """Such a build runs without the sandbox and takes more memory and time."""
    return b"__asan_init" in BINARY.read_bytes()


def run_command(*arguments, seconds=10.0, environment=None, directory=None):
    """Runs the binary once; gives returncode, stdout and stderr as text."""
    return subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace", timeout=seconds * pace.stretch(), cwd=directory,
                          env=os.environ | (environment or {}))

