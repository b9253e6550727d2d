"""The wavelength ranges of filters, from published values or transmission curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["WAVELENGTHS"]

#: The transmitted range of filters [nm], with the source of each line. A source in one word is a curve of speclite
#: 1.0.0 (its documentation cites the papers), to 1 % of its peak.
WAVELENGTHS: Final[Mapping[str, tuple[float, float]]] = {
    "kepler": (423.0, 897.0),  # Koch et al. 2010, ApJ 713, L79: 5 % of the peak
    "tess": (600.0, 1000.0),  # Ricker et al. 2015, JATIS 1, 014003
    "tess::red": (600.0, 1000.0),  # the same
    "sdssu": (308.0, 402.0),  # sdss2010-u
    "sdssg": (380.0, 554.0),  # sdss2010-g
    "sdssr": (544.0, 698.0),  # sdss2010-r
    "sdssi": (672.0, 836.0),  # sdss2010-i
    "sdssz": (794.0, 1070.0),  # sdss2010-z
    "desu": (335.0, 403.0),  # decam2014-u
    "desg": (394.0, 552.0),  # decam2014-g
    "desr": (551.0, 723.0),  # decam2014-r
    "desi": (695.0, 864.0),  # decam2014-i
    "desz": (829.0, 1010.0),  # decam2014-z
    "desy": (936.0, 1072.0),  # decam2014-Y
    "lsstu": (327.5, 403.3),  # lsst2023-u
    "lsstg": (389.4, 565.3),  # lsst2023-g
    "lsstr": (535.8, 704.1),  # lsst2023-r
    "lssti": (671.5, 836.6),  # lsst2023-i
    "lsstz": (800.7, 936.3),  # lsst2023-z
    "lssty": (908.7, 1089.5),  # lsst2023-y
    "ps1::g": (395.0, 559.0),  # panstarrs-g
    "ps1::r": (539.0, 703.0),  # panstarrs-r
    "ps1::i": (678.0, 830.0),  # panstarrs-i
    "ps1::z": (803.0, 934.0),  # panstarrs-z
    "ps1::y": (911.0, 1083.0),  # panstarrs-y
    "ps1::w": (397.0, 834.0),  # panstarrs-w
    "hsc::g": (395.0, 553.0),  # hsc2017-g
    "hsc::r": (538.0, 708.0),  # hsc2017-r
    "hsc::r2": (535.0, 711.0),  # hsc2017-r2
    "hsc::i": (677.0, 876.0),  # hsc2017-i
    "hsc::i2": (691.0, 865.0),  # hsc2017-i2
    "hsc::z": (837.0, 947.0),  # hsc2017-z
    "hsc::y": (904.0, 1079.0),  # hsc2017-y
    "gaia::g": (330.0, 1030.0),  # gaiadr3-G
    "gaia::gbp": (330.0, 673.0),  # gaiadr3-BP
    "gaia::grp": (620.0, 1042.0),  # gaiadr3-RP
    "2massj": (1082.0, 1406.0),  # twomass-J
    "2massh": (1486.0, 1818.0),  # twomass-H
    "2massks": (1957.0, 2352.0),  # twomass-Ks
    "bessellb": (370.0, 540.0),  # bessell-B
    "bessellv": (480.0, 680.0),  # bessell-V
    "bessellr": (560.0, 850.0),  # bessell-R
    "besselli": (710.0, 910.0),  # bessell-I
    "galex::fuv": (135.0, 175.0),  # galex-fuv
    "galex::nuv": (169.9, 300.0),  # galex-nuv
    "euclidvis": (516.0, 946.0),  # Euclid-VIS
    "euclidy": (945.0, 1230.0),  # Euclid-Y
    "euclidj": (1160.0, 1587.0),  # Euclid-J
    "euclidh": (1511.0, 2047.0),  # Euclid-H
}
