"""The colours of the pages, for every colour vision: contrast as in WCAG 2.1, differences as in CIE 1976."""

import itertools
import re

import numpy as np
import pytest

from photseries.server.http.pages import assets

#: Full deficiencies: G. M. Machado et al. 2009, IEEE TVCG 15, 1291, table 1.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)


def linear(colour):
    """The linear sRGB of ``#rrggbb``."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    darker, lighter = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def lab(colour, vision):
    x, y, z = np.cbrt(TO_XYZ @ np.clip(VISIONS[vision] @ linear(colour), 0, 1) / WHITE)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.fixture(params=["light", "dark"])
def palette(request):
    """The variables of the style sheets in a colour scheme."""
    text = "".join((assets._OWN / name).read_text() for name in ("style.css", "period.css"))
    rules = re.findall(r"(@media screen and \(prefers-color-scheme: dark\) \{\s*)?:root \{(.*?)\}", text, re.DOTALL)
    chosen = [body for dark, body in rules if bool(dark) == (request.param == "dark")]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", "".join(chosen)))


def test_the_edge_of_an_input_is_visible(palette):
    assert contrast(palette["edge"], palette["plot"]) >= 3


@pytest.mark.parametrize("vision", VISIONS)
def test_the_colours_of_filters_differ_for_every_colour_vision(palette, vision):
    """Blue and purple, of B and I, differed by only 8."""
    bands = [palette[f"band-{i}"] for i in range(8)]
    assert min(contrast(band, palette["plot"]) for band in bands) >= 3
    differences = [
        np.linalg.norm(lab(one, vision) - lab(other, vision)) for one, other in itertools.combinations(bands, 2)
    ]
    assert min(differences) > 15
