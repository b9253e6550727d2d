"""Files of others: what their headers say of times, positions and filters, against astropy's own conversions."""

import io

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import parse
from astropy.time import Time

from photseries.errors import InvalidError
from photseries.formats import ReadOptions, one_of, read_bytes
from photseries.formats import fits as reader
from photseries.formats.registry import WRITERS
from photseries.lightcurve.bandpasses import BANDPASSES, bandpass_of_profile, profile_of
from tests.formats.test_round_trip import METADATA
from tests.formats.test_writing import tess

TIMES = np.array([60.25, 60.5, 61.0])


def in_fits(keywords, name="TIME", unit="d", times=TIMES, **more):
    columns = [
        fits.Column(name, "D", unit, array=times, **more),
        fits.Column("FLUX", "D", "uJy", array=np.arange(3.0)),
        fits.Column("BKG", "D", "electron/s", array=np.arange(3.0)),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update(keywords)
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(out)
    return one_of(read_bytes(out.getvalue(), "curve.fits", ReadOptions()))


@pytest.mark.parametrize(
    ("keywords", "unit", "mjd"),
    [
        ({"MJDREF": 58000.5}, "d", TIMES + 58000.5),
        ({"MJDREFI": 58000, "MJDREFF": 0.25}, "d", TIMES + 58000.25),
        ({"MJDREFI": 58000, "MJDREFF": 0.25, "TIMEZERO": 10.0}, "d", TIMES + 58010.25),
        ({"MJDREFI": 58000, "MJDREFF": 0.25, "TIMEZERI": 10, "TIMEZERF": 0.5}, "d", TIMES + 58010.75),
        ({"MJDREF": 58000.5, "TIMEZERO": 3600.0}, "s", TIMES / 86400 + 58000.5 + 1 / 24),
        ({"MJDREF": 58000.5, "TIMEUNIT": "s", "TIMEZERO": 43200.0, "TIMEOFFS": 4320.0}, "d", TIMES + 58001.05),
        ({"MJDREF": 58000.5, "TIMEUNIT": "h"}, None, TIMES / 24 + 58000.5),
        ({"MJDREF": 58000.5}, None, TIMES / 86400 + 58000.5),  # the standard's unit is s
        ({"JDREF": 2458000.5}, "d", TIMES + 58000.0),
        ({"BJDREFI": 2458000, "BJDREFF": 0.5}, "d", TIMES + 58000.0),
        ({"DATEREF": "2020-01-01T12:00:00"}, "d", TIMES + 58849.5),
    ],
)
def test_times_count_from_the_origin_in_the_header(keywords, unit, mjd):
    got = in_fits({**keywords, "TIMESYS": "TT", "TREFPOS": "GEOCENTER"}, unit=unit)
    np.testing.assert_allclose(got.frame["mjd"], mjd, rtol=0, atol=2e-11)
    assert got.fields == {"time_scale": "tt", "time_refpos": "geocenter", "column_units": {"BKG": "electron/s"}}
    assert got.warnings == ()


@pytest.mark.parametrize(
    ("keywords", "fields"),
    [
        ({"TIMESYS": "UTC", "TIMEREF": "LOCAL"}, {"time_scale": "utc", "time_refpos": "topocenter"}),
        ({"TIMESYS": "TDB", "TIMEREF": "SOLARSYSTEM"}, {"time_scale": "tdb", "time_refpos": "barycenter"}),
        ({"TIMESYS": "IAT", "TREFPOS": "HELIOCEN"}, {"time_scale": "tai", "time_refpos": "heliocenter"}),
        ({"TIMESYS": "tdt", "TREFPOS": "UNKNOWN"}, {"time_scale": "tt"}),
        ({"TIMESYS": "BJD_TDB"}, {"time_scale": "tdb"}),
        ({"TIMESYS": "TDB (BJD)"}, {"time_scale": "tdb"}),
        ({"TIMESYS": "MJD"}, {}),
        (
            {"TIMESYS": "UTC", "TCTYP1": "TDB", "TRPOS1": "BARYCENTER"},
            {"time_scale": "tdb", "time_refpos": "barycenter"},
        ),
        ({"TIMESYS": "UTC", "TCTYP1": "TIME", "TIMEPIXR": 0.0}, {"time_scale": "utc", "time_stamp_alignment": "start"}),
        ({"TIMEPIXR": 0.5}, {"time_stamp_alignment": "middle"}),
        ({"TIMEPIXR": 0.3}, {}),
        ({}, {}),
    ],
)
def test_time_frames_of_fits_files(keywords, fields):
    got = in_fits({"MJDREF": 58000.0, **keywords})
    assert {name: value for name, value in got.fields.items() if name != "column_units"} == fields


def test_mjd_column_is_unchanged():
    got = in_fits({"MJDREF": 0.0, "TIMESYS": "TDB"}, name="MJD", times=TIMES + 58000)
    np.testing.assert_array_equal(got.frame["mjd"], TIMES + 58000)
    assert got.fields["time_scale"] == "tdb"


def test_unsupported_time_scale_is_refused():
    got = in_fits({"MJDREF": 58000.0, "TIMESYS": "GPS"})
    assert "time_scale" not in got.fields
    assert got.warnings == ("The time scale GPS is not one that a series can have: time_scale is left unknown.",)


@pytest.mark.parametrize(("scale", "target"), [("tcb", "tdb"), ("tcg", "tt")])
def test_coordinate_times_are_converted(scale, target):
    expected = getattr(Time(TIMES + 58000, format="mjd", scale=scale), target).mjd
    for name, times in (("TIME", TIMES), ("MJD", TIMES + 58000)):
        got = in_fits({"MJDREF": 58000.0 if name == "TIME" else 0.0, "TIMESYS": scale.upper()}, name=name, times=times)
        np.testing.assert_allclose(got.frame["mjd"], expected, rtol=0, atol=2e-11)
        assert np.ptp(got.frame["mjd"] - TIMES - 58000) < 1e-7 < abs(got.frame["mjd"][0] - TIMES[0] - 58000)
        assert got.fields["time_scale"] == target


@pytest.mark.parametrize(
    ("keywords", "unit", "message"),
    [
        ({"MJDREF": "yesterday"}, "d", "MJDREF of its header is not a number"),
        ({"MJDREF": 58000.0}, "yr", "The unit of the times, 'yr', is not one of d, day, h"),
        ({"DATEREF": "yesterday"}, "d", "DATEREF of its header is not a date"),
        ({}, "d", "The format of the times in 'TIME'"),
    ],
)
def test_headers_without_a_time_frame_leave_it_unknown(keywords, unit, message):
    with pytest.raises(InvalidError, match=message):
        in_fits(keywords, unit=unit)


def votable(systems="", params="", fields="", cells="", first=0.0):
    rows = "".join(f"<TR><TD>{first + time}</TD><TD>1</TD>{cells}</TR>" for time in TIMES.tolist())
    text = f"""<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>{systems}
    <RESOURCE>{params}<TABLE>
    <GROUP name="photcal"><PARAM name="filterIdentifier" datatype="char" arraysize="*" value="Palomar/ZTF.r"
      utype="photDM:PhotometryFilter.identifier"/></GROUP>
    <FIELD name="obs_time" datatype="double" unit="d" ref="ts" ID="c1"/>
    <FIELD name="flux" datatype="double" unit="uJy"/>{fields}
    <DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></RESOURCE></VOTABLE>"""
    return one_of(read_bytes(text.encode(), "curve.vot", ReadOptions()))


@pytest.mark.parametrize(("origin", "zero"), [("MJD-origin", 0.0), ("2455197.5", 55197.0), ("2458000.25", 57999.75)])
def test_the_time_system_of_a_votable(origin, zero):
    got = votable(f'<TIMESYS ID="ts" timeorigin="{origin}" timescale="TT" refposition="GEOCENTER"/>')
    np.testing.assert_allclose(got.frame["mjd"], TIMES + zero, rtol=0, atol=2e-11)
    assert got.fields == {"filter": "ztfr", "time_scale": "tt", "time_refpos": "geocenter"}


def test_julian_dates_in_a_votable():
    got = votable('<TIMESYS ID="ts" timeorigin="JD-origin" timescale="TT" refposition="GEOCENTER"/>', first=2458000.5)
    np.testing.assert_allclose(got.frame["mjd"], TIMES + 58000.0, rtol=0, atol=2e-11)


def test_gaia_counts_in_tcb():
    got = votable('<TIMESYS ID="ts" timeorigin="2455197.5" timescale="TCB" refposition="BARYCENTER"/>')
    expected = Time(TIMES + 55197.0, format="mjd", scale="tcb").tdb.mjd
    np.testing.assert_allclose(got.frame["mjd"], expected, rtol=0, atol=2e-11)
    assert (got.fields["time_scale"], got.fields["time_refpos"]) == ("tdb", "barycenter")


SYSTEM = '<TIMESYS ID="ts" timeorigin="2455197.5" timescale="TCB" refposition="BARYCENTER"/>'


def param(name, value, **attributes):
    kind = 'datatype="double"' if isinstance(value, float) else 'datatype="char" arraysize="*"'
    more = "".join(f' {key}="{text}"' for key, text in attributes.items())
    return f'<PARAM name="{name}" {kind} value="{value}"{more}/>'


def test_params_are_fields():
    got = votable(
        SYSTEM,
        param("EXP_TIME", 2.0, unit="min")
        + param("obj_id", "ZTF 18abc")
        + param("filter", "ztfg")
        + param("channel", "a\\b")
        + param("limiting_mag", 20.5, unit="uJy")
        + param("owner_id", 7.0)
        + param("something", "else"),
    )
    told = {name: value for name, value in got.fields.items() if not name.startswith("time")}
    assert told == {"exp_time": 120.0, "obj_id": "ZTF 18abc", "filter": "ztfr"}
    assert [warning.partition(":")[0] for warning in got.warnings] == [
        "The PARAM 'channel' is left out",
        "The PARAM 'limiting_mag' is left out",
    ]


@pytest.mark.parametrize(
    ("system", "frame"),
    [
        ('<COOSYS ID="cs" system="eq_FK4" equinox="B1950"/>', {"frame": "fk4", "equinox": "B1950"}),
        ('<COOSYS ID="cs" system="eq_FK5"/>', {"frame": "fk5", "equinox": "J2000"}),
        ('<COOSYS ID="cs" system="ICRS"/>', {"frame": "icrs"}),
    ],
)
def test_positions_are_converted_to_icrs(system, frame):
    expected = SkyCoord(10.5, -20.25, unit="deg", **frame).icrs
    params = param("ra", 10.5, unit="deg", ref="cs") + param("dec", -20.25, unit="deg", ref="cs")
    fields = '<FIELD name="ra" datatype="double" ref="cs"/><FIELD name="dec" datatype="double" ref="cs"/>'
    of_params = votable(SYSTEM + system, params)
    of_columns = votable(SYSTEM + system, fields=fields, cells="<TD>10.5</TD><TD>-20.25</TD>")
    here = (expected.ra.deg, expected.dec.deg)
    assert (of_params.fields["ra"], of_params.fields["dec"]) == pytest.approx(here, abs=1e-12)
    if frame["frame"] == "icrs":
        assert "ra" not in of_columns.fields
        assert of_columns.warnings == ()
    else:
        assert (of_columns.fields["ra"], of_columns.fields["dec"]) == pytest.approx(here, abs=1e-12)
        assert of_columns.warnings[0].startswith("ra and dec were converted to ICRS from")
    assert of_columns.frame["ra"].tolist() == [10.5] * 3


def test_unknown_coordinate_system_causes_a_warning():
    got = votable(
        SYSTEM + '<COOSYS ID="cs" system="ecl_FK5"/>', param("ra", 10.5, ref="cs") + param("dec", 1.0, ref="cs")
    )
    assert got.fields["ra"] == 10.5
    assert got.warnings == ("Positions are in the system ecl_FK5, and are assumed to be ICRS: give ra and dec.",)


def test_profiles_of_bandpasses():
    """Ids of the SVO Filter Profile Service, by hand."""
    known = {
        "ztfg": "Palomar/ZTF.g", "ztf::r": "Palomar/ZTF.r", "2massks": "2MASS/2MASS.Ks", "tess::red": "TESS/TESS.Red",
        "sdssu": "SLOAN/SDSS.u", "ps1::open": "PAN-STARRS/PS1.open", "uvot::uvm2": "Swift/UVOT.UVM2",
        "f1500w": "JWST/MIRI.F1500W", "f140m": "JWST/NIRCam.F140M", "f140w": "HST/WFC3_IR.F140W", "bessellux": None,
        "atlasc": "Misc/Atlas.cyan", "hsc::y": "Subaru/HSC.Y", "desy": "CTIO/DECam.Y", "radio-3GHz": None,
    }  # fmt: skip
    assert {name: profile_of(name) for name in known} == known
    profiles = {name: profile for name in BANDPASSES if (profile := profile_of(name))}
    assert len(profiles) > 90
    assert {profile_of(str(bandpass_of_profile(profile))) for profile in profiles.values()} == set(profiles.values())
    assert bandpass_of_profile("Palomar/ZTF.g") == "ztfg"
    assert bandpass_of_profile("Nobody/Knows.x") is None


@pytest.mark.parametrize("form", ["votable", "fits"])
def test_units_of_further_columns_are_written(form):
    content = WRITERS[form].write(tess().assign(angle=1.0), {**METADATA, "column_units": {"bg": "electron/s"}})
    if form == "fits":
        columns = fits.open(io.BytesIO(content))[1].columns
        units = dict(zip(columns.names, columns.units, strict=True))
    else:
        units = {field.name: str(field.unit) for field in parse(io.BytesIO(content)).get_first_table().fields}
    assert units["bg"].replace(" ", "") == "electron/s"
    assert units["angle"] == ("" if form == "fits" else "None")


@pytest.mark.parametrize(
    ("params", "flux", "fields"),
    [
        ('<PARAM name="flux_unit" datatype="char" arraysize="*" value="mJy"/>', 1000.0, {}),
        ('<PARAM name="zeroPoint" datatype="double" value="26.4"/>', 0.1, {}),
        ('<PARAM name="zeroPoint" datatype="double" unit="mag" value="26.4"/>', 0.1, {}),
        ('<PARAM name="zeroPoint" datatype="double" unit="Jy" value="26.4"/>', 1.0, {}),
        ('<PARAM name="magsys" datatype="char" arraysize="*" value="VegaMag"/>', 1.0, {"magsys": "vega"}),
        ('<PARAM name="TIMESYS" datatype="char" arraysize="*" value="TAI"/>', 1.0, {"time_scale": "tai"}),
    ],
)
def test_params_of_a_votable_are_keywords(params, flux, fields):
    """By hand: 1 mJy is 1000 uJy; a zero point of 26.4 makes one unit 10^(0.4 (23.9 - 26.4)) uJy."""
    text = f"""<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>{params}<TABLE>
    <FIELD name="mjd" datatype="double"/><FIELD name="flux" datatype="double"/><FIELD name="mag" datatype="double"/>
    <DATA><TABLEDATA><TR><TD>59000</TD><TD>50</TD><TD/></TR><TR><TD>59001</TD><TD>-50</TD><TD>15</TD></TR></TABLEDATA>
    </DATA></TABLE></RESOURCE></VOTABLE>"""
    got = one_of(read_bytes(text.encode(), "x.vot", ReadOptions()))
    np.testing.assert_allclose(got.frame["flux"], [50 * flux, -50 * flux], rtol=1e-12)
    assert fields.items() <= got.fields.items()


def test_a_header_of_too_many_cards_is_refused(monkeypatch):
    monkeypatch.setattr(reader, "_MAX_CARDS", 100)
    cards = [{"MJDREF": 58000.5, **{f"K{number}": number for number in range(count)}} for count in (50, 100)]
    assert len(in_fits(cards[0]).frame) == 3
    with pytest.raises(InvalidError, match=r"its header has 1[12][0-9] cards; at most 100 are read"):
        in_fits(cards[1])


def with_photometry(*groups):
    """Return a VOTable with a magnitude and a group of the photometry data model for each (system, filter)."""
    elements = "".join(
        f'<GROUP><PARAM name="s" datatype="char" arraysize="*" value="{system}" '
        'utype="photDM:PhotCal.magnitudeSystem.type"/><PARAM name="f" datatype="char" arraysize="*" '
        f'value="{profile}" utype="photDM:PhotometryFilter.identifier"/></GROUP>'
        for system, profile in groups
    )
    fields = "".join(f'<FIELD name="{name}" datatype="double"/>' for name in ("mjd", "mag", "Kmag"))
    cells = "".join(f"<TD>{value}</TD>" for value in (59000, 15, 14))
    return (
        f'<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>{elements}{fields}'
        f"<DATA><TABLEDATA><TR>{cells}</TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


def test_calibrations_of_several_columns_conflict():
    """The last group was taken, whatever column it belongs to."""
    first, second = ("Vega", "Palomar/ZTF.r"), ("AB", "Palomar/ZTF.g")
    content = with_photometry(first, second)
    with pytest.raises(InvalidError, match=r"magnitude system 'vega and ab' .* state it \(magsys\)"):
        read_bytes(content, "x.vot", ReadOptions())
    got = one_of(read_bytes(content, "x.vot", ReadOptions(magsys="vega")))
    assert "filter" not in got.fields
    assert "left out, because it has several: Palomar/ZTF.r, Palomar/ZTF.g" in got.warnings[0]
    for other in (first, ("Vega", ""), ("", "Palomar/ZTF.r")):
        equal = one_of(read_bytes(with_photometry(first, other), "x.vot", ReadOptions()))
        assert (equal.fields["magsys"], equal.fields["filter"], equal.warnings) == ("vega", "ztfr", ())
