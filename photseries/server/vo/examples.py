"""The example queries (DALI 1.1), also in docs/vo.md."""

from __future__ import annotations

import html
from typing import Final, NamedTuple

from photseries.formats.xml import DECLARATION, escaped

__all__ = ["EXAMPLES", "Example", "document"]


class Example(NamedTuple):
    """A query with its name and description."""

    name: str
    title: str
    query: str


EXAMPLES: Final = (
    Example(
        "cone",
        "Series around a position, the nearest first",
        """SELECT TOP 100 id, obj_id, filter, DISTANCE(POINT(ra, dec), POINT(10.0, -20.0)) AS dist
FROM photseries.series
WHERE CONTAINS(POINT(ra, dec), CIRCLE(10.0, -20.0, 0.1)) = 1
ORDER BY dist""",
    ),
    Example(
        "obscore",
        "Time series in a field, from ObsCore",
        """SELECT target_name, obs_collection, t_min, t_max, access_url
FROM ivoa.obscore
WHERE dataproduct_type = 'timeseries' AND INTERSECTS(s_region, CIRCLE(10.0, -20.0, 1.0)) = 1""",
    ),
    Example(
        "source",
        "All series of a source, by name",
        """SELECT id, filter, series_name, mjd_first, mjd_last, num_exp, access_url
FROM photseries.series
WHERE obj_id = 'star'
ORDER BY mjd_first""",
    ),
    Example(
        "night",
        "Series with observations in a time interval",
        """SELECT id, obj_id, filter, mjd_first, mjd_last
FROM photseries.series
WHERE mjd_last >= 59000.0 AND mjd_first <= 59001.0
ORDER BY mjd_first""",
    ),
    Example(
        "variable",
        "Candidates for variable stars",
        """SELECT TOP 100 obj_id, filter, mean_mag, rms_mag, von_neumann, amplitude, median_snr
FROM photseries.series
WHERE von_neumann < 1 AND median_snr > 5 AND num_exp >= 10
ORDER BY von_neumann""",
    ),
    Example(
        "filters",
        "Number of series and rows per filter",
        """SELECT filter, COUNT(*) AS series, SUM(num_exp) AS observations
FROM photseries.series
GROUP BY filter
ORDER BY series DESC""",
    ),
    Example(
        "instruments",
        "Series with the name of their instrument",
        """SELECT i.name, i.telescope, COUNT(*) AS series, MIN(s.mjd_first) AS since
FROM photseries.series AS s JOIN photseries.instrument AS i ON i.id = s.instrument_id
GROUP BY i.name, i.telescope""",
    ),
    Example(
        "colour",
        "Pairs of series of one source in two filters, with WITH and JOIN",
        """WITH g AS (SELECT obj_id, mean_mag FROM photseries.series WHERE filter = 'ztfg'),
     r AS (SELECT obj_id, mean_mag FROM photseries.series WHERE filter = 'ztfr')
SELECT g.obj_id, g.mean_mag - r.mean_mag AS colour
FROM g JOIN r ON g.obj_id = r.obj_id""",
    ),
    Example(
        "polygon",
        "Series inside a polygon that are bright or have no magnitude",
        """SELECT id, obj_id, ra, dec, COALESCE(robust_mag, mean_mag) AS mag
FROM photseries.series
WHERE 1 = CONTAINS(POINT(ra, dec), POLYGON(9.0, -21.0, 11.0, -21.0, 11.0, -19.0, 9.0, -19.0))
  AND (mean_mag < 20 OR mean_mag IS NULL)""",
    ),
    Example(
        "columns",
        "The columns of a table, with units",
        """SELECT column_name, datatype, unit, ucd, description
FROM TAP_SCHEMA.columns
WHERE table_name = 'photseries.series'
ORDER BY column_index""",
    ),
)


def document(url: str) -> str:
    """Write the examples as XHTML with RDFa.

    Parameters
    ----------
    url : str
        Of the TAP service.
    """
    parts = "".join(
        f'<div id="{example.name}" resource="#{example.name}" typeof="example">\n'
        f'<h2 property="name">{escaped(example.title)}</h2>\n'
        f'<pre property="query">{html.escape(example.query, quote=False)}</pre>\n</div>\n'
        for example in EXAMPLES
    )
    return (
        f'{DECLARATION}<html xmlns="http://www.w3.org/1999/xhtml" lang="en">\n'
        "<head><title>Examples of ADQL</title></head>\n"
        '<body vocab="http://www.ivoa.net/rdf/examples#">\n<h1>Examples of ADQL</h1>\n'
        f"<p>Queries for the TAP service at <code>{escaped(url)}</code>.</p>\n{parts}</body>\n</html>\n"
    )
