"""The client: one method for each thing that can be done with an archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

from photseries.client import settings
from photseries.client.finding import Finder, path_of
from photseries.client.keys import Reached
from photseries.client.many import Outcome, many
from photseries.client.payload import message
from photseries.client.reader import Reader
from photseries.client.transport import Doubt, Transport
from photseries.client.uploads import Uploaded, Uploader
from photseries.errors import NotFoundError
from photseries.readers import ReadOptions

__all__ = ["Client"]

IfExists = Literal["error", "skip", "replace"]


class Client(Reader):
    """A photseries service, from Python.

    Every method raises the exceptions of :mod:`photseries.errors`: those that the service raised, and
    :class:`~photseries.errors.UnreachableError` when there is no service, or one of another version. What was refused
    for now (429, 503) is sent again after a while, and so is what a broken connection swallowed, if doing it twice is
    doing it once. A client may be used by several threads; as a context manager it closes its connections.

    Parameters
    ----------
    url, token : str, optional
        Default: the environment variables ``PHOTSERIES_URL`` and ``PHOTSERIES_TOKEN``, or what ``photseries login``
        kept in ``~/.config/photseries/config.yaml``.
    timeout : float
        How long to wait for a part of an answer [s].
    retries : int
        How often a request is sent again at most; the pauses double from half a second.

    Raises
    ------
    StartError
        When no URL or no token is known.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, timeout: float = 120.0, retries: int = 6
    ) -> None:
        self._transport = Transport(settings.load(url, token), timeout, retries)
        super().__init__(Finder(self._transport))
        self._uploader = Uploader(self._transport)

    @property
    def url(self) -> str:
        """Where the service is."""
        return self._transport.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.url}>"

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def check(self) -> str:
        """Give the version of the service, which answers and which this client understands."""
        return self._transport.version()

    def whoami(self) -> dict[str, Any]:
        """Say whose token this is and what it may do: ``username``, ``user_id``, ``permissions``, ``group_ids`` ..."""
        found: dict[str, Any] = self._transport.read("/api/whoami")
        return found

    def upload(
        self,
        data: Any,
        *,
        if_exists: IfExists = "error",
        dry_run: bool = False,
        options: ReadOptions | None = None,
        **fields: Any,
    ) -> Uploaded:
        """Store a series.

        Parameters
        ----------
        data : DataFrame, mapping of arrays, astropy Table or TimeSeries, lightkurve LightCurve, or path
            The table, or a file of one of the formats of :data:`photseries.readers.READERS`.
        if_exists : {"error", "skip", "replace"}
            What to do when there is such a series: of the same obj_id, instrument_id, filter, series_name,
            series_obj_id, channel and origin. When one that is skipped has another table, that is a warning.
        dry_run : bool
            Let the service check everything and store nothing.
        options : ReadOptions, optional
            Which columns mean what, and in which format the times are.
        **fields
            The metadata; they win over what the data itself says.

        Returns
        -------
        Uploaded

        Raises
        ------
        InvalidError
            When the data or the fields break a rule; all problems at once, by name in ``fields``.
        DuplicateError
            When there is such a series, and ``if_exists`` is "error".
        InDoubtError
            When it is unknown whether the series was stored; with ``if_exists="skip"`` the same call settles it.
        """
        return self._uploader.upload(data, fields, if_exists, dry_run, options or ReadOptions())

    def upload_many(
        self,
        items: Iterable[Any],
        *,
        in_flight: int = 8,
        if_exists: IfExists = "error",
        dry_run: bool = False,
        options: ReadOptions | None = None,
        **fields: Any,
    ) -> Iterator[Outcome]:
        """Store many series, a few at a time.

        Parameters
        ----------
        items : iterable
            What :meth:`upload` takes as data, or pairs of it and a dict of fields; taken as the uploads go on, so that
            no more than about ``in_flight`` of them need be in memory.
        in_flight : int
            How many uploads are on their way at once.
        if_exists, dry_run, options
            As in :meth:`upload`.
        **fields
            The metadata that all have; the fields of an item win.

        Yields
        ------
        Outcome
            Of each item, in the order in which they end: what was uploaded, or the error. An item with the key of
            another one is a DuplicateError, whatever ``if_exists`` says.

        Raises
        ------
        UnreachableError, UnauthorizedError
            When no further item can succeed.
        """
        reached = Reached()

        def upload(data: Any, own: dict[str, Any]) -> Uploaded:
            return self._uploader.upload(data, {**fields, **own}, if_exists, dry_run, options or ReadOptions(), reached)

        return many(upload, items, in_flight)

    def update(
        self,
        series_id: int,
        data: Any = None,
        *,
        if_match: int | None = None,
        options: ReadOptions | None = None,
        **fields: Any,
    ) -> None:
        """Change a series: its table, its metadata, or both.

        Parameters
        ----------
        series_id : int
        data : optional
            The new table, as in :meth:`upload`; default: it stays.
        if_match : int, optional
            Only if the series still has this ``revision``.
        options : ReadOptions, optional
        **fields
            What to change; None clears a field, and what is not named stays.

        Raises
        ------
        PreconditionFailedError
            When the series has another revision.
        ForbiddenError, InvalidError, NotFoundError
        """
        written = self._uploader.change(data, fields, options or ReadOptions())
        self._transport.write(
            "PATCH", path_of(series_id), written, repeatable=False, headers=_if_match(series_id, if_match)
        )

    def delete(self, series_id: int, *, if_match: int | None = None) -> None:
        """Remove a series; with ``if_match`` only if it still has this ``revision``.

        Raises
        ------
        PreconditionFailedError
            When the series has another revision.
        ForbiddenError, NotFoundError
        """
        doubt = Doubt()
        try:
            self._transport.write(
                "DELETE",
                path_of(series_id),
                repeatable=True,
                doubt=doubt,
                headers=_if_match(series_id, if_match),
            )
        except NotFoundError:
            if not doubt.arose:  # else the attempt whose answer was lost has removed it
                raise

    def create(self, kind: str, **fields: Any) -> int | str:
        """Create what series refer to, for those who may: a source, an instrument, a group ...

        Parameters
        ----------
        kind : str
            One of the registries of docs/api.md: ``sources``, ``instrument``, ``groups``, ``streams`` ...
        **fields
            As listed there.

        Returns
        -------
        int or str
            The id.

        Raises
        ------
        ForbiddenError, InvalidError, DuplicateError
        """
        answer = self._transport.write("POST", f"/api/{quote(kind, safe='')}", message(None, fields), repeatable=False)
        identity: int | str = answer["id"]
        return identity


def _if_match(series_id: int, revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f'"{series_id}.{revision:d}.none"'}
