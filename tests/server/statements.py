"""The statements that a test sends to the database."""

import contextlib

import pytest

from photseries.server.catalogue.statements import TimedCursor


@contextlib.contextmanager
def sent_statements():
    """Collect the statements that this process sends to the database, without those that only prepare others."""
    sent = []
    execute = TimedCursor.execute

    def note(cursor, query, values=None):
        if not str(query).startswith("PREPARE"):
            sent.append(str(query))
        execute(cursor, query, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TimedCursor, "execute", note)
        yield sent
