"""Mail through the gate: connections to relays are counted, and so are the messages in them."""

import socket
import threading
import time

from harness import test
from harness.gate import Gate, other_address


class Relay:
    """A mail relay that takes everything (RFC 5321), at a host of its own."""

    def __init__(self, t):
        self.listener = socket.create_server((other_address(), 0))
        self.place = "%s:%d" % self.listener.getsockname()
        self.recipients = 0
        threading.Thread(target=self.accept, daemon=True).start()
        t.later(self.close)

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        is_letter = False
        with connection, connection.makefile("rb") as lines:
            try:
                connection.sendall(b"220 relay\r\n")
                for line in lines:
                    word = line.strip().upper()
                    if is_letter:
                        is_letter = word != b"."
                    else:
                        is_letter = word == b"DATA"
                        self.recipients += word.startswith(b"RCPT TO")
                    if not is_letter or word == b"DATA":
                        connection.sendall(b"354 go on\r\n" if is_letter else b"250 yes\r\n")
            except OSError:
                pass


def answer(client, seconds):
    """One line of the relay's; none where it did not come in time."""
    said, end = b"", time.monotonic() + seconds
    while b"\n" not in said and time.monotonic() < end and not client.ended:
        if not client.quiet(max(0.01, end - time.monotonic())):
            said += client.receive()
    return said


def send_mail(client, seconds):
    """As many messages as get through in that time. Gives how many."""
    sent, end = 0, time.monotonic() + seconds
    while True:
        for piece in (b"MAIL FROM:<a@a.example>", b"RCPT TO:<b@b.example>", b"DATA", b"Subject: cheap\r\n\r\nbuy\r\n."):
            client.send(piece + b"\r\n")
            if not answer(client, end - time.monotonic()):
                return sent
        sent += 1


@test
def messages_pass_no_faster_than_they_may(t):
    relay = Relay(t)
    gate = Gate(t, [relay.place], relays=[relay.place], relay_messages="2/s", strikes=1000)
    client, head = gate.connect(relay.place)
    t.equal(head.status, 200, "status")
    t.check(answer(client, 3.0).startswith(b"220"), "greeting")
    sent = send_mail(client, 3.0)
    t.check(4 <= sent <= 4 + 2 * 3 + 2, f"{sent} messages in 3 s, 4 at once and 2/s are allowed")
    t.check(relay.recipients <= 4 + 2 * 3 + 3, f"{relay.recipients} recipients")


@test
def who_mails_on_all_the_same_is_quarantined(t):
    relay = Relay(t)
    gate = Gate(t, [relay.place], relays=[relay.place], relay_messages="20/s", strikes=1)
    client, _ = gate.connect(relay.place)
    client.send(b"RCPT TO:<b@b.example>\r\n" * 200)
    t.eventually(lambda: "is in quarantine (listed-only) for 10 min: relay" in gate.server.events(),
                 lambda: f"the sentence: {gate.server.events()}", 8.0)
    second, head = gate.connect(relay.place)
    t.equal(head.status, 200, "what is listed goes on")
    second.close()


@test
def connections_to_relays_have_a_rate(t):
    relay = Relay(t)
    gate = Gate(t, [relay.place], relays=[relay.place], relay_connections="1/min")
    for _ in range(2):
        t.equal(gate.connect(relay.place)[1].status, 200, "status")
    mark = gate.server.mark()
    t.equal(gate.connect(relay.place)[1].status, 429, "status of the third")
    line = gate.server.next_line(mark)
    t.reason(line, "egress-rate")
    t.equal(line.setting, "egress.relay_connections", "setting in the log")


@test
def a_request_to_a_relay_is_no_way_around(t):
    relay = Relay(t)
    gate = Gate(t, [relay.place], relays=[relay.place])
    mark = gate.server.mark()
    letter = "MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\nbuy\r\n.\r\n"
    head = f"POST http://{relay.place}/ HTTP/1.1\r\nHost: {relay.place}\r\nContent-Length: {len(letter)}\r\n\r\n"
    t.equal(gate.ask((head + letter).encode()).status, 400, "status")
    t.reason(gate.server.next_line(mark), "egress-target")
    t.equal(relay.recipients, 0, "recipients")
