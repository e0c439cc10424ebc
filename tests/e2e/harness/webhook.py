"""A receiver of alerts: a real web server."""

import http.server
import json
import ssl
import threading
import time


class Receiver:
    """A webhook. answers: a status for each post in turn, the last for all others; None: silence."""

    def __init__(self, t, answers=(204,), certificate=None, port=0):
        self.posts, self.answers = [], list(answers)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((time.time(), dict(self.headers.items()), body, self.path))
                answer = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                if answer is None:
                    time.sleep(3600)
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that does not trust us

        self.server = Quiet(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        t.later(self.close)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def alerts(self):
        return [json.loads(body) for _, _, body, _ in self.posts]
