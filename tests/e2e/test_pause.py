"""How far the shield's verdicts go: modes of single paths, and orders to let it watch only."""

from harness import test

LIMITS = {"path": "100 B"}


@test
def a_path_has_a_mode_of_its_own(t):
    server = t.server({"site": {"shield": {"limits": LIMITS, "paths": [
        {"path": "/legacy", "mode": "monitor"}, {"path": "/legacy/pay", "mode": "enforce"}]}}})
    long = "x" * 120
    for path, status, enforced in ((f"/legacy/{long}", 200, False), (f"/legacy/pay/{long}", 414, True),
                                   (f"/legacyx/{long}", 414, True), (f"/a/../%6cegacy/{long}", 200, False)):
        mark = server.mark()
        t.equal(server.get(path).status, status, f"status of {path}")
        line = server.next_line(mark)
        t.equal((line.reason, line.enforced), ("path-too-long", enforced), f"log line of {path}")
    mark = server.mark()
    t.equal(server.get("/legacy/..%2fadmin").status, 400, "status of a path that leads out in another reading")
    t.reason(server.next_line(mark), "path-encoded-slash")


@test
def explain_tells_the_mode_of_a_path(t):
    server = t.server({"site": {"shield": {"limits": LIMITS, "paths": [{"path": "/legacy", "mode": "monitor"}]}}})
    result = server.command("explain", "-c", str(server.file), "http://site.example/legacy/" + "x" * 120)
    t.equal(result.returncode, 0, f"exit status: {result.stdout}")
    t.check("monitor" in result.stdout and "sites[].shield.paths" in result.stdout, f"the mode: {result.stdout}")
