"""Servers with a gate, and what asks them: curl, and clients that write every byte themselves."""

import itertools
import os
import subprocess

from .server import free_port, own_address
from .wire import Client

_hosts = itertools.count(1)


def other_address():
    """A loopback address that no other test of this process uses: another host."""
    pid, n = os.getpid(), next(_hosts)
    return f"127.{192 + (pid >> 8) % 32}.{pid % 256}.{n % 250 + 1}"


class Gate:
    """A server whose gate is at .address. allow: whole entries of egress.allow."""

    def __init__(self, t, allow=(), *, settings=None, shared=False, **egress):
        self.address = (own_address(), free_port())
        section = {"proxy": f"{self.address[0]}:{self.address[1]}", "origins": ["127.0.0.1"], "kernel": "off",
                   "allow": list(allow), **egress}
        self.egress = section
        self.server = t.fresh_server({**(settings or {}), "egress": section})
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
