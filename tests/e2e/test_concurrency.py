"""How many requests of a client are in work at once: over connections, workers, reloads and deaths."""

import base64
import hashlib
import os
import signal
import threading

from harness import reply, test

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ASK = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", KEY), ("Sec-WebSocket-Version", "13")]


def agrees(connection, request):
    """To a WebSocket, and waits for its end."""
    proof = base64.b64encode(hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    connection.send(f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    f"Sec-WebSocket-Accept: {proof}\r\n\r\n".encode())
    while connection.more():
        pass
    return False


class Slow:
    """An origin's script that answers when it is told to."""

    def __init__(self):
        self.go = threading.Event()

    def __call__(self, connection, request):
        self.go.wait(20)
        connection.send(reply())


def held(t, throttle, **settings):
    server = t.fresh_server({"site": {"shield": {"throttle": throttle}}, **settings})
    slow = Slow()
    server.origin.on("/slow", slow)
    server.origin.on("/other", slow)
    t.later(slow.go.set)
    return server, slow


def begin(t, server, count, target="/slow", source=None):
    """So many requests, all of which the origin has."""
    before = len(server.origin.requests_for(target))
    clients = []
    for _ in range(count):
        clients.append((server.client(source=source) if source else server.client()).send(t.request(target)))
        t.later(clients[-1].close)
    t.eventually(lambda: len(server.origin.requests_for(target)) == before + count, "they are with the origin")
    return clients


def status(server, target="/", source=None):
    client = server.client(source=source) if source else server.client()
    try:
        return client.get(target)
    finally:
        client.close()


@test
def one_more_is_refused_and_told_when_to_come_back(t):
    server, slow = held(t, {"concurrent": 3}, process={"workers": 2})
    clients = begin(t, server, 3)
    mark = server.mark()
    answer = status(server)
    t.equal((answer.status, answer.field("Retry-After")), (429, "1"), "status and Retry-After")
    line = server.next_line(mark)
    t.reason(line, "concurrency")
    t.equal((line.limit, line["setting"]), (3, "sites[].shield.throttle.concurrent"), "limit and setting in the log")
    t.equal(status(server, source="127.9.9.9").status, 200, "status of another client")
    slow.go.set()
    t.equal([client.read_response().status for client in clients], [200] * 3, "statuses of those in work")
    t.equal([status(server).status for _ in range(5)], [200] * 5, "statuses once they are over")
    t.equal(server.reasons()["concurrency"], 1, "the reason's count")


@test
def a_path_has_a_limit_of_its_own(t):
    server, slow = held(t, {"concurrent": 4, "paths": [{"path": "/slow", "concurrent": 1}]})
    begin(t, server, 1)
    mark = server.mark()
    t.equal(status(server, "/%73low/x").status, 429, "status below the path")
    t.equal(server.next_line(mark).evidence, "/slow", "the path that decided")
    t.equal(status(server).status, 200, "status beside it")
    begin(t, server, 3, "/other")
    t.equal(status(server).status, 429, "status of the fifth")


@test
def who_goes_away_is_not_in_work(t):
    server, _ = held(t, {"concurrent": 2})
    for client in begin(t, server, 2):
        client.reset()
    t.eventually(lambda: status(server).status == 200, "the place is free")


@test
def a_reload_forgets_nothing_and_loses_nothing(t):
    server, slow = held(t, {"concurrent": 2})
    clients = begin(t, server, 2)
    t.equal(server.reload().status, 200, "status of the reload")
    t.equal(status(server).status, 429, "status in the next generation")
    slow.go.set()
    t.equal([client.read_response().status for client in clients], [200] * 2, "statuses of those in work")
    t.eventually(lambda: status(server).status == 200, "the places are free")
    t.equal([status(server).status for _ in range(5)], [200] * 5, "statuses")


@test
def what_a_dead_worker_had_in_work_is_forgotten(t):
    server, _ = held(t, {"concurrent": 2})
    begin(t, server, 2)
    t.equal(status(server).status, 429, "status before")
    worker = server.workers()[0]
    os.kill(worker, signal.SIGKILL)
    t.eventually(lambda: server.workers() and server.workers()[0] != worker, "another worker")
    t.equal([status(server).status for _ in range(3)], [200] * 3, "statuses after")


@test
def an_open_websocket_is_not_in_work(t):
    server, _ = held(t, {"concurrent": 1})
    server.write_policy({"site": {"upgrade": ["websocket"]}})
    t.equal(server.reload().status, 200, "status of the reload")
    server.origin.on("/ws", agrees)
    for _ in range(3):
        t.equal(t.client(server).send(t.request("/ws", fields=ASK)).read_response().status, 101, "status of a handshake")
    t.equal(status(server).status, 200, "status of a request beside them")


@test
def a_dry_run_refuses_nothing(t):
    server, _ = held(t, {"concurrent": 1, "dry_run": True})
    begin(t, server, 1)
    mark = server.mark()
    t.equal(status(server).status, 200, "status")
    line = server.next_line(mark)
    t.equal((line["reason"], line["enforced"]), ("concurrency", False), "reason, and enforced")


@test
def who_is_allowed_is_not_counted(t):
    server, _ = held(t, {"concurrent": 1, "allow": ["127.9.0.0/16"]})
    begin(t, server, 3, source="127.9.9.9")
    t.equal(status(server, source="127.9.9.9").status, 200, "status of the allowed")
