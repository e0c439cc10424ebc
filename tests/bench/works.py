"""The kinds of work measured, and one measurement of one server."""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field

from process import BenchError, wait_until
from servers import FILE_BYTES, JUDGED_BYTES, PAGE_BYTES, ROOT

HERE = os.path.dirname(os.path.realpath(__file__))
CONNECTIONS = 32
RATE_PER_S = 2000
POST_BYTES = 4096
IDLE_CONNECTIONS = 5000
IDLE_TLS_CONNECTIONS = 2000
HANDSHAKES = 2000
FILES_AT_A_TIME = 4
GIGABYTE = 1e9

BROWSER_PATH = "/page?category=garden%20tools&sort=price&page=2"
BROWSER_FIELDS = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "Accept-Language: en-GB,en;q=0.7,fr;q=0.3",
    "Accept-Encoding: gzip, deflate, br",
    "Referer: http://bench.example/garden?category=all",
    "Cookie: session=7d1f0c3e9a5b48d2; consent=essential; basket=3.14159-27182",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
)  # Host, which the client adds, is the tenth


@dataclass
class Measurement:
    """What one server did in one round."""
    cost: float                  # CPU microseconds per request, CPU seconds per GB, or bytes
    per_second: float = 0        # requests, or GB
    latency_us: dict = field(default_factory=dict)
    total: float = 0             # memory of all connections and the server itself
    problems: list = field(default_factory=list)


@dataclass
class Work:
    """One kind of work, who does it, and what is expected of sallyport."""
    name: str
    title: str
    unit: str
    servers: tuple
    measure: object
    base: str = "nginx"          # ratios are to this one
    gate: float = 0              # 0: none
    aim: float = 0
    ours: str = "sallyport"      # whose gate and aim are
    absolute: bool = False       # gate and aim are of the cost itself, not of the ratio
    added: bool = False          # … of what it costs more than the base
    rounds_max: int = 99


class Loads:
    """Runs the load generators. scale shortens everything, for a quick look."""

    def __init__(self, place, rate_binary, tls_binary, scale):
        self.place, self.rate_binary, self.tls_binary, self.scale = place, rate_binary, tls_binary, scale
        self.cpus = ",".join(map(str, sorted(place.placement.others)))

    def start(self, argv, **options):
        return subprocess.Popen(["taskset", "-c", self.cpus, *argv], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def finish(self, argv, seconds):
        """Runs it to its end; its last line is the result."""
        child = self.start(argv)
        try:
            out, err = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as late:
            child.kill()
            child.communicate()
            raise BenchError(f"{argv[0]} did not end within {seconds} s") from late
        return parse_result(argv[0], out, err)

    def wrk(self, server, path, fields=(), post_bytes=0, content=""):
        seconds = max(1, round(2 * self.scale))
        argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", f"{HERE}/report.lua",
                "-H", "Host: bench.example"]
        for line in fields:
            argv += ["-H", line]
        argv += [f"{'https' if server.is_tls else 'http'}://127.0.0.1:{server.port}{path}"]
        if post_bytes:
            argv += ["--", str(post_bytes), content]
        return self.finish(argv, seconds + 20)

    def rate_argv(self, server, path, count, connections, **options):
        argv = [self.rate_binary, f"--port={server.port}", f"--path={path}", f"--count={count}",
                f"--connections={connections}"]
        return argv + [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]

    def tls_argv(self, server, count, *options):
        return [self.tls_binary, f"--port={server.port}", "--path=/page", f"--count={count}",
                f"--expect={PAGE_BYTES}", *options]

    def rate(self, server, path, count, connections, **options):
        return self.finish(self.rate_argv(server, path, count, connections, **options), 90)


def parse_result(program, out, err):
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if not lines:
        raise BenchError(f"{program} gave no result: {(err or out).strip()[-400:]}")
    return json.loads(lines[-1])


def problems_of(result, lines, accepted, may_reconnect):
    """What makes a measurement worthless."""
    problems = []
    requests = result["requests"]
    if result["errors"]:
        problems.append(f"{result['errors']} of {requests} requests failed "
                        f"({result['first_error']})")
    # wrk does not count what it cut off when it stopped, nor the connection it first tries
    if not requests <= lines <= requests + CONNECTIONS + 1:
        problems.append(f"{lines} log lines for {requests} requests")
    if not may_reconnect and accepted > 100 + requests // 10:
        problems.append(f"{accepted} connections to the origin for {requests} requests")
    return problems


def observe(server, load, may_reconnect=False):
    """Runs load() and returns its result, the CPU nanoseconds it cost and what went wrong."""
    origin = server.place.origin
    lines_before, pids = server.log_lines(), server.pids()
    accepted_before = origin.connections_accepted()
    cpu_before = server.cpu_ns()
    result = load()
    wanted = lines_before + result["requests"]
    wait_until(lambda: server.log_lines() >= wanted, 4)
    time.sleep(0.05)  # what closes after the last answer is part of the work
    cpu = server.cpu_ns() - cpu_before
    problems = problems_of(result, server.log_lines() - lines_before,
                           origin.connections_accepted() - accepted_before, may_reconnect)
    if server.pids() != pids:
        problems.append("a process of the server ended or was started meanwhile")
    return result, cpu, problems


def latencies(result):
    return {name: result[name] for name in ("p50", "p90", "p99", "p999")}


def per_request(server, load, answer_bytes=PAGE_BYTES):
    result, cpu, problems = observe(server, load)
    requests = max(1, result["requests"])
    if result["bytes"] < requests * answer_bytes:
        problems.append("answers shorter than they should be")
    return Measurement(cost=cpu / 1000 / requests, per_second=requests / result["seconds"],
                       latency_us=latencies(result), problems=problems)


def keep_alive(loads, server):
    return per_request(server, lambda: loads.wrk(server, "/page"))


def judged(loads, server):
    return per_request(server, lambda: loads.wrk(server, "/judged"), JUDGED_BYTES)


def steady(loads, server):
    count = round(RATE_PER_S * 2 * loads.scale)
    return per_request(server, lambda: loads.rate(
        server, "/page", count, CONNECTIONS, rate=RATE_PER_S, expect=PAGE_BYTES))


def browser_like(loads, server):
    return per_request(server, lambda: loads.wrk(server, BROWSER_PATH, BROWSER_FIELDS))


def connection_each(loads, server):
    return per_request(server, lambda: loads.wrk(server, "/page", ("Connection: close",)))


def posts(loads, server):
    return uploaded(server, POST_BYTES, lambda load: per_request(server, load, answer_bytes=1),
                    lambda: loads.wrk(server, "/upload", post_bytes=POST_BYTES))


def forms(loads, server):
    return uploaded(server, POST_BYTES, lambda load: per_request(server, load, answer_bytes=1),
                    lambda: loads.wrk(server, "/upload", post_bytes=POST_BYTES, content="form"))


def uploaded(server, size, measure, load):
    """Measures load and compares what the origin says it received."""
    origin, kept = server.place.origin, {}
    origin.uploaded_bytes()

    def keeping():
        kept.update(load())
        return kept

    measurement = measure(keeping)
    if origin.uploaded_bytes() < kept["requests"] * size:
        measurement.problems.append("the origin received less than was sent")
    return measurement


def per_gigabyte(server, load):
    result, cpu, problems = observe(server, load, may_reconnect=True)
    gigabytes = result["requests"] * FILE_BYTES / GIGABYTE
    return Measurement(cost=cpu / 1e9 / gigabytes, per_second=gigabytes / result["seconds"],
                       problems=problems)


def files(loads):
    return max(FILES_AT_A_TIME, round(16 * loads.scale))


def download(loads, server):
    return per_gigabyte(server, lambda: loads.rate(
        server, "/file", files(loads), FILES_AT_A_TIME, expect=FILE_BYTES))


def upload(loads, server):
    return uploaded(server, FILE_BYTES, lambda load: per_gigabyte(server, load),
                    lambda: loads.rate(server, "/upload", files(loads), FILES_AT_A_TIME,
                                       upload=FILE_BYTES))


def idle_memory(loads, server):
    """Memory added by idle connections that have each had one answer, to a fresh server."""
    count = max(500, round(IDLE_CONNECTIONS * loads.scale))
    server.stop()
    server.start()
    loads.rate(server, "/page", 200, 16)
    time.sleep(0.2)
    before = server.memory()
    argv = loads.rate_argv(server, "/page", count, count, in_flight=16, expect=PAGE_BYTES)
    child = loads.start(argv + ["--hold"], stdin=subprocess.PIPE)
    line = child.stdout.readline()
    time.sleep(0.3)
    after = server.memory()
    _, err = child.communicate("", timeout=30)
    result = parse_result("rate", line, err)
    problems = [result["first_error"]] if result["errors"] else []
    return Measurement(cost=(after - before) / count, total=after, problems=problems)


def handshakes(loads, server, *options):
    """A handshake, one answer and the end of it, for each connection."""
    count = round(HANDSHAKES * loads.scale)
    result, cpu, problems = observe(server, lambda: loads.finish(loads.tls_argv(server, count, *options), 60))
    expected = count - 1 if "--resume" in options else 0
    if result["resumed"] != expected:
        problems.append(f"{result['resumed']} of {count} handshakes were resumed")
    return Measurement(cost=cpu / 1000 / count, per_second=count / result["seconds"], problems=problems)


def full_handshakes(loads, server):
    return handshakes(loads, server)


def resumed_handshakes(loads, server):
    return handshakes(loads, server, "--resume")


def full_handshakes_12(loads, server):
    return handshakes(loads, server, "--version=1.2")


def resumed_handshakes_12(loads, server):
    return handshakes(loads, server, "--version=1.2", "--resume")


def idle_tls_memory(loads, server):
    """As idle_memory, over TLS."""
    count = max(300, round(IDLE_TLS_CONNECTIONS * loads.scale))
    server.stop()
    server.start()
    loads.finish(loads.tls_argv(server, 100), 60)
    time.sleep(0.2)
    before = server.memory()
    child = loads.start(loads.tls_argv(server, count, "--hold"), stdin=subprocess.PIPE)
    line = child.stdout.readline()
    time.sleep(0.3)
    after = server.memory()
    _, err = child.communicate("", timeout=30)
    result = parse_result("tls", line, err)
    problems = [result["first_error"]] if result["errors"] else []
    return Measurement(cost=(after - before) / count, total=after, problems=problems)


def all_works():
    import gates  # which builds upon what stands above
    over_tls = ("nginx-tls", "twin-tls", "haproxy-tls", "sallyport-tls")
    tls = dict(base="nginx-tls", ours="sallyport-tls")
    handshake = "µs CPU per handshake with one request"
    four = ("nginx", "twin", "haproxy", "sallyport")
    bodies = ("haproxy-tuned", "haproxy-twin", "haproxy-spliced", "nginx-tuned", "nginx",
              "sallyport")
    request, body = "µs CPU per request", "s CPU per GB"
    return [
        Work("get", f"GET 1 KiB, keep-alive, {CONNECTIONS} clients, as fast as they can", request,
             four + ("nginx-buffered",), keep_alive, gate=0.90, aim=0.80),
        Work("steady", f"The same at {RATE_PER_S:,} requests a second", request, four, steady),
        Work("browser", "GET as a browser sends it: 3 arguments, 10 fields, a cookie", request,
             four, browser_like, gate=1.0, aim=0.85),
        Work("close", f"A connection for every request, {CONNECTIONS} clients", request, four,
             connection_each),
        Work("post", f"POST of 4 KiB, keep-alive, {CONNECTIONS} clients", request, four, posts),
        Work("form", f"POST of a form of 4 KiB, looked into, {CONNECTIONS} clients", request, four, forms, gate=1.3),
        Work("copy", f"A known-good copy of 1 KiB, {CONNECTIONS} clients", request,
             ("nginx-static", "sallyport-sealed"), keep_alive, base="nginx-static", gate=1.2, aim=0.9,
             ours="sallyport-sealed"),
        Work("judge", "GET 50 KiB of a known page, judged before its first byte", request,
             ("sallyport", "sallyport-guarded", "nginx"), judged, base="sallyport", gate=60, aim=35,
             added=True, ours="sallyport-guarded"),
        Work("download", f"64 MiB down, {FILES_AT_A_TIME} at a time", body, bodies, download,
             base="haproxy-tuned", gate=1.0, aim=0.8),
        Work("upload", f"64 MiB up, {FILES_AT_A_TIME} at a time", body, bodies, upload,
             base="haproxy-tuned", gate=1.0, aim=0.8),
        Work("idle", f"Memory of an idle keep-alive connection, of {IDLE_CONNECTIONS:,}",
             "bytes per connection", four, idle_memory, gate=1000, aim=500, absolute=True,
             rounds_max=3),
        Work("tls-get", f"TLS 1.3, GET 1 KiB, keep-alive, {CONNECTIONS} clients", request, over_tls, keep_alive,
             gate=1.0, aim=0.85, **tls),
        Work("tls-full", "TLS 1.3, full handshakes (ECDSA P-256)", handshake, over_tls, full_handshakes, gate=1.05,
             aim=1.0, **tls),
        Work("tls-resumed", "TLS 1.3, resumed handshakes", handshake, over_tls, resumed_handshakes, gate=1.05,
             aim=1.0, **tls),
        Work("tls-full-1.2", "TLS 1.2, full handshakes (ECDSA P-256)", handshake, over_tls, full_handshakes_12,
             gate=1.05, aim=1.0, **tls),
        Work("tls-resumed-1.2", "TLS 1.2, resumed handshakes", handshake, over_tls, resumed_handshakes_12,
             gate=1.05, aim=1.0, **tls),
        Work("tls-idle", f"Memory of an idle TLS connection, of {IDLE_TLS_CONNECTIONS:,}", "bytes per connection",
             over_tls, idle_tls_memory, gate=1.0, aim=0.9, rounds_max=3, **tls),
        *gates.works(),
    ]


def compile_load(name, *libraries):
    """Builds NAME.c into build/bench; nothing is done where it is new enough."""
    source = os.path.join(HERE, f"{name}.c")
    directory = os.path.join(ROOT, "build", "bench")
    binary = os.path.join(directory, name)
    os.makedirs(directory, exist_ok=True)
    if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(source):
        subprocess.run([os.environ.get("CC", "gcc"), "-std=c11", "-O2", "-Wall", "-D_GNU_SOURCE",
                        "-o", binary, source, *libraries], check=True)
    return binary
