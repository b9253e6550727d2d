"""THE SCIENCE: what a photometric series is, and how its statistics are computed.

Pure functions on numpy arrays and pandas frames: no files, SQL, HTTP or settings, so that every number can be tested
alone. The modules:

* :mod:`~photseries.lightcurve.table`: accepted column spellings, :func:`~photseries.lightcurve.table.validate`
* :mod:`~photseries.lightcurve.curve`: the light curve in a table
* :mod:`~photseries.lightcurve.photometry`: flux and AB magnitude, their errors
* :mod:`~photseries.lightcurve.detection`: signal to noise
* :mod:`~photseries.lightcurve.statistics`: :func:`~photseries.lightcurve.statistics.summarize`
* :mod:`~photseries.lightcurve.metadata`: metadata inferred from columns, and the precedence of metadata sources
* :mod:`~photseries.lightcurve.bandpasses`: the allowed filter names
* :mod:`~photseries.lightcurve.digest`: the hash of a table's content, in any file format
"""
