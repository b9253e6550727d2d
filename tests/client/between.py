"""Somebody between a client and a service, who refuses requests and loses answers."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import orjson

from photseries import __version__
from tests.support import PATIENCE


class Between:
    """An HTTP server that gives each request its fate.

    Attributes
    ----------
    fates : list
        What happens to the next requests that are not about health: an answer (status, headers, content), PASS,
        LOSE_REQUEST or LOSE_ANSWER, or after how many bytes the answer breaks off. When the list is empty everything
        passes.
    seen : list of (str, str)
        Method and path of the requests that were given a fate.
    """

    def __init__(self, target=None):
        self.target, self.fates, self.seen = target, [], []
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fate = PASS
                if self.path != "/healthz" or between.target is None:
                    between.seen.append((self.command, self.path.split("?")[0]))
                    fate = between.fates.pop(0) if between.fates else PASS
                if fate == LOSE_REQUEST:
                    self.close_connection = True
                    return
                status, headers, content = fate if isinstance(fate, tuple) else between.forward(self, body)
                if fate == LOSE_ANSWER:
                    self.close_connection = True
                    return
                whole = len(content)
                if isinstance(fate, int):
                    content, self.close_connection = content[:fate], True
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(whole))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def forward(self, handler, body):
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in ("host", "connection")}
        answer = httpx.request(
            handler.command, self.target + handler.path, content=body, headers=headers, timeout=PATIENCE
        )
        kept = {name: answer.headers[name] for name in KEPT if name in answer.headers}
        return answer.status_code, kept, answer.content

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


#: The headers of an answer that are passed on.
KEPT = ("Content-Type", "Content-Disposition", "ETag")

PASS = "pass"
LOSE_REQUEST = "the connection breaks before the service has the request"
LOSE_ANSWER = "the connection breaks after the service has done it, before its answer"


def answer(status, data=None, *, message="", version=__version__, **headers):
    """An answer in photseries' envelope."""
    state = {"status": "success"} if status < 400 else {"status": "error", "message": message}
    body = orjson.dumps({**state, "data": data, "version": version})
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body
