"""The allowed filter names: those of sncosmo's bandpass registry, plus those of the configuration.

The list is a copy, so that sncosmo is not needed at run time; ``tests/compare_bandpasses.py`` compares it with an
installed sncosmo. Like SkyPortal, it has the registry's own names without aliases (``sdss::g`` for ``sdssg``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["BANDPASSES", "SNCOSMO_VERSION", "allowed_filters", "bandpass_of_profile", "profile_of"]

#: The release of sncosmo that the list is from.
SNCOSMO_VERSION = "2.13.1"

_HST_ACS = ("f435w", "f475w", "f555w", "f606w", "f625w", "f775w", "f850lp")
_HST_WFC3_IR = ("f098m", "f105w", "f110w", "f125w", "f127m", "f139m", "f140w", "f153m", "f160w")
_HST_WFC3_UVIS = (
    "f218w", "f225w", "f275w", "f300x", "f336w", "f350lp", "f390w", "f438w", "f689m", "f763m", "f845m",
)  # fmt: skip
_MIRI = (
    "f560w", "f770w", "f1000w", "f1065c", "f1130w", "f1140c", "f1280w", "f1500w", "f1550c", "f1800w", "f2100w",
    "f2300c", "f2550w",
)  # fmt: skip
_NIRCAM = (
    "f070w", "f090w", "f115w", "f140m", "f150w", "f162m", "f182m", "f200w", "f210m", "f250m", "f277w", "f300m", "f335m",
    "f356w", "f360m", "f410m", "f430m", "f444w", "f460m", "f480m",
)  # fmt: skip
_ROMAN = ("f062", "f087", "f106", "f129", "f146", "f158", "f184", "f213")
_UVOT = {"uvot::b": "B", "uvot::u": "U", "uvot::v": "V", "uvot::white": "white"}

#: Prefix of the names of a camera or system -> its bands.
_BANDS: Mapping[str, str] = {
    "2mass": "h j ks",
    "4shooter2::": "b i r us v",
    "atlas": "c o",
    "bessell": "b i r ux v",
    "csp": "b g hd hs i jd js k r u v3009 v3014 v9844 yd ys",
    "des": "g i r u y z",
    "euclid": "h j vis y",
    "gaia::": "g gbp grp grvs",
    "galex::": "fuv nuv",
    "goto": "b g l r",
    "hsc::": "g i i2 r r2 y z",
    "keplercam::": "b i r us v",
    "lsst": "g i r u y z",
    "megacam6::": "g i i2 r z",
    "nicf": "110w 160w",
    "ps1::": "g i open r w y z",
    "sdss": "g i r u z",
    "skymapper": "g i r u z",
    "standard::": "b i r u v",
    "uvf": "475w 555w 606w 625w 775w 814w 850lp",
    "uvot::": "b u uvm2 uvw1 uvw2 v white",
    "ztf": "g i r",
    "ztf::": "g i r",
}

#: The names in sncosmo's registry, sorted.
BANDPASSES: tuple[str, ...] = tuple(
    sorted(
        {
            *(f"{prefix}{band}" for prefix, bands in _BANDS.items() for band in bands.split()),
            *_HST_ACS,
            *_HST_WFC3_IR,
            *_HST_WFC3_UVIS,
            *_MIRI,
            *_NIRCAM,
            *_ROMAN,
            "kepler",
            "tess",
        }
    )
)

#: Bandpass -> id in the SVO Filter Profile Service, where the profile is certain (one detector, one release, one site).
#: If two names have one id, the first is preferred.
_PROFILES: Mapping[str, str] = {
    **{f"2mass{band.lower()}": f"2MASS/2MASS.{band}" for band in ("J", "H", "Ks")},
    "atlasc": "Misc/Atlas.cyan",
    "atlaso": "Misc/Atlas.orange",
    **{f"bessell{band.lower()}": f"Generic/Bessell.{band}" for band in "BVRI"},
    **{f"des{band.lower()}": f"CTIO/DECam.{band}" for band in "ugrizY"},
    "euclidvis": "Euclid/VIS.vis",
    **{f"euclid{band.lower()}": f"Euclid/NISP.{band}" for band in "YJH"},
    **{f"galex::{band.lower()}": f"GALEX/GALEX.{band}" for band in ("FUV", "NUV")},
    **{f"hsc::{band.lower()}": f"Subaru/HSC.{band}" for band in ("g", "r", "r2", "i", "i2", "z", "Y")},
    **{name: f"HST/ACS_WFC.{name.upper()}" for name in _HST_ACS},
    **{name: f"HST/WFC3_IR.{name.upper()}" for name in _HST_WFC3_IR},
    **{name: f"JWST/MIRI.{name.upper()}" for name in _MIRI},
    **{name: f"JWST/NIRCam.{name.upper()}" for name in _NIRCAM},
    "kepler": "Kepler/Kepler.K",
    **{f"lsst{band}": f"LSST/LSST.{band}" for band in "ugrizy"},
    **{f"ps1::{band}": f"PAN-STARRS/PS1.{band}" for band in ("g", "r", "i", "z", "y", "w", "open")},
    **{name: f"Roman/WFI.{name.upper()}" for name in _ROMAN},
    **{f"sdss{band}": f"SLOAN/SDSS.{band}" for band in "ugriz"},
    **{f"skymapper{band}": f"SkyMapper/SkyMapper.{band}" for band in "ugriz"},
    "tess": "TESS/TESS.Red",
    "tess::red": "TESS/TESS.Red",
    **{name: f"Swift/UVOT.{band}" for name, band in _UVOT.items()},
    **{f"uvot::{band.lower()}": f"Swift/UVOT.{band}" for band in ("UVM2", "UVW1", "UVW2")},
    **{f"ztf{band}": f"Palomar/ZTF.{band}" for band in "gri"},
    **{f"ztf::{band}": f"Palomar/ZTF.{band}" for band in "gri"},
}

_BANDPASSES_OF_PROFILES: Mapping[str, str] = {profile: name for name, profile in reversed(list(_PROFILES.items()))}


def profile_of(bandpass: str) -> str | None:
    """Return the id of a bandpass in the SVO Filter Profile Service, or None if it is not certain."""
    return _PROFILES.get(bandpass)


def bandpass_of_profile(profile: str) -> str | None:
    """Return the bandpass with an id in the SVO Filter Profile Service, or None."""
    return _BANDPASSES_OF_PROFILES.get(profile)


def allowed_filters(additional: Iterable[str]) -> tuple[str, ...]:
    """Return every allowed filter name.

    Parameters
    ----------
    additional : iterable of str
        Additional names from the configuration.

    Returns
    -------
    tuple of str
        Sorted, each name once.
    """
    return tuple(sorted({*BANDPASSES, *additional}))
