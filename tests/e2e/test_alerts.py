"""Alerts: the operator is told at once, by webhook and program, and told little of what repeats."""

import hashlib
import hmac
import json
import os
import socket
import subprocess
import time

from harness import refuse, test
from harness.webhook import Receiver

SECRET = "a secret of ours"


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(t, alerts, origins=1, **options):
    """A server whose origins are gone: each is worth an alert."""
    urls = [f"http://127.0.0.1:{closed_port()}" for _ in range(origins)]
    site = {"health": {"fall": 1, "down": "1 min"}}
    return t.fresh_server({"alerts": alerts, "site": site}, origins=urls, **options), urls


def signature(headers, body, secret=SECRET):
    signed = headers["Sallyport-Timestamp"].encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


@test
def the_webhook_is_told_within_a_second_and_can_tell_who_says_it(t):
    receiver = Receiver(t)
    server, urls = start(t, {"webhook": f"http://127.0.0.1:{receiver.port}/hook?a=b", "secret": SECRET})
    began = time.time()
    server.get("/")
    t.eventually(lambda: receiver.posts, "an alert", 5)
    at, headers, body, path = receiver.posts[0]
    t.check(at - began < t.pace(), f"told after {at - began:.2f} s")
    t.equal(path, "/hook?a=b", "target")
    t.equal(headers["Content-Type"], "application/json", "Content-Type")
    t.equal(headers["Sallyport-Signature"], signature(headers, body), "signature")
    t.check(abs(int(headers["Sallyport-Timestamp"]) - time.time()) < 5, "timestamp")
    alert = json.loads(body)
    t.equal((alert["kind"], alert["reason"], alert["folded"]), ("origin", "origin-down", 0), "alert")
    t.equal(alert["id"], headers["Sallyport-Id"], "id")
    t.check(urls[0] in alert["text"], alert)


@test
def without_a_secret_nothing_is_signed(t):
    receiver = Receiver(t)
    server, _ = start(t, {"webhook": f"http://127.0.0.1:{receiver.port}/"})
    server.get("/")
    t.eventually(lambda: receiver.posts, "an alert", 5)
    t.check("Sallyport-Signature" not in receiver.posts[0][1], receiver.posts[0][1])


@test
def a_secret_may_stand_in_a_file_that_only_root_reads(t):
    path = t.directory() / "secret"
    path.write_text("from a file\n")
    path.chmod(0o600)
    receiver = Receiver(t)
    server, _ = start(t, {"webhook": f"http://127.0.0.1:{receiver.port}/", "secret_file": str(path)})
    server.get("/")
    t.eventually(lambda: receiver.posts, "an alert", 5)
    _, headers, body, _ = receiver.posts[0]
    t.equal(headers["Sallyport-Signature"], signature(headers, body, "from a file"), "signature")


@test(seconds=30)
def a_pipe_in_the_place_of_a_secret_stops_nobody(t):
    path = t.directory() / "secret"
    os.mkfifo(path)
    server = t.fresh_server({"alerts": {"webhook": "http://127.0.0.1:1/", "secret_file": str(path)}}, start=False)
    server.start(wait=False)
    t.equal(server.process.wait(15 * t.pace()), 1, "exit status")
    t.check("alerts.secret_file" in server.errors(), server.errors())


@test(seconds=30)
def a_receiver_that_fails_is_asked_again_with_the_same_id(t):
    receiver = Receiver(t, [500, 302, 204])
    server, _ = start(t, {"webhook": f"http://127.0.0.1:{receiver.port}/", "secret": SECRET})
    server.get("/")
    t.eventually(lambda: len(receiver.posts) == 3, "three tries", 10)
    t.equal(len({post[1]["Sallyport-Id"] for post in receiver.posts}), 1, "ids")
    waits = [b[0] - a[0] for a, b in zip(receiver.posts, receiver.posts[1:])]
    t.check(0.9 < waits[0] < 1.8 and 1.9 < waits[1] < 3, f"waits of {waits}")
    time.sleep(0.5)
    t.equal(len(receiver.posts), 3, "it was taken, and is not sent again")
    errors = server.errors_file.read_text()
    t.equal(errors.count("the webhook takes no alerts"), 1, f"said once\n{errors}")
    t.check("the webhook takes alerts again" in errors, errors)


@test(seconds=30)
def a_receiver_that_is_gone_gets_it_when_it_is_back(t):
    port = closed_port()
    server, _ = start(t, {"webhook": f"http://127.0.0.1:{port}/"})
    server.get("/")
    t.eventually(lambda: "the webhook takes no alerts" in server.errors_file.read_text(), "a warning", 5)
    receiver = Receiver(t, port=port)
    t.eventually(lambda: receiver.posts, "the alert", 10)
    t.equal(receiver.alerts()[0]["reason"], "origin-down", "alert")


@test(seconds=40)
def a_receiver_that_hangs_holds_up_no_request_and_is_left(t):
    receiver = Receiver(t, [None, 204])
    server, _ = start(t, {"webhook": f"http://127.0.0.1:{receiver.port}/"})
    for _ in range(20):
        began = time.monotonic()
        t.equal(server.get("/").status, 502, "status")
        t.within(began, 1, "a request waited")
    t.eventually(lambda: len(receiver.posts) == 2, "a second try", 20)
    wait = receiver.posts[1][0] - receiver.posts[0][0]
    t.check(10 < wait < 14 * t.pace(), f"after {wait:.1f} s")


@test
def a_program_that_cannot_be_watched_is_not_run_and_keeps_no_place(t):
    if not refuse.can():
        t.skip("the numbers of system calls are not known for this machine")
    path, _ = program(t, "sleep 1000")
    server, _ = start(t, {"program": path}, origins=8, start=False, before=lambda: refuse.calls("pidfd_open"))
    server.start()
    for _ in range(8):
        server.get("/")
    t.eventually(lambda: server.errors().count("is not run: pidfd_open") >= 6, lambda: server.errors(), 10)


@test(seconds=20)
def the_like_is_told_as_one_when_its_time_is_over(t):
    receiver = Receiver(t)
    server, urls = start(t, {"webhook": f"http://127.0.0.1:{receiver.port}/", "interval": "2 s"}, origins=3)
    for _ in range(10):
        server.get("/")
    t.eventually(lambda: len(receiver.posts) >= 3, "an alert for each origin", 5)
    time.sleep(3)
    texts = [alert["text"] for alert in receiver.alerts()]
    for url in urls:
        t.equal(sum(url in text and " is down" in text for text in texts), 1, f"{url} in {texts}")


@test(seconds=20)
def tls_is_verified(t):
    folder = t.directory()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                    folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    receiver = Receiver(t, certificate=(folder / "cert.pem", folder / "key.pem"))
    webhook = f"https://localhost:{receiver.port}/"
    server, _ = start(t, {"webhook": webhook})
    server.get("/")
    t.eventually(lambda: "the webhook takes no alerts" in server.errors_file.read_text(), "a warning", 5)
    t.check("certificate" in server.errors_file.read_text(), server.errors_file.read_text())
    t.equal(receiver.posts, [], "posts to one that is not trusted")
    server, _ = start(t, {"webhook": webhook, "ca": str(folder / "cert.pem")})
    server.get("/")
    t.eventually(lambda: receiver.posts, "an alert", 5)


def program(t, text):
    folder = t.directory()
    folder.chmod(0o777)
    path = folder / "tell"
    path.write_text(f"#!/bin/sh\n{text}\n".replace("OUT", str(folder / "out")))
    path.chmod(0o755)
    return str(path), folder / "out"


@test
def the_program_gets_the_alert_on_its_input_and_nothing_else(t):
    path, out = program(t, 'cat >OUT.new; echo "$# $(id -u) $(ls /proc/self/fd | wc -l) $(pwd)" >>OUT.new; '
                           'env | grep -v ^PWD= | cut -d= -f1 | sort | tr "\\n" " " >>OUT.new; mv OUT.new OUT')
    server, _ = start(t, {"program": path})
    began = time.time()
    server.get("/")
    t.eventually(out.exists, "the program ran", 5)
    t.check(out.stat().st_mtime - began < 2 * t.pace(), f"after {out.stat().st_mtime - began:.1f} s")
    alert, facts, environment = out.read_text().replace("}", "}\n", 1).split("\n")[:3]
    t.equal(json.loads(alert)["reason"], "origin-down", "alert")
    arguments, user, descriptors, folder = facts.split()
    t.equal((arguments, folder), ("0", "/"), "arguments and folder")
    t.check(int(user) != 0 or os.getuid() != 0, f"it runs as {user}")
    t.check(int(descriptors) <= 4, f"{descriptors} descriptors")
    t.equal(environment.split(), ["LANG", "PATH", "_"] if "_" in environment.split() else ["LANG", "PATH"],
            "environment")


@test(seconds=40)
def a_program_that_hangs_or_fails_is_ended_and_said(t):
    path, out = program(t, "echo $$ >>OUT; sleep 1000 & sleep 1000")
    server, _ = start(t, {"program": path})
    server.get("/")
    t.eventually(out.exists, "the program ran", 5)
    t.eventually(lambda: "does not end and is killed" in server.errors_file.read_text(), "a warning", 15)
    pid = int(out.read_text().split()[0])
    t.eventually(lambda: not os.path.exists(f"/proc/{pid}"), "it is gone", 5)
    path, _ = program(t, "exit 3")
    server, _ = start(t, {"program": path})
    server.get("/")
    t.eventually(lambda: "exited with status 3" in server.errors_file.read_text(), "a warning", 5)


@test(seconds=20)
def a_reload_tells_somebody_else(t):
    first, second = Receiver(t), Receiver(t)
    server, _ = start(t, {"webhook": f"http://127.0.0.1:{first.port}/"}, origins=2)
    server.get("/")
    t.eventually(lambda: first.posts, "an alert", 5)
    server.write_policy({"alerts": {"webhook": f"http://127.0.0.1:{second.port}/"},
                         "site": {"origins": [f"http://127.0.0.1:{closed_port()}"]}})
    server.reload()
    server.get("/")
    t.eventually(lambda: second.posts, "an alert at the other", 5)
    server.write_policy({"alerts": None, "site": {"origins": [f"http://127.0.0.1:{closed_port()}"]}})
    server.reload()
    told = len(second.posts)
    server.get("/")
    time.sleep(1)
    t.equal(len(second.posts), told, "nobody is told any more")


@test(seconds=20)
def herald_and_crier_come_back(t):
    path, out = program(t, "cat >>OUT")
    receiver = Receiver(t)
    server, _ = start(t, {"webhook": f"http://127.0.0.1:{receiver.port}/", "program": path}, origins=2)

    def pids(role):
        return [process["pid"] for process in server.processes() if process["role"] == role]
    for name in ("herald", "crier"):
        before = pids(name)
        t.equal(len(before), 1, f"{name} runs")
        os.kill(before[0], 9)
        t.eventually(lambda: pids(name) and pids(name) != before, f"another {name}", 5)
    server.get("/")
    server.get("/")
    t.eventually(lambda: receiver.posts and out.exists(), "both are told", 5)
