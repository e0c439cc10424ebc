"""A writer of MaxMind databases of countries (https://maxmind.github.io/MaxMind-DB/), for tests: small, complete, and able to
write what is wrong.

    python3 tests/mmdb.py FILE [--v4] [--bits 24|28|32] [--broken HOW] [--shallow CODE] NETWORK=CODE …
"""
import ipaddress
import sys

MARKER = b"\xab\xcd\xefMaxMind.com"
ALIASES = ("::ffff:0:0/96", "2002::/16")


def number(value, kind):
    """kind: 5, 6 or 9, numbers of 16, 32 or 64 bits."""
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return (bytes([kind << 5 | len(raw)]) if kind < 8 else bytes([len(raw), kind - 7])) + raw


def encode(value):
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        raw = value.encode()
        assert len(raw) < 29
        return bytes([2 << 5 | len(raw)]) + raw
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(encode, value))
    return bytes([7 << 5 | len(value)]) + b"".join(encode(key) + encode(item) for key, item in value.items())


class Tree:
    """Nodes are pairs; None is nothing, a string a country, a number another node."""

    def __init__(self, ip_version):
        self.ip_version = ip_version
        self.nodes = [[None, None]]

    def bits(self, network):
        network = ipaddress.ip_network(network)
        if self.ip_version == 6 and network.version == 4:
            return format(int(network.network_address), "0128b")[:96 + network.prefixlen]
        width = 128 if self.ip_version == 6 else 32
        return format(int(network.network_address), f"0{width}b")[:network.prefixlen]

    def node_at(self, bits):
        at = 0
        for bit in map(int, bits):
            if not isinstance(self.nodes[at][bit], int):
                was = self.nodes[at][bit]
                self.nodes.append([was, was])
                self.nodes[at][bit] = len(self.nodes) - 1
            at = self.nodes[at][bit]
        return at

    def set(self, network, what):
        bits = self.bits(network)
        self.nodes[self.node_at(bits[:-1])][int(bits[-1])] = what

    def alias(self):
        v4 = self.node_at("0" * 96)
        for network in ALIASES:
            self.set(network, v4)


def pair(left, right, bits):
    if bits == 28:
        return (left & 0xffffff).to_bytes(3, "big") + bytes([left >> 24 << 4 | right >> 24]) + (right & 0xffffff).to_bytes(3, "big")
    return left.to_bytes(bits // 8, "big") + right.to_bytes(bits // 8, "big")


def database(networks, ip_version=6, bits=24, broken=None, shallow=None):
    """networks: (network, country's code or None) pairs, later ones win."""
    tree = Tree(ip_version)
    for network, code in networks:
        tree.set(network, code)
    if shallow:
        tree.nodes = [[shallow, None]]
    elif ip_version == 6:
        tree.alias()
    if broken == "circle":
        tree.nodes[1][1] = 1
    data, offsets = b"", {}
    for code in sorted({record for node in tree.nodes for record in node if isinstance(record, str)}):
        offsets[code] = len(data)
        country = {"geoname_id": number(7, 6)} if code == "--" else {"iso_code": code, "names": {"en": "Country"}}
        data += encode({"country": country} if code != "~~" else {"continent": {"code": "EU"}})
    count = len(tree.nodes)

    def record(what):
        if what is None:
            return count
        return what if isinstance(what, int) else count + 16 + offsets[what]

    body = b"".join(pair(record(left), record(right), bits) for left, right in tree.nodes)
    if broken == "pointer":
        body = pair(count + 16 + len(data) + 999, count, bits) + body[bits // 4:]
    metadata = {"node_count": number(count, 6), "record_size": number(bits, 5), "ip_version": number(ip_version, 5), "database_type": "Test-Country",
                "languages": ["en"], "binary_format_major_version": number(2, 5),
                "binary_format_minor_version": number(0, 5), "build_epoch": number(1700000000, 9), "description": {"en": "test"}}
    return body + bytes(16) + data + MARKER + encode(metadata)


def main(arguments):
    path, options, networks = arguments[0], {}, []
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "--v4":
            options["ip_version"] = 4
        elif argument == "--bits":
            options["bits"] = int(next(rest))
        elif argument in ("--broken", "--shallow"):
            options[argument[2:]] = next(rest)
        else:
            network, _, code = argument.partition("=")
            networks.append((network, code or None))
    with open(path, "wb") as file:
        file.write(database(networks, **options))


if __name__ == "__main__":
    main(sys.argv[1:])
