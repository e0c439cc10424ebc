"""A page in a real browser: Chromium without a window, spoken to over two pipes (--remote-debugging-pipe: one JSON
document after the other, each with a NUL behind it)."""

import json
import os
import shutil
import subprocess

from .check import Failure
from .server import die_with_parent

OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe")


class Page:
    def __init__(self, t, url):
        program = shutil.which("chromium")
        if not program:
            t.skip("chromium is not installed")
        self._number, self._pending = 0, b""
        self._start(t, program)
        target = self._call("Target.createTarget", url=url)["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def _start(self, t, program):
        profile = t.directory()
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()

        def give():  # as descriptors 3 and 4, whatever these are so far
            die_with_parent()
            read, write = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(read, 3)
            os.dup2(write, 4)
        self._process = subprocess.Popen([program, *OPTIONS, f"--user-data-dir={profile}"], preexec_fn=give, close_fds=False,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                         env=os.environ | {"HOME": str(profile)})
        os.close(theirs_in)
        os.close(theirs_out)
        self._session = None
        t.later(self.close)

    def _call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise Failure(f"{method}: {answer['error']}")
                return answer["result"]

    def _next(self):
        while b"\0" not in self._pending:
            piece = os.read(self._in, 1 << 16)
            if not piece:
                raise Failure("the browser has ended")
            self._pending += piece
        text, self._pending = self._pending.split(b"\0", 1)
        return json.loads(text)

    def run(self, script):
        """The value of an expression, in the page."""
        result = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise Failure(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def close(self):
        """In order, since a browser that is killed leaves processes behind that go on writing into its profile."""
        self._session = None
        self._call("Browser.close")
        self._process.wait(20)
        os.close(self._in)
        os.close(self._out)
