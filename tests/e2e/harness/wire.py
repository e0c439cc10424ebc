"""A client that writes exactly the bytes it is told, and a strict reader of responses."""

import dataclasses
import re
import socket
import struct
import time

from . import pace
from .check import Failure, at_this_pace

PATIENCE = 5.0

STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)\Z")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*\Z")


@dataclasses.dataclass
class Response:
    version: str
    status: int
    phrase: str
    fields: list[tuple[str, str]]
    head: bytes
    body: bytes = b""
    complete: bool = False
    framing: str = "none"
    interim: list["Response"] = dataclasses.field(default_factory=list)

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def field(self, name):
        values = self.all(name)
        if len(values) > 1:
            raise Failure(f"the response has {len(values)} fields {name}: {values}")
        return values[0] if values else None


def parse_head(head, start):
    """Splits a head as strictly as RFC 9112 lets us: start line (a match of `start`) and fields."""
    lines = head[:-4].split(b"\r\n")
    match = start.match(lines[0])
    if not match:
        raise Failure(f"malformed start line: {lines[0]!r}")
    fields = []
    for line in lines[1:]:
        field = FIELD_LINE.match(line)
        if not field:
            raise Failure(f"malformed field line: {line!r} in {head!r}")
        fields.append((field[1].decode("latin-1"), field[2].decode("latin-1")))
    return match, fields


class Client:
    """One connection to the server. Bytes that came and were not yet asked for wait in .pending."""

    def __init__(self, address, *, source=None, receive_buffer=None, patience=PATIENCE):
        family = socket.AF_UNIX if isinstance(address, str) else (
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            self.socket.bind((source, 0))  # of either family
        self.patience = patience
        self.socket.settimeout(patience * pace.stretch())
        self.socket.connect(address)
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""
        self.ended = None  # "eof" or "reset" once the server ended the connection

    def send(self, *parts):
        """Sends bytes as they stand; a number is a pause in seconds between segments."""
        for part in parts:
            if isinstance(part, (int, float)):
                time.sleep(part)
            else:
                self.socket.settimeout(self.patience * pace.stretch())
                self.socket.sendall(part)
        return self

    def send_slowly(self, data, *, segment=1, pause=0.0):
        for at in range(0, len(data), segment):
            self.send(data[at:at + segment], pause)
        return self

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    def receive(self, seconds=None):
        """The bytes that come next (b"" at the end; see .ended). Fails where nothing comes."""
        if self.pending:
            data, self.pending = self.pending, b""
            return data
        data = self._more(seconds)
        return data

    def _more(self, seconds=None):
        if self.ended:
            return b""
        seconds = self.patience if seconds is None else seconds
        self.socket.settimeout(seconds * pace.stretch())
        try:
            data = self.socket.recv(1 << 16)
        except (TimeoutError, BlockingIOError):
            raise Failure(f"nothing came within {seconds} s{at_this_pace()}; "
                          f"before that: {self.pending[-300:]!r}") from None
        except ConnectionError:
            self.ended = "reset"
            return b""
        if not data:
            self.ended = "eof"
        return data

    def read_all(self, seconds=None):
        """Everything until the server ends the connection."""
        data = bytearray()
        while True:
            part = self.receive(seconds)
            if not part:
                return bytes(data)
            data += part

    def quiet(self, seconds):
        """True where nothing comes for so long, not even the end."""
        if self.pending or self.ended:
            return False
        self.socket.settimeout(seconds)
        try:
            self.pending = self.socket.recv(1 << 16)
            if not self.pending:
                self.ended = "eof"
        except TimeoutError:
            return True
        except ConnectionError:
            self.ended = "reset"
        return False

    def _fill(self):
        data = self._more()
        self.pending += data
        return bool(data)

    def _take(self, count):
        data, self.pending = self.pending[:count], self.pending[count:]
        return data

    def _line(self):
        while b"\r\n" not in self.pending:
            if not self._fill():
                return None
        return self._take(self.pending.index(b"\r\n") + 2)[:-2]

    def read_head(self):
        """One response head, interim or final, without its content."""
        while b"\r\n\r\n" not in self.pending:
            if not self._fill():
                raise Failure(f"the connection ended ({self.ended}) before a whole response head: "
                              f"{self.pending!r}")
        head = self._take(self.pending.index(b"\r\n\r\n") + 4)
        match, fields = parse_head(head, STATUS_LINE)
        return Response(match[1].decode(), int(match[2]), match[3].decode("latin-1"), fields, head)

    def read_response(self, method="GET"):
        """The next final response with its content; .complete is False where the connection ended first."""
        interim = []
        while True:
            response = self.read_head()
            if response.status >= 200 or response.status == 101:
                break
            interim.append(response)
        response.interim = interim
        self._read_content(response, method)
        return response

    def _read_content(self, response, method):
        length, coding = response.field("Content-Length"), response.field("Transfer-Encoding")
        if length is not None and coding is not None:
            raise Failure(f"a response with two framings: {response.head!r}")
        if method == "HEAD" or response.status in (101, 204, 304):
            response.complete = True
        elif coding is not None:
            if coding != "chunked":
                raise Failure(f"Transfer-Encoding: {coding!r}")
            response.framing = "chunked"
            self._read_chunks(response)
        elif length is not None:
            response.framing = "length"
            self._read_length(response, int(length))
        else:
            response.framing = "close"
            response.body = self.read_all()
            response.complete = self.ended == "eof"

    def _read_length(self, response, length):
        while len(self.pending) < length:
            if not self._fill():
                response.body = self._take(length)
                return
        response.body = self._take(length)
        response.complete = True

    def _read_chunks(self, response):
        body = bytearray()
        while True:
            line = self._line()
            if line is None:
                response.body = bytes(body)
                return
            if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line):
                raise Failure(f"malformed chunk size line {line!r}")
            size = int(line, 16)
            while len(self.pending) < size + 2:
                if not self._fill():
                    response.body = bytes(body) + self._take(size)
                    return
            body += self._take(size)
            if self._take(2) != b"\r\n":
                raise Failure("a chunk does not end in CRLF")
            if size == 0:
                response.body, response.complete = bytes(body), True
                return

    def get(self, target="/", *, host="site.example", method="GET", fields=(), body=b"",
            version="1.1"):
        """A well-formed request, and its response."""
        self.send(request(target, host=host, method=method, fields=fields, body=body,
                          version=version))
        return self.read_response(method)


def request(target="/", *, host="site.example", method="GET", fields=(), body=b"", version="1.1"):
    """The bytes of a well-formed request."""
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in fields]
    named = {name.lower() for name, _ in fields}
    if body and not named & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
