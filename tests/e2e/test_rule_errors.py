"""Rules that do not compile: each is named with file, line, id and reason, and the old set stays in force."""

from harness import test

GOOD = 'rules = (\n\t{ id = "own.first"; where = "path"; pattern = "^/first"; message = "x"; }\n);\n'
BAD = """rules = (
	{ id = "own.first"; where = "path"; pattern = "^/first"; message = "x"; },
	{ id = "own.group"; where = "argument"; pattern = "(union"; message = "x"; },
	{ id = "own.class"; where = "form"; pattern = "[a-"; message = "x"; },
	{ id = "own.empty"; where = "path"; pattern = "a*"; message = "x"; },
	{ id = "own.late"; where = "path"; pattern = "^/second"; message = "x"; },
	{ id = "own.first"; where = "path"; pattern = "twice"; message = "x"; }
);
"""
SAID = [(3, "own.group", "Missing close parenthesis"), (4, "own.class", "Unterminated character class"), (5, "own.empty", "matches an empty text")]
TWICE = ',\n\t{ id = "own.first"; where = "path"; pattern = "twice"; message = "x"; }'
FIXED = GOOD.replace("first", "second")


def verdict(t, server, path):
    mark = server.mark()
    status = server.get(path).status
    return status, server.next_line(mark).rule


@test
def rules_that_do_not_compile_change_nothing(t):
    server = t.fresh_server({"rule_files": ["own.cfg"]}, start=False)
    file = server.directory / "own.cfg"
    file.write_text(GOOD)
    server.start()
    t.equal(verdict(t, server, "/first"), (403, "own.first"), "a request that the rule refuses")
    before = server.status()["generation"]
    for broken, said in ((BAD.replace(TWICE, ""), SAID),
                         (BAD, [(7, "own.first", "already")]), ("rules = (\n\t{ id = \"x\";", [(2, "", "is not closed")]),
                         ('rules = (\n\t{ id = "own.place"; where = "argumnt"; pattern = "x"; message = "x"; } );', [(2, "", "argument")])):
        file.write_text(broken)
        answer = server.reload()
        t.equal(answer.status, 409, f"status of the reload: {answer.body}")
        text = answer.body.decode()
        checked = server.command("check", "-c", str(server.file))
        t.equal(checked.returncode, 1, f"exit status of check: {checked.stdout}{checked.stderr}")
        for line, name, reason in said:
            for where, words in (("the reload", text), ("check", checked.stdout + checked.stderr), ("the errors", server.errors())):
                found = [row for row in words.replace("\\n", "\n").splitlines() if f"own.cfg:{line}: error: " in row]
                t.check(any(name in row and reason in row for row in found), f"{where} does not say {line} {name} {reason}: {words}")
        t.equal(server.status()["generation"], before, "the generation")
        t.equal(verdict(t, server, "/first"), (403, "own.first"), "a request that the old rule refuses")
        t.equal(server.get("/second").status, 200, "a request that only the new rule would refuse")
    file.write_text(FIXED)
    t.equal(server.reload().status, 200, "status of the reload")
    t.eventually(lambda: server.get("/first").status == 200, "the old rule is gone")
    t.equal(verdict(t, server, "/second"), (403, "own.second"), "a request that the new rule refuses")


@test
def a_server_does_not_start_with_a_rule_that_does_not_compile(t):
    server = t.fresh_server({"rule_files": ["own.cfg"]}, start=False)
    (server.directory / "own.cfg").write_text(BAD)
    result = server.command("run", "-c", str(server.file))
    t.equal(result.returncode, 1, "exit status")
    t.check("own.cfg:7: error: " in result.stderr, f"what is said: {result.stderr}")
