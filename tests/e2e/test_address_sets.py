"""Addresses from files and by country: who is refused, and that files are read anew on reload, or change nothing."""

import pathlib
import subprocess
import sys

from harness import test

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import mmdb  # noqa: E402

VISITORS = {"trusted_proxies": ["127.0.0.0/8"]}


def status_of(server, visitor):
    client = server.client()
    try:
        return client.get("/", fields=[("X-Forwarded-For", visitor)]).status
    finally:
        client.close()


def replace(path, content):
    """As those who publish lists should: whole or not at all."""
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    beside.chmod(0o644)
    beside.rename(path)


def with_set(t, name, content, shield, **settings):
    path = t.directory() / name
    replace(path, content)
    made = {"name": "them", **{key: str(path) if value is ... else value for key, value in settings.items()}}
    return path, t.fresh_server({"site": {"shield": shield}, "address_sets": [made], **VISITORS})


@test
def a_file_is_read_anew_on_reload(t):
    path, server = with_set(t, "drop.txt", b"# drop\n192.0.2.0/24\n2001:db8::/32\n",
                            {"deny_addresses": ["set:them"]}, files=...)
    t.equal([status_of(server, v) for v in ("192.0.2.9", "2001:db8::1", "198.51.100.1")], [403, 403, 200], "statuses")
    replace(path, b"198.51.100.0/24\n")
    t.equal(status_of(server, "192.0.2.9"), 403, "before the reload nothing changes")
    t.equal(server.reload().status, 200, "status of the reload")
    mark = server.mark()
    t.equal([status_of(server, v) for v in ("198.51.100.1", "192.0.2.9")], [403, 200], "statuses after")
    line = server.next_line(mark)
    t.reason(line, "address-denied")
    t.equal((line.evidence, line["setting"]), ("them", "sites[].shield.deny_addresses"), "the set, and the setting")


@test(each={"no network": b"192.0.2.0/24\nnonsense\n", "empty": b"", "host bits": b"192.0.2.1/24\n"})
def a_bad_file_leaves_the_old_set(t, content):
    path, server = with_set(t, "drop.txt", b"192.0.2.0/24\n", {"deny_addresses": ["set:them"]}, files=...)
    replace(path, content)
    answer = server.reload()
    t.equal(answer.status, 409, "status of the reload")
    said = answer.body.decode()
    t.check(str(path) in said, f"the file is named: {said}")
    if b"nonsense" in content:
        t.check(f"{path}:2: error:" in said, "the line is named")
    t.equal([status_of(server, v) for v in ("192.0.2.9", "198.51.100.1")], [403, 200], "statuses after")


@test
def a_country_is_denied_and_another_release_of_the_database_counts(t):
    path, server = with_set(t, "country.mmdb", mmdb.database([("192.0.2.0/24", "DE"), ("2001:db8::/32", "FR")]),
                            {"deny_addresses": ["set:them"]}, database=..., countries=["DE"])
    for visitor, code in (("192.0.2.9", "DE"), ("2001:db8::1", "FR")):
        found = subprocess.run(["mmdblookup", "-f", path, "-i", visitor, "country", "iso_code"], capture_output=True,
                               text=True, check=True).stdout
        t.check(code in found, f"mmdblookup finds {visitor} in {code}: {found}")
    t.equal([status_of(server, v) for v in ("192.0.2.9", "2001:db8::1", "198.51.100.1")], [403, 200, 200], "statuses")
    replace(path, mmdb.database([("2001:db8::/32", "DE")], bits=28))
    t.equal(server.reload().status, 200, "status of the reload")
    t.equal([status_of(server, v) for v in ("192.0.2.9", "2001:db8::1")], [200, 403], "statuses after")
    replace(path, mmdb.database([("2001:db8::/32", "DE")], broken="pointer"))
    t.equal(server.reload().status, 409, "status of a reload with a broken database")
    t.equal([status_of(server, v) for v in ("192.0.2.9", "2001:db8::1")], [200, 403], "statuses as before")


@test
def only_a_country_is_allowed_and_nothing_is_opened_for_it(t):
    path, server = with_set(t, "country.mmdb", mmdb.database([("192.0.2.0/24", "DE"), ("127.0.0.0/8", "DE")]),
                            {"allow_addresses": ["set:them"]}, database=..., countries=["DE"])
    path.unlink()
    mark = server.mark()
    t.equal([status_of(server, v) for v in ("192.0.2.9", "198.51.100.1")], [200, 403], "statuses")
    t.eventually(lambda: len(server.lines_since(mark)) == 2, "both lines")
    t.reason(server.lines_since(mark)[1], "address-not-allowed")
