"""What an origin teaches the gate: it counts on another day or by approval, and a conviction wipes it. In a network of
its own, whose addresses a policy takes for the internet. That another day counts is tested without a clock:
tests/unit/egress/test_learned.c."""

import json
import os
import signal
import time

from harness import Failure, test
from harness.gate import World
from harness.namespaces import answering

PORT, OTHER = 8080, "127.0.0.2"


def start(t, **options):
    here = World(t)
    there = here.origin(port=PORT)
    strict = here.origin(port=80)
    options = {"learning": "on", "origins": ["127.0.0.1", OTHER], "allow": [answering(60000)]} | options
    return here.gate(**options), there, strict


def at(number, port=PORT):
    return f"{answering(number)}:{port}"


def status(gate, destination, **options):
    return gate.get(f"http://{destination}/", **options).status


def egress(gate, *words):
    return gate.server.command("egress", *words, "--socket", gate.server.control_socket)


def lessons(gate):
    answer = json.loads(gate.server.api("GET", "/api/egress/learned").body)
    return {(each["origin"], each["destination"]): each for each in answer["learned"]}


def states(gate):
    return {destination: each["state"] for (_, destination), each in lessons(gate).items()}


def stage(gate):
    return [each["stage"] for each in json.loads(gate.server.api("GET", "/api/egress").body)["origins"]
            if each["origin"] == "127.0.0.1"][0]


def convict(t, gate):
    for last in range(1, 5):
        status(gate, f"10.0.0.{last}")
    t.equal(stage(gate), "listed-only", "after what is forbidden")


# ---- candidates


@test
def an_unlisted_host_is_a_candidate_and_does_not_count_the_same_day(t):
    gate, there, _ = start(t, new_destinations="1/min", burst=1, wait="0", remember="1 s")
    for _ in range(3):
        t.equal(status(gate, at(1)), 200, "the one new destination")
    client, head = gate.connect(at(1))
    t.equal(head.status, 200, "a tunnel there")
    client.close()
    entry = lessons(gate)["127.0.0.1", at(1)]
    t.equal((entry["state"], entry["uses"]), ("candidate", 4), "what is learned")
    t.check(entry["first_use"] <= entry["last_use"], entry)
    t.equal(len(lessons(gate)), 1, f"lessons: {lessons(gate)}")
    time.sleep(2.1)  # until it is not remembered any more
    t.equal(status(gate, at(1)), 429, "it takes a place among new destinations as before")
    t.equal(len(there.requests), 3, "requests there")


@test
def what_is_listed_denied_or_private_is_never_learned(t):
    gate, _, _ = start(t, deny=[answering(9), "denied.example"])
    t.equal(status(gate, f"{answering(60000)}:{PORT}"), 200, "what is listed")
    for destination in (at(9), "denied.example", "10.0.0.1:8080", "169.254.169.254"):
        t.equal(status(gate, destination), 403, destination)
    t.equal(lessons(gate), {}, "what is learned")


@test
def who_has_strikes_teaches_nothing(t):
    gate, _, _ = start(t)
    t.equal(status(gate, at(1, 80)), 403, "a strict port: noted, and a strike")
    t.equal(status(gate, at(2)), 200, "a destination that is new")
    t.equal(status(gate, at(2), source=OTHER), 200, "by another origin, without strikes")
    t.equal(set(lessons(gate)), {("127.0.0.1", at(1, 80)), (OTHER, at(2))}, "what is learned")


@test
def without_learning_nothing_is_learned(t):
    gate, _, _ = start(t, learning="off")
    t.equal((status(gate, at(1)), status(gate, at(1, 80))), (200, 403), "a new destination, and a strict port")
    t.equal(lessons(gate), {}, "what is learned")
    t.check('egress.learning is "off"' in egress(gate, "learned").stdout, "the command says so")


@test
def monitor_mode_notes_what_would_be_refused(t):
    gate, _, _ = start(t, mode="monitor")
    t.equal((status(gate, at(1, 80)), status(gate, "10.0.0.1:1")), (200, 502), "both are let through")
    t.equal(states(gate), {at(1, 80): "candidate"}, "what is learned")


# ---- approval


@test
def approval_opens_a_strict_ports_host_to_that_origin_alone(t):
    gate, _, strict = start(t)
    t.equal(status(gate, at(1, 80)), 403, "a strict port")
    t.equal(states(gate), {at(1, 80): "candidate"}, "what is learned")
    result = egress(gate, "approve", "127.0.0.1", at(1, 80))
    t.equal((result.returncode, result.stderr), (0, ""), "approve")
    t.check(f'"{at(1, 80)}"' in result.stdout and "egress.allow" in result.stdout, result.stdout)
    t.equal(status(gate, at(1, 80)), 200, "it is open")
    t.equal(status(gate, at(2, 80)), 403, "another host is not")
    t.equal(status(gate, at(1, 80), source=OTHER), 403, "to another origin it is not")
    shown = egress(gate, "learned").stdout
    t.check([line for line in shown.splitlines() if line.split()[:3] == ["127.0.0.1", at(1, 80), "approved"]], shown)
    result = egress(gate, "forget", "127.0.0.1", at(1, 80))
    t.equal(result.stdout, f"What was learned of {at(1, 80)} from origin 127.0.0.1 is forgotten.\n", "forget")
    t.equal(status(gate, at(1, 80)), 403, "it is closed again")
    t.equal(len(strict.requests), 1, "requests there")


@test
def what_is_approved_takes_no_place_among_new_destinations(t):
    gate, _, _ = start(t, new_destinations="1/min", burst=1, wait="0", remember="1 s")
    t.equal(status(gate, at(1)), 200, "a new destination")
    t.equal(egress(gate, "approve", "127.0.0.1", at(1)).returncode, 0, "approve")
    time.sleep(2.1)  # until it is not remembered any more
    t.equal((status(gate, at(1)), status(gate, at(2))), (200, 429), "what is approved, and another")


@test
def an_order_about_what_is_not_learned_is_refused(t):
    gate, _, _ = start(t)
    for words, sentence in ((("approve", "127.0.0.1", at(5)), f"nothing is learned of {at(5)} from origin 127.0.0.1"),
                            (("forget", "127.0.0.1", at(5)), "nothing is learned of"),
                            (("approve", "127.0.0.9", at(5)), "there is no egress origin"),
                            (("approve", "127.0.0.1", "a.example"), "has no port: write a.example:443"),
                            (("approve", "127.0.0.1", "*:443"), "is no host with a port")):
        result = egress(gate, *words)
        t.equal(result.returncode, 1, f"exit status of {words}")
        t.check(sentence in result.stderr, f"{words}: {result.stderr}")
    for words in (("approve", "127.0.0.1"), ("forget",), ("learned", "127.0.0.1")):
        t.equal(egress(gate, *words).returncode, 2, f"exit status of {words}")


# ---- what ends it, and what does not


@test
def a_conviction_wipes_what_is_not_approved(t):
    gate, _, _ = start(t, strikes=4)
    t.equal((status(gate, at(1)), status(gate, at(1, 80))), (200, 403), "a new destination, and a strict port")
    t.equal(egress(gate, "approve", "127.0.0.1", at(1, 80)).returncode, 0, "approve")
    t.equal(states(gate), {at(1): "candidate", at(1, 80): "approved"}, "before")
    convict(t, gate)
    t.equal(states(gate), {at(1, 80): "approved"}, "after the conviction")
    t.equal((status(gate, at(1, 80)), status(gate, at(1))), (200, 403), "in quarantine: what is approved, and what was not")
    t.equal(egress(gate, "release", "127.0.0.1").returncode, 0, "release")
    t.equal(states(gate), {at(1, 80): "approved"}, "after the release")
    t.equal(status(gate, at(1)), 200, "it comes again")
    t.equal(lessons(gate)["127.0.0.1", at(1)]["uses"], 1, "as a new one")


@test
def a_reload_and_the_gates_death_keep_it(t):
    gate, _, _ = start(t)
    t.equal((status(gate, at(1)), status(gate, at(1, 80))), (200, 403), "a new destination, and a strict port")
    t.equal(egress(gate, "approve", "127.0.0.1", at(1, 80)).returncode, 0, "approve")
    kept = {at(1): "candidate", at(1, 80): "approved"}
    for learning, expected in (("on", 200), ("off", 403), ("on", 200)):
        gate.egress["learning"] = learning
        gate.server.write_policy()
        t.equal(gate.server.reload().status, 200, "status of the reload")
        t.equal(status(gate, at(1, 80)), expected, f"with learning {learning}")
        t.equal(states(gate), kept, "what is learned")
    before = [each["pid"] for each in gate.server.processes() if each["role"] == "gate" and each["pid"]]
    os.kill(before[0], signal.SIGKILL)

    def opens():
        try:
            return status(gate, at(1, 80)) == 200
        except (OSError, Failure):
            return False
    t.eventually(opens, "the next gate knows of it")
    t.equal(states(gate), kept, "what is learned")
