"""sallyport as the only way out: in the gateway of a network (namespaces.py), with its origin as a site behind it
and its world before it."""

import os
import pathlib
import shutil
import struct
import threading
import time

from . import attacks, namespaces, policy
from .check import check, eventually
from .names import Names
from .origin import Origin, reply
from .server import installed
from .wire import Client
from .witness import Witness

NOBODY = 65534
CAP_NET_ADMIN = 12
SITE = b"<html><title>Town library</title><h1>Welcome</h1></html>\n"
OPEN_PORT, FLOOD_PORT = 8080, 8000  # none of egress.strict_ports
LISTED4, LISTED6 = namespaces.answering(64000), namespaces.answering(64000, 6)
LISTED = (LISTED4, LISTED6)


class Place:
    """Everything an attack needs to be honest, and to be measured: a world that answers, a site on the
    infected machine, visitors of it, a neighbour at work, and the witness. Without a server the gateway
    is a plain router."""

    def __init__(self, t, bridged=False):
        self.t = t
        self.network = namespaces.network(t, bridged)
        self.witness = Witness(self.network.world)
        self.server = None
        with self.network.world.inside():
            self.world_site = self._origin(80)  # a port of egress.strict_ports
            self.open_site = self._origin(OPEN_PORT)
        with self.network.origin.inside():
            self.site = self._origin(80)
            self.site.on("*", reply(SITE))

    def _origin(self, port):
        made = Origin(host="::", port=port, backlog=4096)
        self.t.later(made.close)
        return made

    def sink(self, port=FLOOD_PORT):
        """At every address of the world somebody takes what is sent to that port."""
        with self.network.world.inside():
            sink = attacks.Sink(port)
        self.t.later(sink.close)
        return sink

    def names(self, names):
        """What sallyport's resolver answers from; to be called before guard()."""
        server = Names(self.network, names)
        self.t.later(server.close)
        return server

    # ---- sallyport

    def guard(self, egress=None, settings=None, *, as_user=False):
        """Starts it. egress is laid over what has a gate, a kernel leg, both machines, and LISTED allowed."""
        network = self.network
        base = {"proxy": f"{network.inner(network.origin)}:3128", "kernel": "required",
                "origins": [self._both(network.origin), self._both(network.neighbour)],
                "allow": [f"{LISTED4}:80", f"[{LISTED6}]:80"]}
        settings = {"listen": [{"address": "10.99.0.1:80"}, {"address": "[fd99::1]:80"}],
                    "egress": policy.merge(base, egress or {}), "default_site": "site"} | (settings or {})
        server = self.t.fresh_server(settings, origins=[f"http://{network.address(network.origin)}:80"],
                                     start=False, user=NOBODY if as_user else None)
        if as_user:
            _grant(server.binary, CAP_NET_ADMIN)
            network.gateway.set({"ipv4/ip_unprivileged_port_start": 0})
        server.address = ("10.99.0.1", 80)
        with network.gateway.inside():
            server.start()
        if settings["egress"] and settings["egress"]["kernel"] != "off":
            eventually(self.rules, lambda: f"the kernel leg's rules stand\n{server.errors()}", 5.0, 0.02)
        self.server = server
        return server

    def rules(self):
        """The kernel leg's table as text; "" where there is none."""
        return self.network.gateway.run("nft", "list", "table", "inet", "sallyport", check=False)

    def _both(self, machine):
        return f"{self.network.address(machine)} {self.network.address(machine, 6)}"

    # ---- what goes on meanwhile

    def visit(self, family=4, number=0):
        """A visitor asks for the site through sallyport's front."""
        with self.network.world.inside():
            client = Client((self.network.address(self.network.gateway, family), 80),
                            source=namespaces.visitor(number, family))
        return _ask(client, "site.example")

    def reach(self, machine, target, port=80):
        """The machine asks somebody in the world, directly."""
        with machine.inside():
            client = Client((target, port))
        return _ask(client, target if ":" not in target else f"[{target}]")

    # ---- attacks

    def attack(self, work, attacker=None, seconds=30.0):
        return attacks.elsewhere(attacker or self.network.origin, work, seconds)

    def packets(self, target, protocol, *, attacker=None, **options):
        return attacks.packets(self.network, attacker or self.network.origin, target, protocol, **options)

    def escaped(self, family=4, source=None, **options):
        """What of the infected machine reached the world, but what it may reach."""
        source = source or self.network.address(self.network.origin, family)
        return self.witness.met(source=source, but=LISTED, **options)


def _ask(client, host):
    try:
        return client.get("/", host=host, fields=[("Connection", "close")])
    finally:
        client.close()


def _grant(binary, capability):
    """A file capability, permitted only (linux/capability.h, revision 2)."""
    shutil.chown(binary, 0, 0)
    os.setxattr(binary, "security.capability", struct.pack("<5I", 0x02000000, 1 << capability, 0, 0, 0))


class Meanwhile:
    """Does something again and again while an attack goes on, and counts: `with Meanwhile(ask) as work`."""

    def __init__(self, ask, pause=0.02):
        self._ask, self._pause = ask, pause
        self.seconds, self.failures = [], []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(20.0)

    def _run(self):
        while not self._over.wait(self._pause):
            began = time.monotonic()
            try:
                response = self._ask()
                if response.status != 200:
                    self.failures.append(f"status {response.status}: {response.body[:200]!r}")
            except Exception as error:  # whatever it is, it is a failure of this
                self.failures.append(f"{type(error).__name__}: {error}")
            self.seconds.append(time.monotonic() - began)

    @property
    def p95(self):
        return sorted(self.seconds)[int(len(self.seconds) * 0.95)] if self.seconds else 0.0

    def unhurt(self, what, least=5):
        check(len(self.seconds) >= least, f"{what}: only {len(self.seconds)} were tried")
        check(not self.failures, f"{what}: {len(self.failures)} of {len(self.seconds)} failed: {self.failures[:3]}")
