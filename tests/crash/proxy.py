"""A man in the middle of a service and PostgreSQL, or an object server, who loses messages."""

import contextlib
import re
import socket
import threading
import time

from sqlalchemy import make_url

BEFORE = "the connection breaks before the server has the message"
AFTER = "the connection breaks after the server has done it, before its answer"
LATE = "the connection breaks, and the server gets the message later"


class Proxy:
    """Forwards TCP connections to a PostgreSQL server's socket.

    Attributes
    ----------
    target : str
        The URL of the server; the server may move.
    released : Event
        Lets the messages go that are to come LATE.
    """

    def __init__(self, target):
        self.target = target
        self.released = threading.Event()
        self._fates = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = set()
        self._threads = [self._spawn(self._accept)]

    @property
    def url(self):
        """The URL for the service."""
        host, port = self._listener.getsockname()
        query = {"sslmode": "disable", "gssencmode": "disable"}
        url = make_url(self.target).set(host=host, port=port, query=query)
        return url.render_as_string(hide_password=False)

    def connected(self):
        """A connection to the server."""
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(f"{make_url(self.target).query['host']}/.s.PGSQL.5432")
        except OSError:
            server.close()
            raise
        return server

    @staticmethod
    def messages(client):
        """Split what a client sends."""
        return _messages(client)

    def forward(self, message, client, server):
        """Let a message go on its way."""
        server.sendall(message)

    def lose(self, words, fate, times=1):
        """Let the next messages that contain some words meet a fate."""
        self.released.clear()
        self._fates[words] = [fate] * times

    def awaits(self, words):
        """Whether messages with some words have still to meet their fate."""
        return bool(self._fates[words])

    def close(self):
        self.released.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _spawn(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        return thread

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(self._spawn(self._serve, client))

    def _serve(self, client):
        with client, contextlib.suppress(OSError), self.connected() as server:
            self._open |= {client, server}
            deaf = threading.Event()
            answers = self._spawn(self._forward_answers, server, client, deaf)
            try:
                self._forward_messages(client, server, deaf)
                server.shutdown(socket.SHUT_WR)
                answers.join(30)
            finally:
                self._open -= {client, server}

    def _forward_messages(self, client, server, deaf):
        for message in self.messages(client):
            fate = self._fate(message)
            if fate is None:
                self.forward(message, client, server)
                continue
            deaf.set()
            if fate != AFTER:  # otherwise it breaks when the server has answered, and ended
                client.shutdown(socket.SHUT_RDWR)
            if fate == LATE:
                self.released.wait()
            if fate != BEFORE:
                server.sendall(message)
            return

    def _fate(self, message):
        for words, fates in self._fates.items():
            if fates and words in message:
                return fates.pop()
        return None

    @staticmethod
    def _forward_answers(server, client, deaf):
        """Read what the server says until it has ended, and forward it unless the client shall not hear it."""
        with contextlib.suppress(OSError):
            while chunk := server.recv(65536):
                if not deaf.is_set():
                    client.sendall(chunk)
        with contextlib.suppress(OSError):
            if not deaf.is_set():
                client.shutdown(socket.SHUT_RDWR)


def _messages(client):
    """Split what a client of PostgreSQL sends: a first message without a type, then a letter, a length and the rest."""
    buffer, header = b"", 0
    while chunk := client.recv(65536):
        buffer += chunk
        while len(buffer) >= header + 4:
            length = header + int.from_bytes(buffer[header : header + 4], "big")
            if len(buffer) < length:
                break
            yield buffer[:length]
            buffer, header = buffer[length:], 1


class ObjectProxy(Proxy):
    """The same before an object server, whose port is the target: who can also be slow, or refuse in its name.

    Attributes
    ----------
    delay : float
        How long every request waits [s].
    """

    delay = 0.0
    _refusal = b""

    @property
    def url(self):
        return "http://{}:{}".format(*self._listener.getsockname())

    def refuse(self, status, code):
        """Answer every request with an error, as S3 words it."""
        body = f"<Error><Code>{code}</Code><Message>of the tests</Message></Error>".encode()
        self._refusal = b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)

    def mend(self):
        self.delay, self._refusal = 0.0, b""
        self._fates.clear()
        self.released.set()

    def connected(self):
        return socket.create_connection(("127.0.0.1", self.target))

    def forward(self, message, client, server):
        time.sleep(self.delay)
        if self._refusal:
            head, _, _ = self._refusal.partition(b"\r\n\r\n")
            client.sendall(head + b"\r\n\r\n" if message.startswith(b"HEAD ") else self._refusal)
        else:
            server.sendall(message)

    @staticmethod
    def messages(client):
        """Split requests of HTTP, each with a body of a stated length or none."""
        buffer = b""
        while chunk := client.recv(65536):
            buffer += chunk
            while (end := buffer.find(b"\r\n\r\n")) >= 0:
                stated = re.search(rb"\r\ncontent-length: *(\d+)", buffer[:end], re.IGNORECASE)
                length = end + 4 + (int(stated[1]) if stated else 0)
                if len(buffer) < length:
                    break
                yield buffer[:length]
                buffer = buffer[length:]
