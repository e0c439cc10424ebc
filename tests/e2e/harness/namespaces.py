"""Networks of our own, to attack in: an infected origin and a clean neighbour behind a gateway, and a world
of thousands of addresses beyond it. Each machine is a network namespace of the kernel, IPv4 and IPv6.

    origin 10.11.0.2 ── lan0 ┐                        separate: each on an interface of its own
                             ├ gateway 10.99.0.1 ── wan ── world
    neighbour 10.12.0.2 ─ lan1 ┘                      bridged: both on one Ethernet, 10.11.0.2 and 10.11.0.3

A namespace has no name and no process: an open file is all that keeps it, so nothing is left behind, however a
test ends. It is made with iproute2 and nothing else.

What is created inside a namespace stays there: a socket, a process, a thread.

    with network.world.inside():
        site = Origin(host="::", port=80)     # answers on every address of the world
    with network.origin.inside():
        client = Client(("45.0.0.1", 80))"""

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess

from .check import Failure, Skip, eventually
from .server import die_with_parent

CLONE_NEWNET = 0x40000000

# In no registry of special purposes, so a policy takes them for the internet.
ANSWERING4, ANSWERING6 = "45.0", "2a00:1:"  # every address answers: TCP by listeners, ICMP by the kernel
SILENT4, SILENT6 = "45.1", "2a00:2:"        # nobody is there
VISITORS4, VISITORS6 = "45.0.255", "2a00:1::ff"

_libc = ctypes.CDLL(None, use_errno=True)


def answering(number, family=4):
    """An address of the world at which somebody is; numbers from 0 to 65,023."""
    return _address(ANSWERING4, ANSWERING6, number, family)


def silent(number, family=4):
    return _address(SILENT4, SILENT6, number, family)


def visitor(number, family=4):
    """An address from which people ask for the site; none that anybody scans."""
    return f"{VISITORS4}.{number + 1}" if family == 4 else f"{VISITORS6}:{number + 1:x}"


def _address(prefix4, prefix6, number, family):
    low = number + 1
    return f"{prefix4}.{low >> 8}.{low & 255}" if family == 4 else f"{prefix6}:{low:x}"


class Namespace:
    def __init__(self, name):
        self.name = name
        self._fd = _new_namespace()
        self.path = f"/proc/{os.getpid()}/fd/{self._fd}"
        self._processes = []
        self.mac = None

    @contextlib.contextmanager
    def inside(self):
        """This thread is in the namespace for a while."""
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            self.enter()
            yield self
        finally:
            _setns(outside)
            os.close(outside)

    def enter(self):
        _setns(self._fd)

    def ip(self, commands):
        """Lines of `ip -batch`."""
        self.run("ip", "-batch", "-", stdin=commands)

    def run(self, *command, stdin="", seconds=20.0, check=True):
        """Runs a program to its end; gives what it wrote."""
        with self.inside():
            done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds)
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(map(str, command))} in {self.name}: {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def start(self, *command, **options):
        """Starts a program that ends with the network."""
        with self.inside():
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent,
                                       **options)
        self._processes.append(process)
        return process

    def until_up(self):
        """Returns when every interface carries. A new one loses what is sent, for tenths of a second on a busy
        machine, until the kernel has come to attach its queue, which it then tells as this state."""
        shown = ("ip", "-brief", "link", "show", "up")
        eventually(lambda: all(line.split()[1] in ("UP", "UNKNOWN") for line in self.run(*shown).splitlines()),
                   lambda: f"the interfaces of {self.name} carry: {self.run(*shown)}", 10.0)

    def set(self, values):
        """Settings of the kernel by their paths below /proc/sys/net."""
        with self.inside():
            for path, value in values.items():
                pathlib.Path("/proc/sys/net", path).write_text(f"{value}\n")

    def close(self):
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        os.close(self._fd)


def _new_namespace():
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if _libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare")
        try:
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        finally:
            _setns(outside)
    finally:
        os.close(outside)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "setns")


class Network:
    """The four machines. Made by network()."""

    def __init__(self, bridged=False):
        self.bridged = bridged
        self._made = []
        try:
            self.world, self.gateway = self._namespace("world"), self._namespace("gateway")
            self.origin, self.neighbour = self._namespace("origin"), self._namespace("neighbour")
            for machine in self._made:
                _make_quiet(machine)
            self._connect()
        except BaseException:
            self.close()
            raise

    def _namespace(self, name):
        made = Namespace(name)
        self._made.append(made)
        return made

    def address(self, machine, family=4):
        """The origin's or the neighbour's, or the one by which the world knows the gateway."""
        if machine is self.gateway:
            return "10.99.0.1" if family == 4 else "fd99::1"
        return self._lan(machine)[0 if family == 4 else 1]

    def inner(self, machine, family=4):
        """The gateway's address on that machine's network."""
        v4, v6 = self._lan(machine)[:2]
        return (v4.rpartition(".")[0] + ".1") if family == 4 else (v6.rpartition(":")[0] + ":1")

    def interface(self, machine):
        """The gateway's interface that machine hangs on; a port of the bridge where there is one."""
        return self._lan(machine)[2]

    def _lan(self, machine):
        second = machine is self.neighbour
        if self.bridged:
            return ("10.11.0.3", "fd11::3", "lan1") if second else ("10.11.0.2", "fd11::2", "lan0")
        return ("10.12.0.2", "fd12::2", "lan1") if second else ("10.11.0.2", "fd11::2", "lan0")

    def _connect(self):
        gateway = self.gateway
        gateway.ip(f"link add wan type veth peer name eth0 netns {self.world.path}\n"
                   f"link add lan0 type veth peer name eth0 netns {self.origin.path}\n"
                   f"link add lan1 type veth peer name eth0 netns {self.neighbour.path}\n")
        gateway.set({"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1})
        self._number_gateway()
        for machine in (self.origin, self.neighbour):
            self._number(machine)
        self._number_world()
        for machine in self._made:
            machine.until_up()

    def _number_gateway(self):
        networks, lines = {"lan0": "11", "lan1": "12"}, []
        if self.bridged:
            networks = {"br0": "11"}
            lines += ["link add br0 type bridge", "link set lan0 master br0", "link set lan1 master br0"]
        lines += [f"link set {name} up" for name in {"wan", "lan0", "lan1", *networks}]
        lines += ["addr add 10.99.0.1/24 dev wan", "addr add fd99::1/64 dev wan nodad"]
        for name, number in networks.items():
            lines += [f"addr add 10.{number}.0.1/24 dev {name}", f"addr add fd{number}::1/64 dev {name} nodad"]
        lines += ["route add default via 10.99.0.2", "route add default via fd99::2"]
        self.gateway.ip("\n".join(lines) + "\n")

    def _number(self, machine):
        v4, v6, _ = self._lan(machine)
        # One packet a segment, so that counters of packets tell what a wire would.
        machine.ip(f"link set eth0 gso_max_segs 1\nlink set eth0 up\n"
                   f"addr add {v4}/24 dev eth0\naddr add {v6}/64 dev eth0 nodad\n"
                   f"route add default via {self.inner(machine)}\nroute add default via {self.inner(machine, 6)}\n")
        machine.mac = _mac(machine)

    def _number_world(self):
        self.world.ip("link set eth0 up\naddr add 10.99.0.2/24 dev eth0\naddr add fd99::2/64 dev eth0 nodad\n"
                      "route add 10.0.0.0/8 via 10.99.0.1\nroute add fd00::/8 via fd99::1\n"
                      f"route add local {ANSWERING4}.0.0/16 dev lo\nroute add local {ANSWERING6}:/64 dev lo\n"
                      f"route add blackhole {SILENT4}.0.0/16\nroute add blackhole {SILENT6}:/64\n")
        self.world.set({"ipv6/ip_nonlocal_bind": 1})

    def gateway_mac(self, machine):
        """Whom that machine sends to what is for the world."""
        name = "br0" if self.bridged else self.interface(machine)
        return _mac(self.gateway, name)

    def close(self):
        for machine in reversed(self._made):
            machine.close()
        self._made = []


def _make_quiet(machine):
    """A loopback, no waiting for addresses, and no filter of the kernel that could be taken for sallyport's work."""
    machine.set({"ipv6/conf/all/accept_dad": 0, "ipv6/conf/default/accept_dad": 0,
                   "ipv4/conf/all/rp_filter": 0, "ipv4/conf/default/rp_filter": 0,
                   "ipv4/icmp_ratelimit": 0, "ipv6/icmp/ratelimit": 0})
    machine.ip("link set lo up\n")


def _mac(machine, name="eth0"):
    return machine.run("ip", "-brief", "link", "show", "dev", name).split()[2]


def network(t, bridged=False):
    """A network that ends with the test, which is skipped where this machine lets us have none."""
    try:
        made = Network(bridged)
    except FileNotFoundError as error:
        t.skip(f"needs iproute2 and nftables: {error}")
    except PermissionError as error:
        t.skip(f"needs the right to make network namespaces: {error}")
    except Failure as error:
        if not any(words in str(error) for words in ("not supported", "Unknown device type", "not permitted")):
            raise
        t.skip(f"this kernel cannot have such a network: {error}")
    t.later(made.close)
    return made


def lonely(t):
    """A namespace in which every address of the world is its own. The test is in it from here on, to its end."""
    try:
        made = Namespace("world")
    except PermissionError as error:
        t.skip(f"needs the right to make network namespaces: {error}")
    t.later(made.close)
    inside = made.inside()
    inside.__enter__()
    t.later(lambda: inside.__exit__(None, None, None))
    made.ip("link set lo up\n"
            f"route add local {ANSWERING4}.0.0/16 dev lo\nroute add local {ANSWERING6}:/64 dev lo\n"
            f"route add blackhole {SILENT4}.0.0/16\n")
    made.set({"ipv6/ip_nonlocal_bind": 1})
    return made


__all__ = ["Namespace", "Network", "Skip", "answering", "lonely", "network", "silent", "visitor"]
