"""Forward proxies compared: sallyport's gate, squid and tinyproxy, each with a log line per request, one process or
thread at work, no cache, and one destination that everybody may reach."""

import http.client
import os
import shutil
import subprocess
import time

import servers as front
import works as common
from process import BenchError

TUNNELS = 2000
CPUCLOCK_SCHED = 2  # of clock_getcpuclockid(3)

SQUID = """
http_port 127.0.0.1:{port}
http_access allow all
cache deny all
cache_mem 0
access_log stdio:{log}
cache_log {dir}/{name}.err
pid_filename {dir}/{name}.pid
coredump_dir {dir}
max_filedescriptors 13000
shutdown_lifetime 0 seconds
visible_hostname bench.example
"""

TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 600
MaxClients 6000
LogFile "{log}"
LogLevel Connect
PidFile "{dir}/{name}.pid"
"""

# Limits are raised, or taken away, because all load is one origin's and goes to one host.
SALLYPORT = """
listen = ( {{ address = "127.0.0.1:{front}"; }} );
sites = ( {{ name = "bench"; hosts = ( "bench.example" ); origins = ( "http://127.0.0.1:{origin}" ); }} );
egress = {{ proxy = "0.0.0.0:{port}"; origins = ( "127.0.0.1" ); allow = ( "127.0.0.1:{origin}" ); kernel = "off";
           limits = {{ requests = "0/s"; host_requests = "0/s"; connections = 10000; host_connections = 10000;
                      bytes = "0 B/s"; host_bytes = "0 B/s"; }}; }};
quotas = {{ connections = 10000; per_client = 10000; }};
process = {{ workers = 1; runtime = "{dir}/{name}-run"; }};
timeouts = {{ drain = "1 s"; }};
log = {{ access = "{log}"; format = "combined"; }};
"""


class Gate(front.Server):
    """Asked in absolute form. mark: what only one line of a request has in the log."""

    def __init__(self, place, name, label, template, argv, mark=b"\n", **values):
        super().__init__(place, name, label, template, argv, **values)
        self.mark = mark

    def cpu_ns(self):
        """By the clock of each process, which has also what threads used that are gone: tinyproxy has one for each
        connection."""
        return sum(time.clock_gettime_ns(~pid << 3 | CPUCLOCK_SCHED) for pid in self.pids())

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", self.url(path), headers={"Host": self.target()})
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(f"{self.label}: {error!r}") from error
        finally:
            connection.close()

    def target(self):
        return f"127.0.0.1:{self.place.origin_port}"

    def url(self, path):
        return f"http://{self.target()}{path}"

    def log_lines(self):
        try:
            with open(self.log, "rb") as log:
                log.seek(self.seen_offset)
                text = log.read()
        except FileNotFoundError:
            text = b""
        whole = text[:text.rfind(b"\n") + 1]
        self.seen_offset += len(whole)
        self.seen_lines += whole.count(self.mark)
        return self.seen_lines


def is_missing(name):
    return name in ("squid", "tinyproxy") and not shutil.which(name)


def servers(place):
    yield Gate(place, "squid", "squid", SQUID, ["squid", "-N", "-f", "CONFIG"])
    yield Gate(place, "tinyproxy", "tinyproxy", TINYPROXY, ["tinyproxy", "-d", "-c", "CONFIG"], mark=b"Request (file")
    yield Gate(place, "sallyport-gate", "sallyport's gate", SALLYPORT, [place.binary, "run", "-c", "CONFIG"],
               front=front.free_port())


# ---- works


def forgiving(result):
    """tinyproxy ends each connection without having said so, which wrk takes for an error when it reads on."""
    said = dict(part.split() for part in result["first_error"].split(", "))
    result["errors"] = sum(int(count) for what, count in said.items() if what != "read")
    return result


def absolute(loads, server):
    seconds = max(1, round(2 * loads.scale))
    argv = ["wrk", "-t1", f"-c{common.CONNECTIONS}", f"-d{seconds}s", "-s", f"{common.HERE}/report.lua", "-H",
            f"Host: {server.target()}", f"http://127.0.0.1:{server.port}/", "--", "0", "", server.url("/page")]
    result, cpu, problems = common.observe(server, lambda: forgiving(loads.finish(argv, seconds + 20)), may_reconnect=True)
    requests = max(1, result["requests"])
    return common.Measurement(cost=cpu / 1000 / requests, per_second=requests / result["seconds"],
                              latency_us=common.latencies(result), problems=problems)


def through_tunnels(loads, server):
    """Whole files over tunnels that each carry several."""
    before, pids = server.cpu_ns(), server.pids()
    result = loads.rate(server, "/file", common.files(loads), common.FILES_AT_A_TIME, expect=common.FILE_BYTES,
                        host=server.target(), connect=server.target())
    time.sleep(0.05)
    gigabytes = result["requests"] * common.FILE_BYTES / common.GIGABYTE
    problems = [result["first_error"]] if result["errors"] else []
    if server.pids() != pids:
        problems.append("a process of the server ended or was started meanwhile")
    return common.Measurement(cost=(server.cpu_ns() - before) / 1e9 / gigabytes, per_second=gigabytes / result["seconds"],
                              problems=problems)


def idle_tunnels(loads, server):
    """Memory added by idle tunnels that have each carried one answer, to a fresh server."""
    count = max(500, round(TUNNELS * loads.scale))
    server.stop()
    server.start()
    options = dict(host=server.target(), connect=server.target(), expect=front.PAGE_BYTES)
    loads.rate(server, "/page", 200, 16, **options)
    time.sleep(0.2)
    before = server.memory()
    child = loads.start(loads.rate_argv(server, "/page", count, count, in_flight=16, **options) + ["--hold"],
                        stdin=subprocess.PIPE)
    line = child.stdout.readline()
    time.sleep(0.3)
    after = server.memory()
    _, err = child.communicate("", timeout=30)
    if not line:
        raise BenchError(err.strip())
    result = common.parse_result("rate", line, err)
    problems = [result["first_error"]] if result["errors"] else []
    return common.Measurement(cost=(after - before) / count, total=after, problems=problems)


def works():
    names = ("squid", "tinyproxy", "sallyport-gate")
    ahead = dict(base="squid", ours="sallyport-gate", gate=1.0, aim=0.5)
    return [
        common.Work("gate-get", f"Forward proxy: GET 1 KiB in absolute form, keep-alive, {common.CONNECTIONS} clients",
                    "µs CPU per request", names, absolute, **ahead),
        common.Work("gate-tunnel", f"Forward proxy: 64 MiB down through CONNECT, {common.FILES_AT_A_TIME} at a time",
                    "s CPU per GB", names, through_tunnels, **ahead),
        common.Work("gate-idle", f"Forward proxy: memory of an idle tunnel, of {TUNNELS:,}", "bytes per tunnel", names,
                    idle_tunnels, rounds_max=3, **ahead),
    ]
