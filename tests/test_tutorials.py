"""Every tutorial runs as it is written, prints what it shows, and makes its pictures."""

import pytest

from tests.support import PATIENCE
from tests.tutorials import FOLDER, PICTURES, blocks_of, fits, pictures_of, run

PAGES = sorted(FOLDER.glob("*.md"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * PATIENCE)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tutorial_output_equals_the_documented_output(page, tmp_path):
    text = page.read_text("utf-8")
    blocks = blocks_of(text)
    assert blocks
    for block, printed in zip(blocks, run(page, tmp_path), strict=True):
        if block.expected is not None:
            assert fits(block.expected, printed), f"{block.code}\nprints\n{printed}"
    for picture in pictures_of(text):
        assert (tmp_path / picture).read_bytes()[:8] == (PICTURES / picture).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_wrong_output_is_found():
    (block,) = blocks_of("```python\nprint(1)\n```\n\n```text\n2\n```\n\n<!-- not run: no -->\n```sh\nfalse\n```\n")
    assert (block.language, block.code, block.expected) == ("python", "print(1)\n", "2\n")
    assert not fits(block.expected, "1\n")
    assert fits("a ... c\n", "a  b c\n")
