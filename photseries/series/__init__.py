"""THE SCIENCE: what a photometric series is and what its numbers are.

Pure functions on numpy arrays and pandas frames: no files, SQL, HTTP or settings, so that every number can be tested
alone. The modules:

* :mod:`~photseries.series.table`: accepted column spellings, :func:`~photseries.series.table.validate`, the light curve
* :mod:`~photseries.series.photometry`: flux and AB magnitude, their errors, S/N
* :mod:`~photseries.series.statistics`: :func:`~photseries.series.statistics.summarize`
* :mod:`~photseries.series.metadata`: what columns tell about the series, and which source of metadata wins
* :mod:`~photseries.series.bandpasses`: the allowed filter names
* :mod:`~photseries.series.digest`: the hash of a table's content, whatever file it came in
"""
