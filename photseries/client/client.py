"""The client, with a method for each operation on an archive.

This module is long because it is the reference: the signature and documentation of every operation. Other modules do
the work, one for each noun: :mod:`~photseries.client.search`, ``lists``, ``collection``, ``exports``, ``uploads``,
``many``, ``bulk`` and ``changes``, over a common :mod:`~photseries.client.transport`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, Unpack
from urllib.parse import quote

import pandas as pd

from photseries import __version__
from photseries.client import changes, exports, search, settings
from photseries.client.bulk import (
    BatchedUpload,
    BulkUploader,
    as_items,
    is_table,
    is_unparsed,
    with_metadata,
)
from photseries.client.collection import Collection
from photseries.client.criteria import ConeCriteria, Criteria, ListOptions
from photseries.client.display import client_html
from photseries.client.documents import Event, Period, Periodogram, SourcePeriodogram, Summary, Usage, WhoAmI
from photseries.client.keys import UploadTracker
from photseries.client.lists import ListQuery, SeriesList, get_list, given_lists, require_found
from photseries.client.many import ManyUploader
from photseries.client.payload import message
from photseries.client.queries import analysis_arguments, arguments, names_of, part_arguments, plain_fields
from photseries.client.search import SERIES, path_of
from photseries.client.series import Series
from photseries.client.transport import Transport
from photseries.client.uploads import Outcome, Uploaded, Uploader, split_options
from photseries.errors import InvalidError
from photseries.fields import FEATURES
from photseries.formats import ReadOptions, collect, one_of
from photseries.text import new_batch

__all__ = ["Client"]

IfExists = Literal["error", "skip", "replace"]


class Client:
    """A photseries service, from Python.

    Every method raises the exceptions of :mod:`photseries.errors`: those that the service raised, and
    :class:`~photseries.errors.UnreachableError` when there is no service, or one of another version. Requests
    that were refused for now (429, 503) are retried with a back-off, and after a broken connection those that are
    idempotent. A client may be used by several threads; as a context manager it closes its connections.

    Parameters
    ----------
    url, token : str, optional
        Default: the environment variables ``PHOTSERIES_URL`` and ``PHOTSERIES_TOKEN``, or the file
        ``~/.config/photseries/config.yaml``, which ``photseries login`` writes.
    timeout : float
        Time to wait for each part of an answer [s].
    retries : int
        Maximum number of retries; the pauses double from half a second.

    Raises
    ------
    StartError
        When no URL or no token is known.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, timeout: float = 120.0, retries: int = 6
    ) -> None:
        self._transport = Transport(settings.load(url, token), timeout, retries)
        self._uploader = Uploader(self._transport)

    @property
    def url(self) -> str:
        """URL of the service."""
        return self._transport.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.url}>"

    def _repr_html_(self) -> str:
        return client_html(self.url, __version__)

    def __getitem__(self, series_id: int) -> Series:
        """Get a series, as :meth:`get` does."""
        return self.get(series_id)

    __iter__: None = None  # otherwise Python would iterate from series 0 until one is missing

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def check(self) -> str:
        """Check that the service answers and is compatible, and return its version."""
        return self._transport.version()

    def whoami(self) -> WhoAmI:
        """Return user and permissions of the token: ``username``, ``user_id``, ``permissions``, ``group_ids`` ..."""
        identity: WhoAmI = self._transport.read("/api/whoami")
        return identity

    def usage(self) -> Usage:
        """Return the usage of the user, for an admin of all users, as ``usage``, and the quotas as ``limits``."""
        result: Usage = self._transport.read("/api/usage")
        return result

    def get(  # noqa: PLR0913  the parts of a series that the service gives
        self,
        series_id: int,
        *,
        columns: str | Sequence[str] | None = None,
        mjd_min: float | None = None,
        mjd_max: float | None = None,
        row_min: int | None = None,
        row_max: int | None = None,
        max_points: int | None = None,
        derive: str | Sequence[str] | None = None,
        bin: str | None = None,
        detrend: str | None = None,
        clip: float | None = None,
        revision: int | None = None,
    ) -> Series:
        """Get a series; its table, or a part of it, is fetched on first use.

        Parameters
        ----------
        series_id : int
        columns : str or sequence of str, optional
            These columns, in this order; default: all.
        mjd_min, mjd_max : float, optional
            Rows between these times [MJD], inclusive.
        row_min, row_max : int, optional
            Rows between these numbers, counted from 0, inclusive.
        max_points : int, optional
            Maximum number of rows, for a plot: the first, the last, and the extremes of equal-sized groups.
        derive : str or sequence of str, optional
            Add columns: ``mag``, ``magerr``, ``flux``, ``fluxerr``, ``snr``, ``magtot``, ``e_magtot``, ``mjd_mid``,
            ``bjd_tdb``, ``hjd_utc``, ``mjd_tdb``.
        bin : str, optional
            Means in bins of this width, such as ``10min``, ``0.02d`` or ``night``, in place of the rows. It and
            ``detrend`` may also be a timedelta or a Quantity.
        detrend : str, optional
            Add two columns: the running median in a window of this width, such as ``2d``, and the detrended brightness.
        clip : float, optional
            Add the column ``clipped``, which marks rows more than this many standard deviations from the median.
        revision : int, optional
            The whole series at this revision, while its file is kept. Only the owner and tokens that may change the
            series can read earlier revisions.

        Returns
        -------
        Series

        Raises
        ------
        NotFoundError
            When there is none, or the token may not see it.
        InvalidError
            When a part of an earlier revision is requested. An unknown column raises it when ``data`` is read.
        """
        part = {
            "columns": columns, "mjd_min": mjd_min, "mjd_max": mjd_max, "row_min": row_min, "row_max": row_max,
            "max_points": max_points, "derive": derive, "bin": bin, "detrend": detrend, "clip": clip,
        }  # fmt: skip
        return search.get(self._transport, series_id, part_arguments(part), revision)

    def save(
        self,
        series_id: int,
        path: str | os.PathLike[str] = ".",
        *,
        format: str | None = None,
        revision: int | None = None,
    ) -> Path:
        """Download a series as a file.

        Parameters
        ----------
        series_id : int
        path : str or path
            An existing file is replaced once the new one is complete. In a folder, by default the current one, the file
            is named after its source, filter and series.
        format : str, optional
            One of the formats of docs/formats.md; "hdf5" is the stored file. Default: by the extension of the path, or
            "hdf5" in a folder.
        revision : int, optional
            The series at this revision, while its file is kept; default: the current one.

        Returns
        -------
        Path
            That of the file.

        Raises
        ------
        NotFoundError
            When there is no such series, or the token may not see it.
        InvalidError
            When the format or the extension of the path is unknown.
        AlteredError
            When a file of the format hdf5 is not the stored one.

        Warns
        -----
        UserWarning
            When the format loses data that an upload of the file needs.
        """
        return exports.save(self._transport, series_id, Path(path).expanduser(), format, revision)

    def find(self, *, limit: int | None = None, **criteria: Unpack[ConeCriteria]) -> pd.DataFrame:
        """Find series.

        Parameters
        ----------
        limit : int, optional
            Maximum number of series; default: all matches.
        **criteria
            The keywords of :class:`~photseries.client.criteria.ConeCriteria`, or the names of the query parameters
            (``minMedianSNR`` for ``min_median_snr``). A list matches any of its values. Times are MJD, ISO texts,
            datetimes (UTC unless they have a time zone) or astropy Times. ``obj_id`` is the full name of a source,
            ``object_id`` a part of it. ``position`` is an astropy SkyCoord, or a pair of ra and dec [deg], instead of
            ``ra`` and ``dec``; numbers with a unit may be Quantities.

        Returns
        -------
        DataFrame
            The metadata, one row per series.

        Raises
        ------
        InvalidError
            For an unknown criterion, with the closest known one, or an invalid value.
        """
        query = arguments(criteria)
        if limit is not None:
            if limit < 0:
                raise InvalidError(f"limit must be at least 0, not {limit}.")
            query.setdefault("numPerPage", [str(max(limit, 1))])
        more = ("separation",) * ("radius" in query) + FEATURES * (query.get("features") == ["true"])
        return search.series_frame(islice(search.walk(self._transport, query), limit), more)

    def iter(self, **criteria: Unpack[ConeCriteria]) -> Iterator[Series]:
        """Iterate over all matching series, page by page; tables are fetched on first use.

        Parameters
        ----------
        **criteria
            As in :meth:`find`; ``num_per_page`` is the number of series per answer.

        Yields
        ------
        Series
        """
        documents = search.walk(self._transport, arguments(criteria))
        return (search.series_of(self._transport, metadata) for metadata in documents)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        ids: Iterable[int] | None = None,
        obj_ids: Iterable[str] | None = None,
        series_obj_ids: Iterable[str | int] | None = None,
        hashes: Iterable[str] | None = None,
        positions: object = None,
        **options: Unpack[ListOptions],
    ) -> Path:
        """Download all matching series, or those of a list, into one file, in constant memory.

        Parameters
        ----------
        path : str or path
            An existing file is replaced when the download is complete.
        format : {"hdf5", "parquet", "arrow", "ndjson", "zip"}, optional
            A long table, or a zip of the stored files; default: by the extension.
        ids, obj_ids, series_obj_ids, hashes, positions : optional
            A list of up to 100,000 entries, as in :meth:`get_many`; the file contains the manifest.
        **options
            Criteria as in :meth:`find`, without an order; ``columns`` of a long table (default: the light curve; ``*``:
            all columns that every series has) and ``derive``; for a list all options of :meth:`get`.

        Returns
        -------
        Path
            That of the file.

        Raises
        ------
        UnreachableError
            When the download was interrupted; no file is left.
        InvalidError
            When the extension is unknown, a criterion is invalid, or no series has a column.
        """
        lists = given_lists(ids, obj_ids, series_obj_ids, hashes, positions)
        return exports.export(self._transport, Path(path).expanduser(), format, lists, options)

    def get_many(
        self,
        *,
        ids: Iterable[int] | None = None,
        obj_ids: Iterable[str] | None = None,
        series_obj_ids: Iterable[str | int] | None = None,
        hashes: Iterable[str] | None = None,
        positions: object = None,
        missing: Literal["ignore", "raise"] = "ignore",
        **options: Unpack[ListOptions],
    ) -> SeriesList:
        """Get the series of a list of any length, with the missing entries.

        The files are fetched in a few requests and stay on disk as long as the list exists.

        Parameters
        ----------
        ids, obj_ids, series_obj_ids, hashes : iterable, optional
            The list: one of these. Names are compared exactly, and hashes with the MD5 of the files.
        positions : array_like of shape (n, 2), or astropy SkyCoord of shape (n,), optional
            Right ascension and declination, ICRS [deg]; with ``radius`` [deg].
        missing : {"ignore", "raise"}
            What to do about entries without a visible series and damaged files, which the result lists.
        **options
            Criteria as in :meth:`find`, and ``columns``, ``mjd_min``, ``mjd_max``, ``row_min``, ``row_max``,
            ``max_points``, ``derive``, ``bin``, ``detrend`` and ``clip`` as in :meth:`get`.

        Returns
        -------
        SeriesList
            The series in the order of the list, with ``missing`` (entries of the list), ``damaged`` (ids), ``frames``,
            ``metadata`` and :meth:`~photseries.client.lists.SeriesList.to_pandas`.

        Raises
        ------
        NotFoundError, DamagedError
            With ``missing="raise"``, when the result is incomplete.
        AlteredError
            When the answer differs from its manifest.
        InvalidError
            When there is not exactly one list, or an entry or an option is invalid.
        UnreachableError
            When the answer was interrupted repeatedly.
        """
        if missing not in ("ignore", "raise"):
            raise ValueError('missing must be "ignore" or "raise"')
        lists = given_lists(ids, obj_ids, series_obj_ids, hashes, positions)
        series_list = get_list(self._transport, ListQuery(lists, options))
        if missing == "raise":
            require_found(series_list)
        return series_list

    def collection(  # noqa: PLR0913  one of the lists is given
        self,
        *,
        ids: Iterable[int] | None = None,
        obj_ids: Iterable[str] | None = None,
        series_obj_ids: Iterable[str | int] | None = None,
        hashes: Iterable[str] | None = None,
        positions: object = None,
        cache: str | os.PathLike[str] | None = None,
        workers: int = 2,
        progress: bool | None = None,
        **criteria: Unpack[ConeCriteria],
    ) -> Collection:
        """Return a collection, which prefetches a few series during iteration.

        Parameters
        ----------
        ids, obj_ids, series_obj_ids, hashes, positions : optional
            A list, as in :meth:`get_many`; default: all series that match the criteria.
        cache : path, optional
            A folder that keeps the files; changed series are fetched again.
        workers : int
            Number of simultaneous requests.
        progress : bool, optional
            Whether to show a progress bar; default: in a terminal or a notebook.
        **criteria
            As in :meth:`find`.

        Returns
        -------
        Collection
        """
        lists = given_lists(ids, obj_ids, series_obj_ids, hashes, positions)
        return Collection(self._transport, lists, criteria, cache=cache, workers=workers, progress=progress)

    def count(self, **criteria: Unpack[ConeCriteria]) -> int:
        """Count the series that match criteria, as in :meth:`find`."""
        return int(self._transport.read(SERIES, {**arguments(criteria), "numPerPage": "1"})["totalMatches"])

    def summary(self, **criteria: Unpack[ConeCriteria]) -> Summary:
        """Count the matching series, by instrument, filter, series_name and owner, with sources and time span."""
        result: Summary = self._transport.read(f"{SERIES}/summary", arguments(criteria))
        return result

    def positions(self, positions: object, radius: object, **criteria: Unpack[Criteria]) -> pd.DataFrame:
        """Find the series around each of many positions.

        Parameters
        ----------
        positions : array_like of shape (n, 2), or astropy SkyCoord of shape (n,)
            Right ascension and declination, ICRS [deg].
        radius : float or Quantity
            [deg]
        **criteria
            As in :meth:`find`, without an order.

        Returns
        -------
        DataFrame
            As for :meth:`find`, with the index of the ``position`` and the ``separation`` [arcsec], sorted by these; a
            series near several positions occurs several times.
        """
        matches = search.near(self._transport, positions, radius, arguments(criteria))
        return search.series_frame(matches, ("position", "separation"))

    def history(self, series_id: int) -> list[Event]:
        """List the changes of a series; users and values only for the owner and tokens that may change the series."""
        events: list[Event] = self._transport.read(f"{path_of(series_id)}/history")["history"]
        return events

    def periodogram(self, series_id: int, method: str = "lomb_scargle", **parameters: object) -> Periodogram:
        """Search a series for periods.

        Parameters
        ----------
        series_id : int
        method : {"lomb_scargle", "harmonics", "bls", "pdm", "window"}
        **parameters
            Others of ``GET .../periodogram``: ``min_period``, ``max_period`` [d, or a Quantity], ``peaks``,
            ``brightness`` ...

        Returns
        -------
        dict
            ``peaks``, the highest first, each with its ``period`` and ``power``; ``frequency`` [1/d] and ``power`` as
            lists; and the searched range (docs/api.md).

        Raises
        ------
        InvalidError
            When the series allows no search, or a parameter is unknown.
        LateError, NotInstalledError, NotFoundError
        """
        query = {"method": method, **analysis_arguments(parameters)}
        result: Periodogram = self._transport.read(f"{path_of(series_id)}/periodogram", query)
        return result

    def source_periodogram(self, source: str, **parameters: object) -> SourcePeriodogram:
        """Search all visible series of a source for a common period, by multi-band Lomb-Scargle.

        Parameters
        ----------
        source : str
            The obj_id.
        **parameters
            Of ``GET /api/sources/ID/periodogram``: ``min_period``, ``max_period`` [d], ``peaks`` ...

        Returns
        -------
        dict
            As of :meth:`periodogram`, with the ids of the ``series``.

        Raises
        ------
        InvalidError, LateError, NotFoundError
        """
        path = f"/api/sources/{quote(source, safe='')}/periodogram"
        result: SourcePeriodogram = self._transport.read(path, analysis_arguments(parameters))
        return result

    def periods(self, series_id: int) -> list[Period]:
        """List the periods of a series, the preferred one first: ``period`` [d], ``method``, ``who``, ``when`` ..."""
        result: list[Period] = self._transport.read(f"{path_of(series_id)}/periods")["periods"]
        return result

    def put_period(self, series_id: int, period: float, method: str, *, preferred: bool = False) -> None:
        """Store a period of a series, replacing your earlier one of the same method.

        Parameters
        ----------
        series_id : int
        period : float
            [d]
        method : str
            Name of the method that found the period.
        preferred : bool
            Whether searches use it as the ``period`` of the series; only for the owner and tokens that may change the
            series.

        Raises
        ------
        ForbiddenError, InvalidError, NotFoundError
        """
        written = message(plain_fields({"period": period, "method": method, "preferred": preferred}))
        self._transport.write("PUT", f"{path_of(series_id)}/periods", written, repeatable=True)

    def delete_periods(self, series_id: int, method: str | None = None) -> None:
        """Remove your own periods of a series: all, or one method's."""
        query = {} if method is None else {"method": method}
        self._transport.write("DELETE", f"{path_of(series_id)}/periods", repeatable=True, params=query)

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """List the visible entries of a registry."""
        return list(search.entries(self._transport, kind))

    def upload(
        self,
        data: object,
        *,
        if_exists: IfExists = "error",
        dry_run: bool = False,
        options: ReadOptions | None = None,
        **fields: object,
    ) -> Uploaded:
        """Store a series.

        Parameters
        ----------
        data : DataFrame, mapping of arrays, array, astropy Table or TimeSeries, lightkurve LightCurve, or path
            The table, or a file of one of the formats of :data:`photseries.formats.READERS`. The arrays of a mapping
            may be Quantities and Times; a numpy array must be structured.
        if_exists : {"error", "skip", "replace"}
            What to do with an existing series (same obj_id, instrument_id, filter, series_name, series_obj_id, channel
            and origin). A skipped series with a different table causes a warning.
        dry_run : bool
            Let the service check everything and store nothing.
        options : ReadOptions, optional
            The roles of columns, the format of times, and other read options.
        **fields
            The metadata, which override metadata in the data. ``flux_unit`` and ``magsys`` describe the data; flux
            densities are stored in uJy. Numbers with a unit may be Quantities, and ``position`` replaces ``ra`` and
            ``dec`` as in :meth:`find`.

        Returns
        -------
        Uploaded

        Raises
        ------
        InvalidError
            When the data or the fields are invalid; ``fields`` lists all problems by name.
        DuplicateError
            When the series exists, and ``if_exists`` is "error".
        OutcomeUnknownError
            When it is unknown whether the series was stored; repeat the call with ``if_exists="skip"``.
        """
        reading_options, metadata = split_options(options, fields)
        return self._uploader.upload(one_of(collect(data, reading_options)), metadata, if_exists, dry_run)

    def upload_many(  # noqa: PLR0913  how many series come
        self,
        items: Any,
        *,
        by: str | Sequence[str] | None = None,
        metadata: Mapping[str, object] | pd.DataFrame | None = None,
        bulk: bool | None = None,
        in_flight: int = 8,
        if_exists: IfExists = "error",
        on_error: Literal["continue", "abort"] = "continue",
        dry_run: bool = False,
        options: ReadOptions | None = None,
        **fields: object,
    ) -> Iterator[Outcome]:
        """Store many series: small ones together in one request, others in a few simultaneous requests.

        Parameters
        ----------
        items : iterable, DataFrame, table of Arrow, or path
            Data as for :meth:`upload`, or pairs of data and a dict of fields; consumed as uploads finish, so that few
            are in memory. Alternatively one table with many series, or the path of a Parquet or Arrow file, which is
            sent unparsed unless an option needs its columns.
        by : str or sequence of str, optional
            The columns that identify the series of a table or file, or of each item. Default: each row of a table is a
            series, with lists as the columns of its table.
        metadata : mapping or DataFrame, optional
            Fields for all series, like ``fields``; or, with ``by``, a DataFrame with these columns and the fields of
            each series.
        bulk : bool, optional
            Whether to send small series together, which needs pyarrow. Default: only for many tables in memory, not for
            files.
        in_flight : int
            Number of simultaneous uploads of single series.
        on_error : {"continue", "abort"}
            "abort", for a table or a file of many series: store nothing unless the whole of it is valid.
        if_exists, dry_run, options
            As in :meth:`upload`.
        **fields
            Metadata for all series; the fields of an item override them. Without a ``batch`` the series get a unique
            one, which :meth:`undo` accepts.

        Yields
        ------
        Outcome
            The result or the error of each series, in the order of completion. An item is one series, or several with
            ``ReadOptions(split_by=...)``. A series with the key of another one in the call gets a DuplicateError,
            regardless of ``if_exists``. For a table the item is a dict of the values of ``by``.

        Raises
        ------
        UnreachableError, UnauthorizedError
            When no further item can succeed.
        """
        columns = tuple(names_of(by or ()))
        shared = metadata if isinstance(metadata, Mapping) else {}
        fields = plain_fields({"batch": new_batch(), **shared, **fields})
        sender = BulkUploader(self._transport, if_exists, on_error, dry_run)
        if is_unparsed(items, options, metadata):
            return sender.file(items, columns, fields)
        if is_table(items):
            return sender.table(with_metadata(items, columns, metadata), columns, fields)

        reached = UploadTracker(keeps_keys=bulk is not False)
        uploader = ManyUploader(self._uploader, columns, if_exists, dry_run, options, fields, reached)
        return BatchedUpload(sender, uploader, in_flight, bulk).upload(as_items(items))

    def update(
        self,
        series_id: int,
        data: object = None,
        *,
        if_match: int | None = None,
        options: ReadOptions | None = None,
        **fields: object,
    ) -> tuple[str, ...]:
        """Change a series: its table, its metadata, or both.

        Parameters
        ----------
        series_id : int
        data : optional
            The new table, as in :meth:`upload`; default: unchanged.
        if_match : int, optional
            Only if the series still has this ``revision``.
        options : ReadOptions, optional
        **fields
            Fields to change; None clears a field, and other fields stay unchanged.

        Returns
        -------
        tuple of str
            Warnings of the reader and of the service about the new table.

        Raises
        ------
        PreconditionFailedError
            When the series has another revision.
        ForbiddenError, InvalidError, NotFoundError
        """
        return changes.update(self._transport, series_id, data, if_match, options, fields)

    def delete(self, series_id: int, *, if_match: int | None = None) -> None:
        """Remove a series; with ``if_match`` only if it still has this ``revision``.

        Raises
        ------
        PreconditionFailedError
            When the series has another revision.
        ForbiddenError, NotFoundError
        """
        changes.delete(self._transport, series_id, if_match)

    def purge_history(self, series_id: int, *, if_match: int | None = None) -> None:
        """Permanently remove the values and files of earlier revisions; raises the errors of :meth:`delete`."""
        path, headers = f"{path_of(series_id)}/history", changes.if_revision(series_id, if_match)
        self._transport.write("DELETE", path, repeatable=if_match is None, headers=headers)

    def restore(self, series_id: int, revision: int | None = None, *, if_match: int | None = None) -> int:
        """Restore a deleted series, or make an earlier revision of a series the newest.

        Parameters
        ----------
        series_id : int
        revision : int, optional
            The revision whose metadata and table to restore; default: the last one of a deleted series.
        if_match : int, optional
            Only if the series still has this ``revision``.

        Returns
        -------
        int
            The new revision.

        Raises
        ------
        ExpiredError
            When the file of the revision is no longer kept.
        DuplicateError
            When another series has taken the key meanwhile.
        MissingReferenceError
            When the source, the instrument or another entry was deleted.
        ForbiddenError, InvalidError, NotFoundError, PreconditionFailedError
        """
        written = message({} if revision is None else {"revision": revision})
        path, headers = f"{path_of(series_id)}/restore", changes.if_revision(series_id, if_match)
        answer = self._transport.write("POST", path, written, repeatable=revision is not None, headers=headers)
        return int(answer["revision"])

    def undo(self, batch: str, *, dry_run: bool = False) -> dict[str, list[int]]:
        """Undo an upload batch: delete the series that it created, and restore the others.

        Parameters
        ----------
        batch : str
        dry_run : bool
            Report the outcome without changing anything.

        Returns
        -------
        dict of str to list of int
            The ids of the series by outcome: ``deleted``, ``restored``; for unchanged series ``changed`` (later),
            ``forbidden``, ``expired`` ... (docs/api.md).

        Raises
        ------
        NotFoundError
            When no series had this batch.
        """
        return changes.undo(self._transport, batch, dry_run)

    def create(self, kind: str, **fields: object) -> int | str:
        """Create an entry of a registry: a source, an instrument, a group ...

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
        answer = self._transport.write(
            "POST", f"/api/{quote(kind, safe='')}", message(plain_fields(fields)), repeatable=False
        )
        identity: int | str = answer["id"]
        return identity
