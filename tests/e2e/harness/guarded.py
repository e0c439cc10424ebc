"""A guarded site: an origin with pages that a test changes, and words with the keeper."""

import json

from .origin import reply

QUICK = {"mode": "enforce", "rate": "100/s", "sample_interval": "100 ms", "settle": "0 s",
         "probe_interval": "300 ms"}


def page(body, content_type="text/html", status="200 OK", **fields):
    """A response with a type; fields by name, "_" for "-"."""
    body = body if isinstance(body, bytes) else body.encode()
    return reply(body, status, [("Content-Type", content_type),
                                *((name.replace("_", "-"), value) for name, value in fields.items())])


def serve(origin, pages):
    """The origin has these pages and no others."""
    origin.scripts.clear()
    origin.scripts["*"] = page("there is no such page", "text/plain", "404 Not Found")
    for path, response in pages.items():
        origin.on(path, response if isinstance(response, bytes) or callable(response) else page(response))
    return origin


def start(t, pages, guard=None, *, origins=None, **options):
    """A server whose site is guarded, before an origin with these pages."""
    origins = origins or [t.origin()]
    for origin in origins:
        serve(origin, pages)
    return t.fresh_server({"site": {"guard": QUICK | (guard or {})}}, origins=origins, **options)


def site(server, name="site"):
    """What the status says of the guard of a site; {} while it says nothing."""
    sites = server.status().get("guard", {}).get("sites", [])
    return next((entry for entry in sites if entry["site"] == name), {})


def learned(t, server, count=None, seconds=10.0, name="site"):
    """Waits until all that was found is known, and that many pages are; gives what the status says."""
    def known():
        now = site(server, name)
        done = now.get("enrolled") and now["learning"] == 0 and now["exact"] > 0
        return now if done and (count is None or now["exact"] == count) else None
    return t.eventually(known, lambda: f"all is known: {site(server)}\n{server.errors()[-2000:]}", seconds, 0.05)


def known(t, server, path, seconds=10.0):
    """Waits until this page is known, as the vault has it."""
    def is_known():
        listed = server.command("vault", "list", "--site", "site", "--json", "-c", str(server.file))
        pages = json.loads(listed.stdout)["pages"] if listed.returncode == 0 else []
        return any(entry["url"] == path and entry["policy"] == "exact" for entry in pages)
    t.eventually(is_known, lambda: f"{path} is known: {site(server)}", seconds, 0.1)


def in_state(t, server, state, seconds=10.0):
    t.eventually(lambda: site(server).get("state") == state,
                 lambda: f"the site is {state}: {site(server)}\n{server.errors()[-2000:]}", seconds, 0.05)


def order(server, verb, *operands, name="site"):
    return server.command("vault", verb, name, *operands, "-c", str(server.file))


def obeyed(t, server, verb, *operands):
    result = order(server, verb, *operands)
    t.equal(result.returncode, 0, f"exit status of vault {verb} {operands}: {result.stderr}")
    return result.stdout.strip()


def process(server, role):
    return next(entry for entry in server.processes() if entry["role"] == role)
