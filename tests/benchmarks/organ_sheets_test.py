"""The contact sheets, small, and the page that shows the committed ones."""

import pathlib
import re

import pytest
from PIL import Image

from benchmarks import organ_sheets
from spine_tf import cli

_DOCS = pathlib.Path(__file__).parents[2] / "docs"


@pytest.mark.slow
def test_writes_both_sheets(tmp_path):
    arguments = ("--num_examinations=1", "--num_cases=1", f"--output_dir={tmp_path}")
    assert cli.call(organ_sheets.define_flags, organ_sheets.main, arguments) == 0
    for name in ("planes", "abdomen"):
        with Image.open(tmp_path / f"organ_{name}.png") as image:
            assert image.width == 1000


def test_the_page_shows_the_committed_sheets():
    page = (_DOCS / "organ_phantom.md").read_text(encoding="utf-8")
    shown = re.findall(r"\(images/(organ_[^)]+)\)", page)
    assert sorted(shown) == sorted(path.name for path in (_DOCS / "images").glob("organ_*.png"))
