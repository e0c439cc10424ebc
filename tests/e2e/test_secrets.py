"""What a captured process finds in its own memory: the gate, which speaks with whomever an infected machine names, has
no key of a site and no secret of the operator's, not even in what was freed before it was forked."""

import os
import re
import subprocess

from harness import test
from harness.server import free_port, is_sanitized, own_address
from harness.tls import certificate, path

SECRET = b"a-secret-of-alerts-only"


def private_number(name):
    """Of an EC key, as OpenSSL keeps it: the lowest byte first."""
    said = subprocess.run(["openssl", "pkey", "-in", path(f"{name}.key"), "-noout", "-text"], capture_output=True, text=True,
                          check=True).stdout
    digits = re.sub(r"[\s:]", "", re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", said)[1])
    return bytes.fromhex(digits)[-32:][::-1]


def readable_memory(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            area, rights = line.split()[:2]
            begin, end = (int(number, 16) for number in area.split("-"))
            if not rights.startswith("r") or "[v" in line:
                continue
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except OSError:
                continue  # of a device, or beyond a file's end


def holds(pid, wanted):
    return {what for area in readable_memory(pid) for what, text in wanted.items() if text in area}


@test(each={"a small policy": 0, "a larger one": 40, "a large one": 4000})
def the_gate_has_no_secret_in_its_memory(t, listed):
    if os.geteuid() != 0:
        t.skip("needs root, to read another's memory")
    if is_sanitized():
        t.skip("sanitizers keep what was freed")
    pem = open(path("site.key"), "rb").read().split(b"\n")[1]
    wanted = {"the key": private_number("site"), "the key's file": pem[8:56], "the secret of alerts": SECRET}
    server = t.fresh_server({
        "listen": [{"address": f"{own_address()}:0"}, {"address": f"{own_address()}:{free_port()}", "tls": certificate("site")}],
        "alerts": {"webhook": "http://127.0.0.1:9/", "secret": SECRET.decode()},
        "egress": {"proxy": f"{own_address()}:{free_port()}", "origins": ["127.0.0.1"], "kernel": "off",
                   "allow": [f"h{number}.example:443" for number in range(listed)]}})
    t.check("the key" in holds(server.workers()[0], wanted), "a worker has the key, and it is found there")
    t.equal(holds(server.gate_pid(), wanted), set(), "what is found in the gate's memory")
