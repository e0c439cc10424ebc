"""Response fields by policy: what a site hides and what it adds."""

from harness import reply, test


def site_with(t, response, scripts):
    return t.server({"site": {"response": response}}, scripts=scripts)


def values(response, name):
    return [value for field, value in response.fields if field.lower() == name]


@test
def nothing_changes_by_default(t):
    server = t.server(scripts={"/a": reply(fields=[("Server", "origin/1")])})
    response = server.get("/a")
    t.equal(values(response, "server"), ["origin/1"], "Server")
    t.equal(values(response, "x-frame-options"), [], "X-Frame-Options")


@test
def named_fields_are_hidden(t):
    server = site_with(t, {"remove": ["server", "X-Powered-By"]},
                       {"/a": reply(fields=[("Server", "origin/1"), ("X-POWERED-BY", "x"), ("X-Kept", "1")])})
    response = server.get("/a")
    t.equal([values(response, name) for name in ("server", "x-powered-by", "x-kept")], [[], [], ["1"]], "fields")


@test
def a_field_is_replaced_by_removing_and_adding(t):
    server = site_with(t, {"remove": ["Server"], "add": ["Server: shop"]}, {"/a": reply(fields=[("Server", "x")])})
    t.equal(values(server.get("/a"), "server"), ["shop"], "Server")


@test
def added_fields_do_not_overrule_the_origin(t):
    server = site_with(t, {"security": True, "add": ["Permissions-Policy: camera=()"]},
                       {"/a": reply(fields=[("X-Frame-Options", "DENY")])})
    response = server.get("/a")
    t.equal([values(response, name) for name in
             ("x-frame-options", "x-content-type-options", "referrer-policy", "permissions-policy")],
            [["DENY"], ["nosniff"], ["strict-origin-when-cross-origin"], ["camera=()"]], "fields")


@test
def interim_responses_get_no_fields_of_ours(t):
    server = site_with(t, {"security": True},
                       {"/a": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"})
    client = t.client(server).send(b"GET /a HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
    interim, final = client.read_all().split(b"\r\n\r\n", 1)
    t.check(b"nosniff" not in interim and b"nosniff" in final, f"{interim!r} {final!r}")
