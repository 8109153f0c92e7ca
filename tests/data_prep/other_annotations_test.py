"""Tests of data_prep.other_annotations."""

import sys

import numpy as np
import pytest

from data_prep import dicom, other_annotations, rejection
from spine_tf import geometry, levels
from tests.data_prep import dicom_samples, spider_samples

L6 = levels.VertebraLevel.L6


def write_map(path, numbers, lowest="L5", canal=True):
    """SPIDER's sample in another tool's numbers; `lowest` is the vertebra above the sacrum."""
    mask, other = spider_samples.make_mask(), spider_samples.make_mask() * 0
    to_number = {level: value for value, level in numbers.vertebrae.items()}
    disc_numbers = {disc: value for value, disc in numbers.discs.items()}
    found = [levels.VertebraLevel(name) for name in ("L3", "L4", "L5", "L6", "S1")]
    below = found[1:4] if lowest == "L6" else found[:3]
    for i, level in enumerate(reversed(below)):  # SPIDER counts upwards
        other[mask == 1 + i] = to_number[level]
    lowest_disc = levels.DiscLevel.between(below[-1], levels.VertebraLevel.S1)
    other[mask == 201] = disc_numbers[lowest_disc]
    if canal:
        other[mask == levels.SPIDER_CANAL] = numbers.canal[-1]
    spider_samples.write_image(path, other, spider_samples.make_affine())
    return other


def index_rows(corners_mm):
    return geometry.to_index(spider_samples.make_affine(), corners_mm)[:, 1]


@pytest.mark.parametrize("name", ["spider", "totalspineseg"])
def test_label_maps(tmp_path, name):
    write_map(tmp_path / "map.nii.gz", levels.LABEL_MAPS[name])
    annotation = other_annotations.from_label_map(str(tmp_path / "map.nii.gz"), name)
    assert [v.level.value for v in annotation.vertebrae] == ["L3", "L4", "L5"]
    assert annotation.source == f"{levels.LABEL_MAPS[name].name} masks"
    assert list(annotation.disc_corners_mm) == [levels.DiscLevel.L5_S1]
    # L5 is rows 60 to 73 of the sample, outer edges at half pixels.
    rows = index_rows(annotation.vertebrae[-1].corners_mm)
    np.testing.assert_allclose(rows, [59.5, 59.5, 73.5, 73.5], atol=0.7)


def test_two_maps_of_spineps_with_l6(tmp_path):
    numbers = levels.LABEL_MAPS["spineps"]
    write_map(tmp_path / "x_seg-vert_msk.nii.gz", numbers, lowest="L6", canal=False)
    write_map(tmp_path / "x_seg-spine_msk.nii.gz", numbers)
    path = str(tmp_path / "x_seg-vert_msk.nii.gz")
    annotation = other_annotations.from_label_map(path, "spineps")
    assert [v.level.value for v in annotation.vertebrae] == ["L4", "L5", "L6"]
    assert list(annotation.disc_corners_mm) == [levels.DiscLevel.L6_S1]
    assert other_annotations.is_second_map(str(tmp_path / "x_seg-spine_msk.nii.gz"))


def test_a_map_without_canal_is_rejected(tmp_path):
    write_map(tmp_path / "map.nii.gz", levels.LABEL_MAPS["totalspineseg"], canal=False)
    with pytest.raises(rejection.RejectedInput, match=r"spinal canal \(1 or 2\), got none"):
        other_annotations.from_label_map(str(tmp_path / "map.nii.gz"), "totalspineseg")


def write_spinenet(path, labels=("L4", "L5"), slices="[1, 2, 3]"):
    """Bodies of 20 x 12 pixels, 20 rows apart; the first corner is at the back, as SpineNet's."""
    lines = ["polys,average_polygon,slice_nos,predicted_label"]
    for i, label in enumerate(labels):
        top, bottom = 10 + 20 * i, 22 + 20 * i
        corners = f"[[ 30. {top}.]\n [30. {bottom}.]\n [10. {bottom}.]\n [10. {top}.]]"
        lines.append(f'"[[1, 2]]","{corners}","{slices}",{label}')
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture
def series(tmp_path):
    """Six slices of 80 x 50 pixels of 0.9 x 0.6 mm."""
    array = dicom_samples.make_array(6, 80, 50)
    dicom_samples.write_series(tmp_path / "series", array=array)
    return dicom.scan_folder(str(tmp_path / "series")).series[0]


def test_polygons_of_spinenet_become_quads(tmp_path, series):
    annotation = other_annotations.from_spinenet(write_spinenet(tmp_path / "a.csv"), series)
    assert [v.level.value for v in annotation.vertebrae] == ["L4", "L5"]
    # The sample's affine: slices 5 mm apart from x = -10, y = -20 + 0.6 column, z = 30 - 0.9 row.
    expected = [[0, -14, 21], [0, -2, 21], [0, -2, 10.2], [0, -14, 10.2]]
    np.testing.assert_allclose(annotation.vertebrae[0].corners_mm, expected, atol=1e-6)


def test_slices_of_spinenet_follow_the_instance_numbers(tmp_path, series):
    for path in series.paths:
        number = dicom_samples.pydicom.dcmread(path).InstanceNumber
        dicom_samples.edit(path, InstanceNumber=7 - number)
    path = write_spinenet(tmp_path / "a.csv", slices="[0, 1, 2]")
    annotation = other_annotations.from_spinenet(path, series)
    # Slice 1 of the six, from the other side, is slice 4: x = -10 + 4 * 5.
    assert annotation.vertebrae[0].corners_mm[0, 0] == pytest.approx(10)


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "", "average_polygon,slice_nos\n"])
def test_another_csv_is_rejected(tmp_path, series, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(rejection.RejectedInput):
        other_annotations.from_spinenet(str(path), series)


def test_levels_that_there_are_not_here_are_left_out(tmp_path, series):
    path = write_spinenet(tmp_path / "a.csv", labels=("T3", "L4"))
    annotation = other_annotations.from_spinenet(path, series)
    assert [v.level.value for v in annotation.vertebrae] == ["L4"]


def test_seg_without_highdicom_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(ImportError, match=r"pip install 'spine-tf\[seg\]'"):
        other_annotations.from_seg(str(tmp_path / "a.dcm"))


def write_seg(folder, path):
    """Writes SPIDER's sample as an MR series and as a DICOM SEG of it."""
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    mask, affine = spider_samples.make_mask(), spider_samples.make_affine()
    paths = dicom_samples.write_series(folder, affine, mask.astype(np.uint16))
    images = [dicom_samples.pydicom.dcmread(p) for p in paths]
    labels = {1: "vertebra L5", 2: "L4", 3: "L3", 100: "spinal canal", 201: "disc L5-S1"}
    code = highdicom.sr.CodedConcept("85756007", "SCT", "Tissue")
    segments = [
        highdicom.seg.SegmentDescription(
            segment_number=i + 1,
            segment_label=label,
            segmented_property_category=code,
            segmented_property_type=code,
            algorithm_type="MANUAL",
        )
        for i, label in enumerate(labels.values())
    ]
    pixels = np.zeros(mask.shape, np.uint8)
    for i, value in enumerate(labels):
        pixels[mask == value] = i + 1
    uid = highdicom.UID()
    highdicom.seg.Segmentation(
        images, pixels, "BINARY", segments, uid, 1, highdicom.UID(), 1, "a", "b", "1", "c"
    ).save_as(path)
    return images[0].SeriesInstanceUID


def test_seg(tmp_path):
    uid = write_seg(tmp_path / "series", tmp_path / "seg.dcm")
    found, annotation = other_annotations.from_seg(str(tmp_path / "seg.dcm"))
    assert found == uid
    assert [v.level.value for v in annotation.vertebrae] == ["L3", "L4", "L5"]
    assert list(annotation.disc_corners_mm) == [levels.DiscLevel.L5_S1]
    rows = index_rows(annotation.vertebrae[-1].corners_mm)
    np.testing.assert_allclose(rows, [59.5, 59.5, 73.5, 73.5], atol=0.7)
