"""A series as the client hands it out."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from photseries.client.downloads import partial
from photseries.fields.stored import with_defaults
from photseries.formats.astropy_tables import light_curve, time_series
from photseries.hdf5 import Decoded, frames, plain_hdf5
from photseries.hdf5.limits import Limits

if TYPE_CHECKING:
    import pandas as pd
    from astropy.timeseries import TimeSeries
    from lightkurve import LightCurve

__all__ = ["Series", "read_file"]

#: What a service may be configured to accept at most, as far as this client is concerned: it may be hostile, too.
_LIMITS: Final = Limits(rows=2**31, columns=2**14, table=2**34, chunk=2**28)


def read_file(blob: bytes) -> Decoded:
    """Read a file that a service sent, with the careful reader: nothing in it is ever executed.

    Raises
    ------
    UnreadableFileError
        When it is damaged, or not one table.
    """
    raw = plain_hdf5.read(blob, _LIMITS, metadata="json")
    return Decoded(frames.build(raw), raw.metadata)


class Series:
    """A stored series: its metadata, and its table, which is fetched when it is asked for.

    Parameters
    ----------
    metadata : dict
        The fields as the service gave them.
    fetch : callable
        Gives the file, and the fields of the same moment.
    """

    def __init__(self, metadata: dict[str, Any], fetch: Callable[[], tuple[dict[str, Any], bytes]]) -> None:
        self.metadata = metadata
        self._fetch = fetch

    @property
    def id(self) -> int:
        """The id of the series."""
        return int(self.metadata["id"])

    def __repr__(self) -> str:
        facts = (str(self.metadata.get(name)) for name in ("obj_id", "filter", "series_name"))
        return f"<Series {self.id}: {', '.join(facts)}, {self.metadata.get('num_exp')} rows>"

    @cached_property
    def blob(self) -> bytes:
        """The stored HDF5 file, or one of the part that was asked for.

        When the series has changed since its metadata came, fetching the file renews them: both tell of one moment.

        Raises
        ------
        AlteredError
            When the whole file has another MD5 than the ``hash`` in the metadata.
        """
        self.metadata, blob = self._fetch()
        return blob

    @cached_property
    def data(self) -> pd.DataFrame:
        """The table: a frame equal to the one that was uploaded, in values, dtypes and order, or the part asked for.

        Raises
        ------
        UnreadableFileError
            When the file is damaged.
        """
        return self._decoded.frame

    @cached_property
    def _decoded(self) -> Decoded:
        return read_file(self.blob)

    @property
    def _described(self) -> dict[str, Any]:
        """The metadata, with the unit of the fluxes in the table: those that were derived are in uJy."""
        table = self._decoded
        return {**self.metadata, "flux_unit": with_defaults(table.metadata)["flux_unit"]}

    def to_hdf5(self, path: str | os.PathLike[str]) -> Path:
        """Write :attr:`blob`; gives its path. An existing file is replaced when all is there."""
        target = Path(path)
        with partial(target) as file:
            file.write(self.blob)
        return target

    def to_timeseries(self) -> TimeSeries:
        """Return an astropy ``TimeSeries``.

        Returns
        -------
        astropy.timeseries.TimeSeries
            ``time`` in the scale that the series names (astropy's ``local`` when it names none); fluxes in the unit of
            the table (``flux_unit``), magnitudes in mag; the other columns as they are, but a
            column ``time`` becomes ``time_as_read``; the fields as ``meta``. Rows without a time are left out.

        Raises
        ------
        StartError
            When astropy is not installed.
        """
        return time_series(self.data, self._described)

    def to_lightkurve(self) -> LightCurve:
        """Return a lightkurve ``LightCurve``, whose ``flux`` is derived from the magnitudes where there is no flux.

        Returns
        -------
        lightkurve.LightCurve
            Else as :meth:`to_timeseries`.

        Raises
        ------
        StartError
            When lightkurve is not installed.
        """
        return light_curve(self.data, self._described)
