"""An S3 server for the tests: SeaweedFS, on ports that the system picks."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from photseries.server import settings
from tests.support import PATIENCE

WEED = Path(sys.executable).with_name("weed")
ACCESS_KEY, SECRET_KEY = "photseries", "a secret of the tests"
#: Each has a port for HTTP and one for gRPC.
PARTS = ("master", "volume", "filer", "s3")
ATTEMPTS = 3  # at a start: another process may take a port before the server does


class ObjectServer:
    """A server with its data in a folder; stopped and started again, it is where it was.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        for _ in range(ATTEMPTS):
            self.ports = dict(zip(PARTS, _free_pairs(len(PARTS)), strict=True))
            self.start()
            with contextlib.suppress(ChildProcessError):
                self.wait()
                return
            self.kill()
        raise AssertionError((folder / "log").read_text()[-5000:])

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.ports['s3'][0]}"

    @property
    def _filer(self):
        return f"http://127.0.0.1:{self.ports['filer'][0]}"

    def start(self):
        ports = [
            f"-{part}.port{kind}={number}"
            for part, numbers in self.ports.items()
            for kind, number in zip(("", ".grpc"), numbers, strict=True)
        ]
        sockets = [f"-{part}.localSocket={self.folder}/{part}.sock" for part in ("filer", "s3")]
        options = [
            f"-dir={self.folder}", f"-s3.config={self.folder}/s3.json", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            "-filer", "-s3", "-s3.iam=false", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-volume.max=0", "-master.volumeSizeLimitMB=256", "-master.telemetry=false",
        ]  # fmt: skip
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [WEED, "-logtostderr=true", "server", *options, *ports, *sockets], stdout=log, stderr=subprocess.STDOUT
            )

    def wait(self):
        """Wait until a bucket can be made, and something written into it."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                healthy = httpx.get(f"{self.endpoint}/healthz").is_success
                if healthy and self.make_bucket("probe") and self._takes_a_file():
                    return
            time.sleep(0.05)
        raise ChildProcessError("the object server does not answer")

    def make_bucket(self, name):
        """A bucket is a folder of the server's own file system."""
        folder = f"{self._filer}/buckets/{name}/"
        return httpx.post(folder).is_success or httpx.get(folder).is_success

    def _takes_a_file(self):
        """The part that holds contents is there later than the one that holds names."""
        written = {"file": ("written", b"something")}
        return httpx.post(f"{self._filer}/buckets/probe/", files=written, timeout=PATIENCE).is_success

    def remove_bucket(self, name):
        assert httpx.delete(f"{self._filer}/buckets/{name}", params={"recursive": "true"}).is_success

    def settings(self, place, **more):
        """The settings of a store in a bucket, or under a prefix in one, as keywords of :class:`RunningService`."""
        return {
            "store__url": f"s3://{place}",
            "store__endpoint": self.endpoint,
            "store__region": "us-east-1",
            "store__access_key": ACCESS_KEY,
            "store__secret_key": SECRET_KEY,
            **more,
        }

    def config(self, place, **more):
        """The same as a section of the configuration."""
        named = {name.removeprefix("store__"): value for name, value in self.settings(place).items()}
        return settings.StoreSettings(**{**named, **more})

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        # The signal is delivered later than it is sent: without the wait the server may still answer a request.
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def _free_pairs(count):
    """Pairs of unused ports."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2 * count)]
        numbers = [listener.getsockname()[1] for listener in listeners]
    return list(zip(numbers[::2], numbers[1::2], strict=True))
