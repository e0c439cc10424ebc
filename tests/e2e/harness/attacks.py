"""What an infected machine does, bounded in count and time. Each attack runs in a process of its own inside
the attacker's namespace, so that it is as fast as it can be."""

import concurrent.futures
import errno
import json
import selectors
import socket
import struct
import time

from . import apart, names, server
from .check import Failure

RESET = struct.pack("ii", 1, 0)


def packets(network, attacker, target, protocol, *, source=None, mac=None, seconds=5, **numbers):
    """Raw packets from the attacker's interface (attacks/packets.c): targets, port, size, count, rate.
    source: another address than its own, or PREFIX/LENGTH for a new one each time; mac: another's."""
    tool = server.BINARY.resolve().parent / "tests/e2e/attacks/packets"
    if not tool.exists():
        raise Failure(f"{tool} is not built: make {tool.relative_to(server.ROOT)}")
    family = 6 if ":" in target else 4
    said = attacker.run(tool, "eth0", mac or attacker.mac, network.gateway_mac(attacker),
                        source or network.address(attacker, family), target, protocol, f"seconds={seconds}",
                        *(f"{name}={value}" for name, value in numbers.items()), seconds=seconds + 20)
    return json.loads(said)


def elsewhere(namespace, work, seconds=30.0):
    """Runs work() in a process inside the namespace; gives what it returns, as JSON can tell it."""
    return begin(namespace, work)(seconds)


def begin(namespace, work):
    """Like elsewhere(), but goes on meanwhile; what it gives waits for the end and gives the result."""
    def there(line):
        namespace.enter()
        line.say(work())

    pid, line = apart.start(there)

    def end(seconds=30.0):
        line.patience(seconds)
        try:
            result = line.hear()
        finally:
            apart.end(pid)
        if result is None:
            raise Failure("the attack ended without a result")
        return result
    return end


# ---- attacks, to be run by elsewhere() and begin()

def connect_scan(targets, port=80, at_once=100, patience=2.0):
    """TCP connections to all targets, so many at a time, as Code Red did. Gives how many answered (also
    by a refusal of their own), and how many did not."""
    waiting, open_now, outcome = list(reversed(targets)), selectors.DefaultSelector(), {}

    def settle(sock, what):
        open_now.unregister(sock)
        sock.close()
        outcome[what] = outcome.get(what, 0) + 1

    while waiting or open_now.get_map():
        while waiting and len(open_now.get_map()) < at_once:
            target = waiting.pop()
            sock = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            open_now.register(sock, selectors.EVENT_WRITE, time.monotonic() + patience)
            error = sock.connect_ex((target, port))
            if error not in (0, errno.EINPROGRESS):
                settle(sock, "refused")
        for key, _ in open_now.select(0.05):
            error = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            settle(key.fileobj, "answered" if error in (0, errno.ECONNREFUSED) else "refused")
        for key in [key for key in open_now.get_map().values() if key.data < time.monotonic()]:
            settle(key.fileobj, "silent")
    return outcome


def slow_scan(targets, port=80, pause=2.0):
    """One after the other, each abandoned when the next one's turn comes."""
    for target in targets:
        sock = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET)
        sock.setblocking(False)
        sock.connect_ex((target, port))
        time.sleep(pause)
        sock.close()
    return len(targets)


def tcp_flood(target, port, seconds=3.0, most=1 << 30, connections=8):
    """As many bytes to one target as it takes, with new connections for those that end. Gives how many
    were sent, that is: given to the kernel."""
    block, sent, end = b"\xcc" * (1 << 16), 0, time.monotonic() + seconds
    with selectors.DefaultSelector() as ready:
        def connect():
            sock = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.connect_ex((target, port))
            ready.register(sock, selectors.EVENT_WRITE)

        for _ in range(connections):
            connect()
        while time.monotonic() < end and sent < most:
            for key, _ in ready.select(0.05):
                try:
                    sent += key.fileobj.send(block)
                except BlockingIOError:
                    pass
                except OSError:
                    ready.unregister(key.fileobj)
                    key.fileobj.close()
                    connect()
        for key in list(ready.get_map().values()):
            key.fileobj.close()
    return sent


def connect_gate(gate, targets, port, at_once=100, patience=5.0):
    """CONNECT to all targets, so many tunnels at a time. Gives how often each status came; 0: none."""
    def ask(target):
        host = f"[{target}]" if ":" in target else target
        with socket.create_connection(gate, timeout=patience) as sock:
            sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            return _status(sock)
    return _count(ask, targets, at_once)


def get_flood(gate, url, seconds=3.0, at_once=20):
    """As many GETs of one URL through the gate as it takes. Gives how often each status came, and how long it took."""
    authority = url.split("/")[2]
    request = f"GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
    began = time.monotonic()
    end = began + seconds

    def ask(_):
        outcome = {}
        while time.monotonic() < end:
            with socket.create_connection(gate, timeout=5.0) as sock:
                sock.sendall(request)
                status = _status(sock)
            outcome[status] = outcome.get(status, 0) + 1
        return outcome
    total = {}
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for outcome in pool.map(ask, range(at_once)):
            for status, count in outcome.items():
                total[status] = total.get(status, 0) + count
    return {"seconds": time.monotonic() - began, **{str(status): count for status, count in total.items()}}


def dns_tunnel(resolver, name, seconds=3.0, most=20000):
    """Asks for distinct names, name(0) and so on, 64 at once, as iodine does. Gives how often each response
    code came."""
    sock = socket.socket(socket.AF_INET6 if ":" in resolver[0] else socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(resolver)
    sent, codes, end = 0, {}, time.monotonic() + seconds

    def count_responses(silence):
        sock.settimeout(silence)
        try:
            while True:
                code = sock.recv(4096)[3] & 15
                codes[code] = codes.get(code, 0) + 1
        except OSError:
            pass

    while sent < most and time.monotonic() < end:
        for _ in range(64):
            try:
                sock.send(names.question(name(sent), number=sent & 0xffff))
            except OSError:
                pass
            sent += 1
        count_responses(0.005)
    count_responses(1.0)
    return {"sent": sent, **{str(code): count for code, count in codes.items()}}


def mail(relay, messages, seconds=5.0):
    """Many messages over one connection to a relay (RFC 5321). Gives how many it took."""
    taken, end = 0, time.monotonic() + seconds
    try:
        with socket.create_connection(relay, timeout=seconds) as sock:
            reader = sock.makefile("rb")
            reader.readline()
            for _ in range(messages):
                for line in (b"MAIL FROM:<a@origin.example>", b"RCPT TO:<b@world.example>", b"DATA",
                             b"Subject: cheap\r\n\r\nbuy\r\n."):
                    sock.sendall(line + b"\r\n")
                    sock.settimeout(max(0.01, end - time.monotonic()))
                    answer = reader.readline()
                    if not answer.startswith((b"2", b"3")):
                        return taken
                taken += 1
    except OSError:
        pass
    return taken


def _count(ask, targets, at_once):
    def tried(target):
        try:
            return ask(target)
        except OSError:
            return 0
    outcome = {}
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for status in pool.map(tried, targets):
            outcome[str(status)] = outcome.get(str(status), 0) + 1
    return outcome


def _status(sock):
    """Of the response that comes; 0 where none does."""
    got = b""
    try:
        while b"\r\n" not in got:
            piece = sock.recv(4096)
            if not piece:
                return 0
            got += piece
        return int(got.split()[1])
    except (OSError, ValueError, IndexError):
        return 0


class Sink:
    """Takes whatever is sent to a port, at every address, and lets the kernel throw it away."""

    def __init__(self, port):
        self._listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
        self._work, self._line = apart.start(self._run)

    def _run(self, line):
        with selectors.DefaultSelector() as ready:
            ready.register(self._listener, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is self._listener:
                        ready.register(self._listener.accept()[0], selectors.EVENT_READ)
                    elif not self._drain(key.fileobj):
                        ready.unregister(key.fileobj)
                        key.fileobj.close()

    @staticmethod
    def _drain(sock, nowhere=bytearray(1 << 20)):
        try:
            return sock.recv_into(nowhere, 0, socket.MSG_TRUNC) > 0
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._listener.close()
        apart.end(self._work)
