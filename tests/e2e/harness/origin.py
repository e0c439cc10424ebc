"""An origin server that does exactly what its script says and records every byte it received."""

import dataclasses
import re
import socket
import struct
import threading
import time

from .wire import parse_head

REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/(1\.[01])\Z")


@dataclasses.dataclass
class Request:
    method: str
    target: str
    version: str
    fields: list[tuple[str, str]]
    head: bytes
    body: bytes = b""
    connection: "Connection" = None

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def field(self, name):
        values = self.all(name)
        return values[0] if len(values) == 1 else (values or None)


def reply(body=b"ok\n", status="200 OK", fields=(), framed=True):
    """A well-formed response with Content-Length."""
    lines = [f"HTTP/1.1 {status}"] + [f"{name}: {value}" for name, value in fields]
    if framed:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class Connection:
    """The origin's end of one connection."""

    def __init__(self, sock, number):
        self.socket = sock
        self.number = number
        self.local = sock.getsockname()[0].removeprefix("::ffff:")
        self.received = bytearray()
        self.sent = 0
        self.error = None
        self.ended = None  # "eof" or "reset" by the peer, "closed" by us
        self._parsed = 0
        self.requests = []

    def more(self, seconds=20.0):
        """Waits for bytes; False at the end or after so long."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return False
        except OSError:
            self.ended = self.ended or "reset"
            return False
        if not data:
            self.ended = self.ended or "eof"
            return False
        self.received += data
        return True

    def read_head(self):
        """The next request, without its content; None at the end of the connection."""
        while (end := self.received.find(b"\r\n\r\n", self._parsed)) < 0:
            if not self.more():
                return None
        head = bytes(self.received[self._parsed:end + 4])
        self._parsed = end + 4
        match, fields = parse_head(head, REQUEST_LINE)
        request = Request(match[1].decode(), match[2].decode("latin-1"), match[3].decode(), fields,
                          head, connection=self)
        self.requests.append(request)
        return request

    def read_body(self, request):
        if "chunked" in request.all("Transfer-Encoding"):
            body = self._read_chunks()
        else:
            body = self.read_exactly(int((request.all("Content-Length") or ["0"])[0]))
        request.body = body
        return body

    def read_exactly(self, count):
        while len(self.received) - self._parsed < count:
            if not self.more():
                break
        body = bytes(self.received[self._parsed:self._parsed + count])
        self._parsed += len(body)
        return body

    def _read_chunks(self):
        body = bytearray()
        while True:
            while (end := self.received.find(b"\r\n", self._parsed)) < 0:
                if not self.more():
                    return bytes(body)
            line = bytes(self.received[self._parsed:end])
            if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line):
                raise ValueError(f"the origin got a malformed chunk size line {line!r}")
            size, self._parsed = int(line, 16), end + 2
            body += self.read_exactly(size)
            if self.read_exactly(2) != b"\r\n":
                return bytes(body)
            if size == 0:
                return bytes(body)

    def send(self, *parts):
        """Sends bytes; a number is a pause in seconds. A peer that went away ends it quietly."""
        self.socket.settimeout(20.0)
        try:
            for part in parts:
                if isinstance(part, (int, float)):
                    time.sleep(part)
                else:
                    view = memoryview(part)
                    while view:
                        count = self.socket.send(view)
                        self.sent += count
                        view = view[count:]
        except OSError:
            self.ended = self.ended or "reset"
            return False
        return True

    def close(self):
        self.ended = self.ended or "closed"
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def reset(self):
        self.ended = self.ended or "closed"
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Origin:
    """Answers by script: a path's script is bytes (sent for each request), or a function of
    (connection, request) that sends what it likes and returns False to end the connection.
    A script for "*" serves every other path; serve=… replaces everything after accept."""

    def __init__(self, scripts=None, *, host="127.0.0.1", port=0, serve=None, backlog=512,
                 receive_buffer=None, tls=None):
        self.tls = tls  # an SSLContext
        self.scripts = {"*": reply()} | (scripts or {})
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind((host, port))
        self.socket.listen(backlog)
        self.host, self.port = self.socket.getsockname()[:2]
        self.connections = []
        self.errors = []
        self._serve = serve or self._serve_scripts
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    @property
    def requests(self):
        return [request for connection in list(self.connections) for request in connection.requests]

    @property
    def received(self):
        return sum(len(connection.received) for connection in list(self.connections))

    def on(self, path, script):
        self.scripts[path] = script
        return self

    def forget(self):
        """Lets go of what ended connections received."""
        self.connections = [connection for connection in self.connections if not connection.ended]

    def requests_for(self, path):
        return [request for request in self.requests if request.target.split("?")[0] == path]

    def _accept(self):
        while self._open:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, len(self.connections))
            self.connections.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        try:
            if self.tls:
                connection.socket = self.tls.wrap_socket(connection.socket, server_side=True)
            self._serve(connection)
        except OSError as error:  # also what ssl has to say
            connection.error = error
        except Exception as error:  # told to the test, which fails by it
            self.errors.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def _serve_scripts(self, connection):
        while request := connection.read_head():
            script = self.scripts.get(request.target.split("?")[0], self.scripts["*"])
            if callable(script):
                if script(connection, request) is False:
                    return
            else:
                connection.read_body(request)
                if not connection.send(script):
                    return

    def close(self):
        self._open = False
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        for connection in list(self.connections):
            connection.close()
