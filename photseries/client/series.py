"""A series as returned by the client."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

from photseries.client.curves import curve_of, draw
from photseries.client.display import series_html
from photseries.client.downloads import partial
from photseries.errors import PhotseriesError
from photseries.fields.stored import with_defaults
from photseries.formats.astropy_tables import light_curve, time_series
from photseries.hdf5 import StoredContent, frames, stored_file
from photseries.hdf5.limits import Limits
from photseries.lightcurve.calibration import Unit
from photseries.text import file_name

if TYPE_CHECKING:
    import pandas as pd
    from astropy.timeseries import TimeSeries
    from lightkurve import LightCurve
    from matplotlib.axes import Axes

__all__ = ["Series", "read_file"]

#: The limits of a downloaded file; the service may be misconfigured or hostile.
_LIMITS: Final = Limits(rows=2**31, columns=2**14, table=2**34, chunk=2**28)

#: Maximum rows fetched for the plot in a notebook; of a longer table the service sends a part.
_PREVIEWED: Final = 20_000


def read_file(blob: bytes) -> StoredContent:
    """Read a file that a service sent, without executing any of its content.

    Raises
    ------
    UnreadableFileError
        When it is damaged, or not one table.
    """
    raw = stored_file.read(blob, _LIMITS)
    return StoredContent(frames.build(raw), raw.metadata)


class Series:
    """A stored series: its metadata, and its table, which is fetched on first use.

    Every field of :attr:`metadata` is an attribute (``series.obj_id``), every column of :attr:`data` an item
    (``series["flux"]``); ``len(series)`` is the number of rows.

    Parameters
    ----------
    metadata : dict
        The fields from the service.
    fetch : callable
        Returns the file, and the fields of the same revision.
    preview : callable, optional
        The same for a part of the table that suffices for a small plot; None if ``fetch`` returns a part or an earlier
        revision.
    is_near : bool
        Whether ``fetch`` is so fast that the file need not stay in memory with the table.
    """

    def __init__(
        self,
        metadata: dict[str, Any],
        fetch: Callable[[], tuple[dict[str, object], bytes]],
        preview: Callable[[], tuple[dict[str, object], bytes]] | None = None,
        *,
        is_near: bool = False,
    ) -> None:
        self.metadata = metadata
        self._fetch = fetch
        self._preview = preview
        self._is_near = is_near

    @property
    def id(self) -> int:
        """The id of the series."""
        return int(self.metadata["id"])

    def __repr__(self) -> str:
        facts = (str(self.metadata.get(name)) for name in ("obj_id", "filter", "series_name"))
        return f"<Series {self.id}: {', '.join(facts)}, {self.metadata.get('num_exp')} rows>"

    def _repr_html_(self) -> str:
        """Return the series for a notebook: a small plot and the main fields; long tables are fetched in part."""
        try:
            is_partial = self._preview is not None and len(self) > _PREVIEWED and "blob" not in vars(self)
            table = read_file(self._preview()[1]) if self._preview is not None and is_partial else self._decoded
            curve = curve_of(table.frame, _with_flux_unit(table, self.metadata))
        except PhotseriesError as error:
            return series_html(self.metadata, None, error.message)
        return series_html(self.metadata, curve)

    def __getattr__(self, name: str) -> Any:
        """Return a field of the metadata."""
        metadata = vars(self).get("metadata", {})
        if name in metadata:
            return metadata[name]
        raise AttributeError(f"A series has no attribute or field {name!r}.")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.metadata]

    @overload
    def __getitem__(self, column: str) -> pd.Series: ...
    @overload
    def __getitem__(self, column: list[str]) -> pd.DataFrame: ...
    def __getitem__(self, column: str | list[str]) -> pd.Series | pd.DataFrame:
        """Return a column of the table, or those of a list.

        Raises
        ------
        KeyError
            When the table does not have it.
        """
        for name in column if isinstance(column, list) else [column]:
            if name not in self.data:
                raise KeyError(f"The table has no column {name!r}, only {', '.join(map(str, self.data))}")
        return self.data[column]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(map(str, self.data))

    def __contains__(self, column: object) -> bool:
        return column in self.data

    def __len__(self) -> int:
        """Return the number of rows; of a part of the table it is known when the part has been fetched."""
        return int(self.metadata["num_exp"]) if self._preview is not None else len(self.data)

    @cached_property
    def blob(self) -> bytes:
        """The stored HDF5 file, or one with the requested part.

        If the series has changed since its metadata were fetched, fetching the file updates them, so that both match.

        Raises
        ------
        AlteredError
            When the MD5 of the whole file differs from the ``hash`` in the metadata.
        """
        self.metadata, blob = self._fetch()
        return blob

    @cached_property
    def data(self) -> pd.DataFrame:
        """The table, equal to the uploaded one in values, dtypes and order, or the requested part.

        Raises
        ------
        UnreadableFileError
            When the file is damaged.
        """
        return self._decoded.frame

    @cached_property
    def _decoded(self) -> StoredContent:
        return read_file(self._fetch()[1] if self._is_near else self.blob)

    def plot(self, ax: Axes | None = None, *, unit: Unit | None = None, **style: object) -> Axes:
        """Draw the light curve with matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Default: the axes of a new figure.
        unit : {"flux", "mag"}, optional
            Default: as in the table. The axis of magnitudes is inverted.
        **style
            Passed on to matplotlib's ``errorbar``, or to ``plot`` for a long table.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InvalidError
            When the table lacks this brightness and it cannot be derived.
        StartError
            When matplotlib is not installed: ``pip install 'photseries[plots]'``.
        """
        title = f"{self.metadata.get('obj_id')}, {self.metadata.get('filter')}"
        return draw(curve_of(self.data, _with_flux_unit(self._decoded, self.metadata), unit), ax, title, style)

    def to_hdf5(self, path: str | os.PathLike[str] = ".") -> Path:
        """Write :attr:`blob` to a file, or into a folder under the name of the series; return its path.

        An existing file is replaced once the new one is complete.
        """
        target = Path(path).expanduser()
        if target.is_dir():
            target /= file_name(self.metadata, ".h5")
        with partial(target) as file:
            file.write(self.blob)
        return target

    def to_timeseries(self) -> TimeSeries:
        """Return an astropy ``TimeSeries``.

        Returns
        -------
        astropy.timeseries.TimeSeries
            ``time`` in the time scale of the series (astropy's ``local`` if unknown); fluxes in the unit of the table
            (``flux_unit``), magnitudes in mag; the other columns unchanged, except that a column ``time`` becomes
            ``time_as_read``; the fields as ``meta``. Rows without a time are omitted.

        Raises
        ------
        StartError
            When astropy is not installed.
        """
        return time_series(self.data, _with_flux_unit(self._decoded, self.metadata))

    def to_lightkurve(self) -> LightCurve:
        """Return a lightkurve ``LightCurve``, with ``flux`` derived from the magnitudes if there is no flux.

        Returns
        -------
        lightkurve.LightCurve
            Otherwise as :meth:`to_timeseries`.

        Raises
        ------
        StartError
            When lightkurve is not installed.
        """
        return light_curve(self.data, _with_flux_unit(self._decoded, self.metadata))


def _with_flux_unit(table: StoredContent, metadata: dict[str, object]) -> dict[str, object]:
    """Return the metadata with the unit of the fluxes in the table; derived fluxes are in uJy."""
    return {**metadata, "flux_unit": with_defaults(table.metadata)["flux_unit"]}
