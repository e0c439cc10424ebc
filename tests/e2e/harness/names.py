"""A DNS server, where the machine's resolver would be: in the gateway, at the address that /etc/resolv.conf has. And a
client, since what an infected origin asks for is not what a library would send."""

import ipaddress
import pathlib
import re
import socket
import struct
import threading

A, AAAA, TXT = 1, 28, 16
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def question(name, kind=A, number=0x1234, flags=0x0100, more=b"", counts=(1, 0, 0, 0)):
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b"."))
    return struct.pack(">6H", number, flags, *counts) + labels + b"\0" + struct.pack(">2H", kind, 1) + more


def read_name(message, at):
    labels = []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels), at + 1


class Answer:
    """What came: code, and the addresses; names in it are one pointer to the question, as sallyport writes them."""

    def __init__(self, message, asked):
        self.number, flags, questions, count, _, self.additional = struct.unpack(">6H", message[:12])
        self.code = flags & 15
        name, at = read_name(message, 12)
        self.repeats_question = questions == 1 and message[12:at + 4] == asked[12:at + 4]
        self.addresses, at = [], at + 4
        for _ in range(count):
            _, kind, _, self.ttl, length = struct.unpack(">HHHIH", message[at:at + 12])
            data, at = message[at + 12:at + 12 + length], at + 12 + length
            self.addresses.append(str(ipaddress.ip_address(data)) if kind in (A, AAAA) else data)


def ask(server, name, kind=A, *, tcp=False, patience=3.0, message=None):
    """server: (address, port). None: nothing came."""
    message = message or question(name, kind)
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience)
        sock.connect(server)
        try:
            if not tcp:
                sock.send(message)
                return Answer(sock.recv(4096), message)
            sock.sendall(struct.pack(">H", len(message)) + message)
            return Answer(read_message(sock), message)
        except (TimeoutError, ConnectionError, EOFError):
            return None


def read_message(sock):
    length = struct.unpack(">H", exactly(sock, 2))[0]
    return exactly(sock, length)


def exactly(sock, count):
    got = b""
    while len(got) < count:
        piece = sock.recv(count - len(got))
        if not piece:
            raise EOFError
        got += piece
    return got


class Names:
    """The server. names: name to addresses; "*.example" to those of every name below. .asked has what it was asked for."""

    def __init__(self, network, names):
        self.names, self.asked, self.silent = names, [], False
        address = re.search(r"^nameserver\s+(\S+)", pathlib.Path("/etc/resolv.conf").read_text(), re.M)
        self.address = address[1] if address else "127.0.0.1"
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        if not ipaddress.ip_address(self.address).is_loopback:
            network.gateway.ip(f"addr add {self.address}/{128 if family == socket.AF_INET6 else 32} dev lo\n")
        with network.gateway.inside():
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            self._socket.bind((self.address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _find(self, name):
        for known in (name, "*." + name.partition(".")[2]):
            if known in self.names:
                return self.names[known]
        return None

    def _serve(self):
        while True:
            try:
                message, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if not message:  # the end
                return
            name, end = read_name(message, 12)
            name = name.lower()
            kind = struct.unpack(">H", message[end:end + 2])[0]
            self.asked.append(name)
            if not self.silent:
                self._socket.sendto(self._answer(message, end + 4, kind, self._find(name)), peer)

    def _answer(self, message, end, kind, addresses):
        found = [ipaddress.ip_address(each).packed for each in addresses or ()
                 if (":" in each) == (kind == AAAA)] if kind in (A, AAAA) else []
        code = NOERROR if addresses is not None else NXDOMAIN
        head = message[:2] + struct.pack(">5H", 0x8180 | code, 1, len(found), 0, 0)
        return head + message[12:end] + b"".join(
            struct.pack(">3HIH", 0xc00c, kind, 1, 60, len(data)) + data for data in found)

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
