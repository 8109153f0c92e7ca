import os

import pytest

from data_prep import archive, dicom, header_scan
from tests.data_prep import dicom_samples


def make_tree(folder):
    """Studies, a text and a broken file: 66 files, more than a process reads at a time."""
    for number in range(4):
        dicom_samples.write_study(folder / f"{number}", f"1.2.{number}")
    for number in range(16):
        (folder / f"{number}.txt").write_text("text")
    (folder / "broken.dcm").write_text("text")
    (folder / "other.dcm").write_text("text")


def test_the_same_as_reading_a_folder(tmp_path):
    make_tree(tmp_path)
    shown = []
    found = header_scan.scan(
        archive.open_input(str(tmp_path)), progress=lambda items: shown.extend(items) or shown
    )
    assert found == dicom.scan_folder(str(tmp_path))
    assert len(shown) == found.num_files == 66
    assert len(found.rejections) == 2 and found.not_needed == {"not DICOM": 16}


@pytest.mark.slow
def test_two_processes_find_the_same(tmp_path):
    make_tree(tmp_path)
    listing = archive.open_input(str(tmp_path))
    assert header_scan.scan(listing, 2) == header_scan.scan(listing, 1)


def test_what_a_dicomdir_does_not_name_is_not_looked_at(tmp_path):
    make_tree(tmp_path)
    listing = archive.open_input(str(tmp_path))
    only = archive.Listing([name for name in listing.names if f"{os.sep}0{os.sep}" in name])
    assert len(header_scan.scan(only).series) == 3
