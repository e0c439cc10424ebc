"""Clients that go on and on while something happens to the server."""

import threading
import time

from .check import Failure
from .wire import Client


class Load(threading.Thread):
    """A client that reuses connections and notes everything that is not a plain 200."""

    def __init__(self, address, connections=4, pause=0.002):
        super().__init__(daemon=True)
        self.address, self.connections, self.pause = address, connections, pause
        self.served, self.reopened, self.faults = 0, 0, []
        self.stopping = threading.Event()

    def run(self):
        clients = [Client(self.address) for _ in range(self.connections)]
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            at = turn % len(clients)
            try:
                response = clients[at].get("/load")
                if response.status != 200 or response.body != b"ok\n" or not response.complete:
                    self.faults.append(f"{response.status} {response.body!r}")
                self.served += 1
                if response.field("Connection") == "close":  # said in time: no fault
                    self.reopened += 1
                    clients[at].close()
                    clients[at] = Client(self.address)
            except (Failure, OSError) as error:
                self.faults.append(f"request {self.served}: {error}")
                clients[at].close()
                clients[at] = Client(self.address)
            time.sleep(self.pause)
        for client in clients:
            client.close()

    def stop(self):
        self.stopping.set()
        self.join()
