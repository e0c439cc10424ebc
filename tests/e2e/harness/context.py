"""What a test is handed: servers, origins, clients, expectations. Whatever it makes is ended with it."""

import json
import pathlib
import re
import socket
import tempfile

from . import check as expect
from . import pace
from .origin import Origin
from .server import ROOT, Server
from .tls import TlsClient
from .wire import request

REASONS = {match[1]: int(match[2]) for match in re.finditer(
    r'^REASON\(\w+, "([^"]+)", (\d+),', (ROOT / "include/sallyport/reasons.def").read_text(), re.M)}


class Context:
    """One per test. Servers of server() are shared by the tests of a file that want the same
    settings; those of fresh_server() belong to the test."""

    shared: dict[str, Server] = {}
    asserted: set[str] = set()  # reasons that some test saw in a log line

    def __init__(self):
        self.notes = []
        self._cleanup = []
        self._used = []

    # ---- things

    def server(self, settings=None, scripts=None):
        """A running server before one origin (server.origin), shared with the other tests of the file."""
        key = json.dumps(settings, sort_keys=True)
        server = self.shared.get(key)
        if server is None:
            origin = Origin()
            server = Server([origin], settings)
            server.origin = origin
            self.shared[key] = server
        for path, script in (scripts or {}).items():
            server.origin.on(path, script)
        server.origin.errors.clear()
        self._used.append(server)
        return server

    def fresh_server(self, settings=None, *, origins=None, **options):
        """A server for this test alone. Without origins it gets one (server.origin)."""
        if origins is None:
            origins = [self.origin()]
        server = Server(origins, settings, **options)
        server.origin = origins[0] if origins else None
        self._cleanup.append(server.stop)
        return server

    def origin(self, *arguments, **options):
        origin = Origin(*arguments, **options)
        self._cleanup.append(origin.close)
        return origin

    def client(self, server, **options):
        client = server.client(**options)
        self._cleanup.append(client.close)
        return client

    def tls_client(self, server, **options):
        client = TlsClient(server.tls_address, **options)
        self._cleanup.append(client.close)
        return client

    def directory(self):
        holder = tempfile.TemporaryDirectory(prefix="sallyport-e2e-")
        self._cleanup.append(holder.cleanup)
        return pathlib.Path(holder.name)

    def alone(self, what):
        """Keeps other tests from what there is once on a machine, until this one has ended. By a name
        that is no file: none is left behind, and none belongs to another user."""
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._cleanup.append(name.close)

        def is_ours():
            try:
                name.bind(f"\0sallyport-e2e-{what}")
                return True
            except OSError:
                return False
        expect.eventually(is_ours, f"{what} is free", 60.0, 0.05)

    def later(self, action):
        """Does `action` when the test has ended."""
        self._cleanup.append(action)

    # ---- expectations

    equal = staticmethod(expect.equal)
    check = staticmethod(expect.check)
    eventually = staticmethod(expect.eventually)
    within = staticmethod(expect.within)
    pace = staticmethod(pace.stretch)

    def fail(self, what):
        raise expect.Failure(what)

    def note(self, text):
        """A figure for whoever runs with -v."""
        self.notes.append(text)

    def skip(self, why):
        raise expect.Skip(why)

    def reason(self, line, *expected):
        """The log line names one of the reasons, with that reason's status."""
        expect.check(line.reason in expected,
                    f"reason {line.reason!r}, expected {' or '.join(expected)}\n{line.raw}")
        expect.check(line.reason in REASONS, f"{line.reason!r} is not in reasons.def")
        self.asserted.add(line.reason)
        return line.reason

    @staticmethod
    def reasons_with_status(status):
        return [name for name, value in REASONS.items() if value == status]

    def refused(self, server, data, *expected):
        """The bytes are answered with the reason's status and the connection ends; the log names the
        reason; the origin sees nothing of it; and the server goes on. Gives the response and the line.
        data: bytes, or what Client.send takes as a sequence."""
        parts = [data] if isinstance(data, bytes) else data
        mark = server.mark()
        seen = server.origin.received
        client = self.client(server)
        client.send(*parts)
        response = client.read_response()
        expect.check(response.status in {REASONS[reason] for reason in expected},
                     f"status {response.status}, expected {' or '.join(expected)}\n{response.head!r}")
        rest = client.read_all()
        expect.equal(server.origin.received - seen, 0,
                     f"bytes the origin received: {[r.head for r in server.origin.requests[-2:]]}")
        # Meanwhile, so that one wait for the scribe does for both lines.
        self.goes_on(server)
        line = server.next_line(mark)
        reason = self.reason(line, *expected)
        expect.equal(response.status, REASONS[reason], f"status of {reason}\n{response.head!r}")
        expect.equal(line.status, REASONS[reason], "status in the log line")
        expect.equal(response.field("Connection"), "close", "Connection of a refusal")
        expect.check(response.complete, f"the error page is cut: {response}")
        expect.equal(rest, b"", "nothing follows a refusal")
        return response, line

    def goes_on(self, server, target="/still-there"):
        """A good request is served, and it is all that the origin gets."""
        seen = server.origin.received
        response = server.get(target)
        expect.equal(response.status, 200, "status of a good request afterwards")
        last = server.origin.requests_for(target)[-1]
        expect.equal(server.origin.received - seen, len(last.head),
                     "bytes the origin received for a good request")

    def answered(self, server, data):
        """The bytes are a good request: 200, and what the origin got."""
        client = self.client(server)
        count = len(server.origin.requests)
        client.send(data)
        response = client.read_response()
        expect.equal(response.status, 200, f"status; {response.head!r} {response.body[:300]!r}")
        return server.origin.requests[count]

    request = staticmethod(request)

    # ---- the end

    def finish(self):
        """Ends what the test made. Gives what went wrong unnoticed: a dead worker, an origin's error."""
        complaints = []
        for server in self._used:
            complaint = server.complaint()
            if complaint:
                complaints.append(complaint)
                self.drop(server)
            complaints += server.origin.errors
            server.origin.errors.clear()
        for action in reversed(self._cleanup):
            try:
                action()
            except (expect.Failure, OSError) as error:
                complaints.append(f"at the end: {error}")
        return complaints

    def drop(self, server):
        for key in [key for key, other in self.shared.items() if other is server]:
            del self.shared[key]
        server.origin.close()
        try:
            server.stop()
        except (expect.Failure, OSError):
            pass

    @classmethod
    def finish_all(cls):
        complaints = []
        for server in cls.shared.values():
            try:
                leftovers = server.leftovers()
                if leftovers:
                    complaints.append(leftovers)
                server.stop()
            except expect.Failure as error:
                complaints.append(str(error))
            server.origin.close()
        cls.shared.clear()
        return complaints
