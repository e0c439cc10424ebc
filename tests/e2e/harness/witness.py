"""What reached the world, counted by the world's own kernel: exact at any rate, and nothing of sallyport's."""

import dataclasses
import ipaddress
import re

from .namespaces import ANSWERING4, ANSWERING6, SILENT4, SILENT6, VISITORS4, VISITORS6

# `seen` has each address when it was met first, `last` counts and has when it was met last: how long ago is
# what its timeout still lacks. Before conntrack (-200) and routing, so addresses without anybody count too.
RULES = f"""table inet witness {{
	set seen4 {{ type ipv4_addr . ipv4_addr . inet_proto; flags dynamic,timeout; timeout 1h; size 500000; }}
	set last4 {{ type ipv4_addr . ipv4_addr . inet_proto; flags dynamic,timeout; timeout 1h; size 500000; counter; }}
	set seen6 {{ type ipv6_addr . ipv6_addr . inet_proto; flags dynamic,timeout; timeout 1h; size 500000; }}
	set last6 {{ type ipv6_addr . ipv6_addr . inet_proto; flags dynamic,timeout; timeout 1h; size 500000; counter; }}
	counter arrived {{ }}
	chain arriving {{
		type filter hook prerouting priority -300;
		iifname eth0 ip daddr {{ {ANSWERING4}.0.0/16, {SILENT4}.0.0/16 }} jump count4
		iifname eth0 ip6 daddr {{ {ANSWERING6}:/64, {SILENT6}:/64 }} jump count6
	}}
	chain count4 {{
		ip daddr {VISITORS4}.0/24 return
		counter name arrived
		add @seen4 {{ ip saddr . ip daddr . meta l4proto }}
		update @last4 {{ ip saddr . ip daddr . meta l4proto }}
	}}
	chain count6 {{
		ip6 daddr {VISITORS6}:0/112 return
		counter name arrived
		add @seen6 {{ ip6 saddr . ip6 daddr . meta l4proto }}
		update @last6 {{ ip6 saddr . ip6 daddr . meta l4proto }}
	}}
}}
"""

ELEMENT = re.compile(r"([0-9a-f.:]+) \. ([0-9a-f.:]+) \. ([\w-]+|\d+)(?: counter packets (\d+) bytes (\d+))?"
                     r"(?: timeout \w+)? expires (\w+)")
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
HOUR = 3600.0


@dataclasses.dataclass(frozen=True)
class Met:
    """Packets of one protocol from one address to one other."""
    source: str
    target: str
    protocol: str
    packets: int
    bytes: int
    first: float  # seconds ago
    last: float


class Sum:
    """Of some of what was met."""

    def __init__(self, met):
        self.met = list(met)
        self.hosts = len({each.target for each in self.met})
        self.sources = {each.source for each in self.met}
        self.packets = sum(each.packets for each in self.met)
        self.bytes = sum(each.bytes for each in self.met)
        first = max((each.first for each in self.met), default=0.0)
        #: seconds from the first packet to the last
        self.seconds = first - min((each.last for each in self.met), default=first)

    def __str__(self):
        return f"{self.hosts} hosts, {self.packets} packets, {self.bytes / 1e6:.3f} MB in {self.seconds:.3f} s"


class Witness:
    def __init__(self, world):
        self._world = world
        world.run("nft", "-f", "-", stdin=RULES)

    def forget(self):
        self._world.run("nft", "-f", "-", stdin="".join(f"flush set inet witness {name}\n" for name in
                                                        ("seen4", "last4", "seen6", "last6")) +
                        "reset counter inet witness arrived\n")

    def packets(self):
        """All so far: quick, for polling."""
        return int(re.search(r"packets (\d+)", self._world.run("nft", "list", "counter", "inet", "witness", "arrived"))[1])

    def met(self, *, source=None, protocol=None, but=()):
        """What came, from one source, of one protocol, and not to the targets `but`: listed ones."""
        found = [each for each in self._read()
                 if (source is None or each.source in _texts(source)) and
                 (protocol is None or each.protocol == protocol) and each.target not in _texts(but)]
        return Sum(found)

    def _read(self):
        text = self._world.run("nft", "list", "table", "inet", "witness", seconds=60.0)
        seen, last = {}, {}
        for source, target, protocol, packets, size, expires in ELEMENT.findall(text):
            ago = HOUR - sum(float(value) * UNITS[unit] for value, unit in re.findall(r"(\d+)(h|ms|m|s)", expires))
            if packets:
                last[source, target, protocol] = int(packets), int(size), ago
            else:
                seen[source, target, protocol] = ago
        return [Met(*key, packets, size, max(seen.get(key, ago), ago), ago)
                for key, (packets, size, ago) in last.items()]


def _texts(addresses):
    """As nft writes them."""
    return {str(ipaddress.ip_address(each)) for each in ([addresses] if isinstance(addresses, str) else addresses)}
