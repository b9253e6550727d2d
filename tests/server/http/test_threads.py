"""Work in threads: every request is answered, also when a module that is not Python breaks, while rights last."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tsdownsample import MinMaxDownsampler

from photseries.errors import ForbiddenError, UnauthorizedError
from photseries.server.http import work
from photseries.server.http.caller import Caller
from photseries.server.http.credentials import Credential
from photseries.server.http.shared import ThreadPool
from photseries.server.http.throttle import Throttle
from photseries.server.principal import MANAGE, UPLOAD, Principal
from photseries.server.settings import ServerSettings

TIMES_NEXT_TO_EACH_OTHER = np.arange(5000) * 5e-324


def panicking():
    MinMaxDownsampler().downsample(TIMES_NEXT_TO_EACH_OTHER, np.ones(5000), n_out=100)


def test_a_panic_of_native_code_is_an_exception_like_any_other():
    with pytest.raises(BaseException, match="out of bounds") as panic:
        panicking()
    assert not isinstance(panic.value, Exception), "what Tornado does not answer"
    with ThreadPool(1) as threads:
        with pytest.raises(RuntimeError, match="panicked") as raised:
            threads.submit(panicking).result()
        assert "out of bounds" in str(raised.value.__cause__)
        assert threads.submit(pow, 2, 3).result() == 8


def test_a_piece_that_was_computed_while_rights_were_lost_is_not_sent(monkeypatch):
    lost = []

    def check_rights(_):
        if lost:
            raise UnauthorizedError("The token has ended.")

    def pieces():
        yield b"before"
        lost.append("token")
        yield b"after"

    catalogue = SimpleNamespace(with_retries=lambda function, harmless: function())
    shared: Any = SimpleNamespace(services=SimpleNamespace(catalogue=catalogue, accounts=None))
    monkeypatch.setattr(work, "_RIGHTS_INTERVAL", 0)
    caller: Any = SimpleNamespace(check_rights=check_rights)
    sent = work.Work(shared, caller, None, quick=False, harmless=True).while_allowed(pieces())
    assert next(sent) == b"before"
    with pytest.raises(UnauthorizedError):
        next(sent)


@pytest.mark.parametrize("rights", ["permissions", "group_ids", "stream_ids"])
def test_a_request_ends_when_any_right_is_lost_and_only_then(rights):
    full = Principal(1, "anna", 2, frozenset({UPLOAD, MANAGE}), frozenset({2, 3}), frozenset({4, 5}))
    left: dict[str, Any] = {rights: frozenset(list(getattr(full, rights))[:1])}
    fewer = replace(full, **left)
    accounts: Any = None
    caller = Caller("127.0.0.1", Throttle(ServerSettings()))
    for before, now in ((full, full), (fewer, full)):
        caller.principal, caller.credential = before, Credential("", lambda *_, now=now: now)
        caller.check_rights(accounts)
    caller.principal, caller.credential = full, Credential("", lambda *_: fewer)
    with pytest.raises(ForbiddenError, match="You lost a permission, a group or a stream"):
        caller.check_rights(accounts)
