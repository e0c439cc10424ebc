"""PROXY headers, written as a balancer would, and read as an origin would."""

import ipaddress
import re
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source="192.0.2.7", port=56324, *, destination=None):
    family = 6 if ":" in source else 4
    destination = destination or ("2001:db8::1" if family == 6 else "198.51.100.1")
    return f"PROXY TCP{family} {source} {destination} {port} 443\r\n".encode()


def v2(source="192.0.2.7", port=56324, *, command=0x21, family=None, tlvs=b"", length=None):
    """command 0x20 (LOCAL) has no addresses."""
    if command == 0x20:
        block, family = tlvs, family or 0
    else:
        address = ipaddress.ip_address(source)
        other = ipaddress.ip_address("198.51.100.1" if address.version == 4 else "2001:db8::1")
        block = address.packed + other.packed + struct.pack(">HH", port, 443) + tlvs
        family = family if family is not None else 0x11 if address.version == 4 else 0x21
    return SIGNATURE + struct.pack(">BBH", command, family, len(block) if length is None else length) + block


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def split(data):
    """(version, source, port, bytes behind the header) of what an origin received; source None: nobody's."""
    if data.startswith(SIGNATURE):
        command, family, length = struct.unpack(">BBH", data[12:16])
        block, rest = data[16:16 + length], data[16 + length:]
        if command == 0x20:
            return 2, None, 0, rest
        size = {0x11: 4, 0x21: 16}[family]
        port = struct.unpack(">H", block[2 * size:2 * size + 2])[0]
        return 2, str(ipaddress.ip_address(block[:size])), port, rest
    line, _, rest = data.partition(b"\r\n")
    if line == b"PROXY UNKNOWN":
        return 1, None, 0, rest
    match = re.fullmatch(rb"PROXY TCP[46] (\S+) (\S+) (\d+) (\d+)", line)
    if not match:
        raise ValueError(f"no PROXY header: {data[:120]!r}")
    return 1, match[1].decode(), int(match[3]), rest
