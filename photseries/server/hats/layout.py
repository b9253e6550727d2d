"""The layout of an export: its rows and columns, and series as Arrow tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from photseries.errors import StartError
from photseries.fields import EXPORTED, FIELDS
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.curve import MEASUREMENTS, light_curve
from photseries.server.catalogue.exporting import Member

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["HEALPIX", "LIGHT_CURVE", "Layout", "Row"]

#: The version of the layout; a change prevents the continuation of exports with another layout.
VERSION = 2

HEALPIX = "_healpix_29"
LIGHT_CURVE = "lightcurve"

Arrays = Mapping[str, NDArray[np.generic]]

#: The nested columns of a source that name the series of a measurement; each but the first is a field.
_OF_SERIES = {
    "series_id": "id",
    **{name: name for name in ("filter", "time_scale", "time_refpos", "time_stamp_alignment", "flux_unit", "magsys")},
}

_PLACE = {name: number for number, name in enumerate(EXPORTED)}


@dataclass(frozen=True)
class Row:
    """A row of an export: its series, and their measurements sorted by time, as equally long arrays by name."""

    members: Sequence[Member]
    measurements: Arrays

    @property
    def length(self) -> int:
        """The number of measurements."""
        return len(self.measurements["mjd"])


@dataclass(frozen=True)
class Layout:
    """The kind and the columns of the rows.

    Attributes
    ----------
    by_source : bool
        A row for each source, with the measurements of all its series; otherwise a row for each series.
    columns : tuple of str
        Additional columns of the tables, which become nested float64 columns; NaN where a table has no such
        numbers.

    Raises
    ------
    StartError
        When a column has the name of a fixed column.
    """

    by_source: bool = False
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.columns:
            if name in self.nested or self.columns.count(name) > 1:
                raise StartError(f"--column {name}: the light curves have a column of that name already.")

    @property
    def nested(self) -> tuple[str, ...]:
        """The nested columns that every export of this kind has."""
        return (*MEASUREMENTS, *_OF_SERIES) if self.by_source else MEASUREMENTS

    @property
    def signature(self) -> dict[str, object]:
        """The values that an export and its continuation must share, as plain values."""
        rows = "source" if self.by_source else "series"
        return {"version": VERSION, "rows": rows, "columns": list(self.columns)}

    def rows(self, members: Sequence[Member], table_of: Callable[[Member], pd.DataFrame]) -> Iterator[Row]:
        """Yield the rows of series in export order, one table at a time."""
        name = "obj_id" if self.by_source else "id"
        for _, group in groupby(members, key=lambda member: member.values[_PLACE[name]]):
            together = list(group)
            parts = [self._measurements(member, table_of(member)) for member in together]
            joined = parts[0] if len(parts) == 1 else {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
            order = np.argsort(joined["mjd"], kind="stable")
            yield Row(together, {key: values[order] for key, values in joined.items()})

    def _measurements(self, member: Member, table: pd.DataFrame) -> dict[str, NDArray[np.generic]]:
        calibration = calibration_of(dict(zip(EXPORTED, member.values, strict=True)))
        curve = light_curve(table, calibration)
        columns: dict[str, NDArray[np.generic]] = {name: getattr(curve, name) for name in MEASUREMENTS}
        if self.by_source:
            shared = {name: member.values[_PLACE[column]] for name, column in _OF_SERIES.items()}
            shared["flux_unit"] = calibration.unit  # the unit of exported fluxes
            columns |= {name: np.full(len(table), value, object) for name, value in shared.items()}
        for name in self.columns:
            is_number = name in table and pd.api.types.is_numeric_dtype(table[name])
            columns[name] = table[name].to_numpy(np.float64) if is_number else np.full(len(table), np.nan)
        return columns

    def schema(self, footer: Mapping[bytes, bytes] | None = None) -> pa.Schema:
        """Return the Arrow schema of the rows.

        Parameters
        ----------
        footer : mapping of bytes to bytes, optional
            The entries of the footer of a file with this schema.
        """
        import pyarrow as pa

        kinds = {
            "integer": pa.int64(),
            "id": pa.int64(),
            "number": pa.float64(),
            "mjd": pa.float64(),
            "boolean": pa.bool_(),
            "moment": pa.timestamp("us", "UTC"),
        }
        nested = {name: FIELDS[column].type for name, column in _OF_SERIES.items()} if self.by_source else {}
        lists = [
            (name, pa.list_(kinds.get(nested.get(name, "number"), pa.string())))
            for name in (*self.nested, *self.columns)
        ]
        types = _SOURCE if self.by_source else {name: FIELDS[name].type for name in EXPORTED}
        plain = [(name, kinds.get(kind, pa.string())) for name, kind in types.items()]
        return pa.schema([(HEALPIX, pa.int64()), *plain, (LIGHT_CURVE, pa.struct(lists))], metadata=footer)

    def table(self, rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
        """Return some rows as an Arrow table.

        Parameters
        ----------
        schema : pyarrow.Schema
            Of :meth:`schema`.
        """
        import pyarrow as pa

        values = [_source_values(row) if self.by_source else row.members[0].values for row in rows]
        columns = [[row.members[0].healpix for row in rows], *zip(*values, strict=True)]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=False)]
        offsets = pa.array(np.cumsum([0, *(row.length for row in rows)]), pa.int32())
        fields = list(schema.field(LIGHT_CURVE).type)
        lists = [
            pa.ListArray.from_arrays(
                offsets,
                pa.array(np.concatenate([row.measurements[field.name] for row in rows]), field.type.value_type),
                type=field.type,
            )
            for field in fields
        ]
        return pa.table([*arrays, pa.StructArray.from_arrays(lists, fields=fields)], schema=schema)


#: The columns of a source: position of its first series, number of series and measurements, filters, time range.
_SOURCE: Mapping[str, str] = {
    "obj_id": "text",
    "ra": "number",
    "dec": "number",
    "num_series": "integer",
    "num_exp": "integer",
    "filters": "text",
    "mjd_first": "mjd",
    "mjd_last": "mjd",
}


def _source_values(row: Row) -> tuple[object, ...]:
    def of(name: str) -> list[Any]:
        return [member.values[_PLACE[name]] for member in row.members]

    first = min(row.members, key=lambda member: member.values[_PLACE["id"]]).values
    filters = " ".join(sorted(set(of("filter"))))
    times = min(of("mjd_first")), max(of("mjd_last"))
    where = (first[_PLACE["ra"]], first[_PLACE["dec"]])
    return (first[_PLACE["obj_id"]], *where, len(row.members), sum(of("num_exp")), filters, *times)
