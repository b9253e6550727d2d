"""The service's side of the processes that read the bodies of bulk uploads."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import ClassVar, Final

from photseries.errors import UnavailableError
from photseries.hdf5.limits import Limits
from photseries.server.sandbox import bulk_wire, descriptors
from photseries.server.sandbox.bulk_request import BulkRequest
from photseries.server.sandbox.bulk_wire import Slab
from photseries.server.sandbox.children import PATIENCE
from photseries.server.sandbox.pool import Sandbox
from photseries.server.sandbox.worker import FAILED, LATE
from photseries.server.settings import SandboxSettings

__all__ = ["BulkSandbox"]

#: Maximum lifetime of a child, which mostly waits for its series to be stored [s].
MAX_LIFETIME: Final = 3600.0

#: Processor time of a child, in units of ``sandbox.cpu``, because a body is larger than a file.
CPU: Final = 3


class BulkSandbox(Sandbox):
    """Reads the bodies of bulk uploads, one child per body; the first body starts the fork server.

    Parameters
    ----------
    settings : SandboxSettings
    limits : Limits
    warm_up : BulkRequest
        A request with which the fork server warms up.
    """

    worker: ClassVar[str] = "photseries.server.sandbox.bulk_worker"
    label: ClassVar[str] = "body of a bulk upload"

    def __init__(self, settings: SandboxSettings, limits: Limits, warm_up: BulkRequest) -> None:
        self._patience = settings.deadline + PATIENCE
        longest = dataclasses.replace(settings, deadline=MAX_LIFETIME, cpu=CPU * settings.cpu)
        super().__init__(longest, limits, warm_up.to_json())
        self._started = True

    @contextlib.contextmanager
    def series(self, body: int, request: BulkRequest) -> Iterator[tuple[int, Iterator[Slab]]]:
        """Yield the number of series of a body, and then the series in order, as they are read.

        Parameters
        ----------
        body : int
            The descriptor of a file with the body; it is mapped.
        request : BulkRequest

        Raises
        ------
        InvalidError
            While iterating, when the body is refused, or ends its reader.
        UnavailableError
            When no reader became free in time, or none can be started.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._gate.entered())
            except TimeoutError as error:
                self._count("busy")
                raise UnavailableError(f"All readers of a {self.label} are busy; try again.") from error
            encoded = stack.enter_context(descriptors.unnamed_file(request.to_json()))
            frames = self._frames(stack, body, encoded.fileno())
            number = next(frames, None)
            if not isinstance(number, int):
                raise self._error_of_outcome(FAILED)
            yield number, (frame for frame in frames if isinstance(frame, Slab))

    def _frames(self, stack: contextlib.ExitStack, body: int, request: int) -> Iterator[int | Slab]:
        answer, answers = descriptors.pipe(stack, is_wide=True)
        status, statuses = descriptors.pipe(stack)
        self._send([body, answers.fileno(), statuses.fileno(), request])
        answers.close()
        statuses.close()

        def read(size: int) -> bytearray:
            return descriptors.read(answer, size, time.monotonic() + self._patience)

        while True:
            try:
                try:
                    received = bulk_wire.receive(read, self._limits.table)
                except EOFError:
                    ended = descriptors.read(status, 1, time.monotonic() + self._patience)[0]
                    raise self._error_of_outcome(ended) from None
            except (EOFError, TimeoutError):
                raise self._error_of_outcome(LATE) from None
            except ValueError:
                raise self._error_of_outcome(FAILED) from None
            if received is None:
                self._count("read")
                return
            yield received
