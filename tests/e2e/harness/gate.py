"""Servers with a gate, and what asks them: curl, and clients that write every byte themselves."""

import ctypes
import itertools
import os
import re
import signal
import socket
import subprocess
import time

from . import namespaces
from .origin import Origin
from .server import die_with_parent, free_port, own_address
from .wire import Client

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000

_hosts = itertools.count(1)


def other_address():
    """A loopback address that no other test of this process uses: another host."""
    pid, n = os.getpid(), next(_hosts)
    return f"127.{192 + (pid >> 8) % 32}.{pid % 256}.{n % 250 + 1}"


class Gate:
    """A server whose gate is at .address. allow: whole entries of egress.allow."""

    def __init__(self, t, allow=(), *, settings=None, before=None, **egress):
        self.address = (own_address(), free_port())
        section = {"proxy": f"{self.address[0]}:{self.address[1]}", "origins": ["127.0.0.1"], "kernel": "off",
                   "allow": list(allow), **egress}
        self.egress = section
        self.server = t.fresh_server({**(settings or {}), "egress": section}, before=before)
        self.t = t

    def client(self, source=None, **options):
        client = Client(self.address, source=source, **options)
        self.t.later(client.close)
        return client

    def ask(self, data, **options):
        """Its answer to these bytes, on a connection of their own."""
        client = self.client(**options)
        client.send(data)
        method = data.split(b" ", 1)[0].decode("latin-1")
        return client.read_response("HEAD" if method == "HEAD" else "GET")

    def get(self, url, *, fields="", **options):
        host = url.split("/")[2]
        return self.ask(f"GET {url} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode("latin-1"), **options)

    def connect(self, where, *, early=b"", **options):
        """A tunnel: the client, and the answer's status."""
        client = self.client(**options)
        client.send(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\n".encode("latin-1") + early)
        return client, client.read_head()

    def curl(self, *arguments, seconds=20):
        environment = {**os.environ, "http_proxy": f"http://{self.address[0]}:{self.address[1]}",
                       "https_proxy": f"http://{self.address[0]}:{self.address[1]}", "no_proxy": ""}
        return subprocess.run(["curl", "-sS", "--max-time", str(seconds), *arguments], env=environment,
                              capture_output=True, timeout=seconds + 5)


def somewhere(t, **options):
    """A server at an address of its own."""
    origin = Origin(host=other_address(), **options)
    t.later(origin.close)
    return origin


def place(origin):
    return f"{origin.host}:{origin.port}"


def asks(target, *, host=None, method="GET", fields="", version="1.1"):
    host = f"Host: {host}\r\n" if host else ""
    return f"{method} {target} HTTP/{version}\r\n{host}{fields}\r\n".encode("latin-1")


class World:
    """A network that this test has for itself: every address of namespaces.ANSWERING4 and ANSWERING6 is this machine's,
    and a policy takes them for the internet. From here on the whole test is in it."""

    def __init__(self, t, names=None):
        self.t = t
        self.namespace = namespaces.lonely(t)
        self.directory = t.directory()
        self.dns = None
        self.names = dict(names or {})
        if names is not None:
            self._start_dns()

    def origin(self, host="::", port=80, **options):
        """Somebody who answers at every address, where none is said."""
        made = Origin(host=host, port=port, backlog=4096, **options)
        self.t.later(made.close)
        return made

    def gate(self, allow=(), **options):
        """A gate that asks this world's DNS server, where there is one."""
        return Gate(self.t, allow, before=self._see_our_resolver if self.dns else None, **options)

    # ---- names

    def name(self, **addresses):
        """From now on names have these addresses (lists of texts), and nothing else."""
        self.names = {name.replace("__", "-").replace("_", "."): value for name, value in addresses.items()}
        self._write_names()
        self.dns.send_signal(signal.SIGHUP)
        time.sleep(0.1)  # it says nothing when it has read them

    def _write_names(self):
        lines = [f"{address} {name}" for name, addresses in self.names.items() for address in addresses]
        (self.directory / "names").write_text("\n".join(lines) + "\n")

    def _start_dns(self):
        self._write_names()
        (self.directory / "resolv.conf").write_text("nameserver 127.0.0.53\nsearch search.example\n")
        (self.directory / "hosts").write_text("127.0.0.1 localhost\n")
        try:
            self.dns = subprocess.Popen(
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll",
                 "--listen-address=127.0.0.53", "--bind-interfaces", "--local=/#/", "--local-ttl=0", "--user=root",
                 f"--addn-hosts={self.directory / 'names'}", "--pid-file=", "--log-queries",
                 f"--log-facility={self.directory / 'dns.log'}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                preexec_fn=die_with_parent)
        except FileNotFoundError:
            self.t.skip("needs dnsmasq")
        self.t.later(self._stop_dns)
        self.t.eventually(self._answers, "dnsmasq answers")

    def _answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(0.2)
            asker.connect(("127.0.0.53", 53))
            try:
                asker.send(b"\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1")
                return len(asker.recv(512)) > 0
            except OSError:
                return False

    def _stop_dns(self):
        self.dns.kill()
        self.dns.wait()

    def asked(self):
        """The names that were asked for."""
        return re.findall(r"query\[A+\] (\S+) from", (self.directory / "dns.log").read_text())

    def _see_our_resolver(self):
        """In the server, before it begins: other files stand where the system's are, for it alone."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None):
            raise OSError(ctypes.get_errno(), "mount namespace")
        for name in ("resolv.conf", "hosts"):
            if libc.mount(str(self.directory / name).encode(), f"/etc/{name}".encode(), None, MS_BIND, None):
                raise OSError(ctypes.get_errno(), name)


def hosts_of(origin):
    """The addresses at which an origin of World.origin() was spoken to."""
    return {address for address in map(_local, list(origin.connections)) if address}


def _local(connection):
    return connection.local
