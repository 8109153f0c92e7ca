"""Which crops a scan gives; how they are cut is tested in spine_tf/data/crops_test.py."""

import dataclasses

import numpy as np
import pytest

from data_prep import scan_crops
from spine_tf import gradings, levels, vertebrae
from spine_tf.data import crops, intensity, schema
from tests import tiny_export

IDENTITY = {
    "subject": "s",
    "family": "f",
    "scan": "c",
    "visit": 1,
    "days": 9,
    "field_strength_t": 1.5,
}


@pytest.fixture(scope="module")
def scan():
    return tiny_export.make_volume()


def _annotation(*names):
    return tiny_export.make_annotation(names=names)


def _renamed(annotation, **names):
    """The same quads under other names, here L6 for S1."""
    found = tuple(
        dataclasses.replace(v, level=levels.VertebraLevel(names.get(v.level.value, v.level.value)))
        for v in annotation.vertebrae
    )
    return vertebrae.Annotation(found)


def _names(annotation):
    return [[v.level.value for v in run] for run in scan_crops.columns(annotation)]


def test_a_gap_parts_the_column():
    assert _names(_annotation("T12", "L1", "L3", "L4", "L5")) == [["T12", "L1"], ["L3", "L4", "L5"]]


def test_one_vertebra_alone_is_left_out():
    assert _names(_annotation("T12", "L1", "L3", "L5", "S1")) == [["T12", "L1"], ["L5", "S1"]]
    assert _names(_annotation("L3")) == []


def test_levels_above_t12_are_left_out():
    found = _renamed(_annotation("T12", "L1", "L2"), T12="T11", L1="T12", L2="L1")
    assert _names(found) == [["T12", "L1"]]


def test_a_sixth_lumbar_vertebra(scan):
    found = _renamed(_annotation("L3", "L4", "L5", "S1"), L3="L4", L4="L5", L5="L6")
    assert _names(found) == [["L4", "L5", "L6", "S1"]]
    discs = scan_crops.disc_crops(scan, found, 0.5)
    assert list(discs) == ["L4-L5", "L5-L6", "L6-S1"]
    # L6 is no class of the level head: it is seen by its neighbours, but not stored.
    assert list(scan_crops.vertebra_crops(scan, found, 0.5)) == ["L4", "L5", "S1"]


def test_discs_and_bodies_beside_a_gap(scan):
    found = _annotation("T12", "L1", "L3", "L4")
    assert list(scan_crops.disc_crops(scan, found, 0.5)) == ["T12-L1", "L3-L4"]
    bodies = scan_crops.vertebra_crops(scan, found, 0.5)
    assert list(bodies) == ["T12", "L1", "L3", "L4"]
    # T12 and L1 know no neighbour but each other.
    for name, neighbour in (("T12", "L1"), ("L1", "T12"), ("L4", "L3")):
        corners_mm = found.by_level[levels.VertebraLevel(neighbour)].corners_mm
        index = crops.to_index(scan.affine, corners_mm[None, None])
        expected = float(intensity.median_inside(scan.array, index[0], crops.mid_slices(index[0])))
        assert bodies[name]["median"] == pytest.approx(expected)


def test_t12_takes_its_median_from_l1_alone(scan):
    whole = scan_crops.vertebra_crops(scan, _annotation("T12", "L1", "L2"), 0.5)
    alone = scan_crops.vertebra_crops(scan, _annotation("T12", "L1"), 0.5)
    np.testing.assert_array_equal(whole["T12"]["image"], alone["T12"]["image"])
    assert whole["L1"]["median"] != alone["L1"]["median"]


def _with_sacral_disc(*names, disc="L5-S1"):
    whole = _annotation("L4", "L5", "S1").by_level
    upper, lower = (whole[levels.VertebraLevel(name)].corners_mm for name in ("L5", "S1"))
    corners_mm = crops.disc_corners_mm(upper[None], lower[None])[0].numpy()
    quads = {levels.DiscLevel(disc): corners_mm}
    return dataclasses.replace(_annotation(*names), disc_corners_mm=quads)


def test_a_disc_with_its_own_quad_and_one_neighbour(scan):
    with_s1 = scan_crops.disc_crops(scan, _annotation("L4", "L5", "S1"), 0.5)
    without = scan_crops.disc_crops(scan, _with_sacral_disc("L4", "L5"), 0.5)
    assert list(without) == ["L4-L5", "L5-S1"]
    one, other = with_s1["L5-S1"], without["L5-S1"]
    assert other["width_mm"] == pytest.approx(one["width_mm"])
    assert other["angle_deg"] == pytest.approx(one["angle_deg"], abs=1e-4)
    # The same pixels, divided by the median of L5 in place of both neighbours'.
    assert other["median"] != one["median"]
    inside = (one["image"] < 1.9) & (other["image"] < 1.9)
    ratio = other["median"] / one["median"]
    np.testing.assert_allclose((other["image"] * ratio)[inside], one["image"][inside], atol=1e-4)


def test_a_quad_is_not_needed_where_both_neighbours_are_there(scan):
    found = scan_crops.disc_crops(scan, _with_sacral_disc("L4", "L5", "S1"), 0.5)
    expected = scan_crops.disc_crops(scan, _annotation("L4", "L5", "S1"), 0.5)
    np.testing.assert_array_equal(found["L5-S1"]["image"], expected["L5-S1"]["image"])


def test_a_quad_without_any_neighbour_gives_no_disc(scan):
    assert list(scan_crops.disc_crops(scan, _with_sacral_disc("L3", "L4"), 0.5)) == ["L3-L4"]


def test_records_of_a_scan(scan):
    grades = {"L4-L5": {"pfirrmann": 4}, "L1-L2": {"pfirrmann": 2}}
    found = scan_crops.encode_scan(scan, _annotation("L4", "L5", "S1"), IDENTITY, grades, 0.5)
    assert {kind: len(examples) for kind, examples in found.items()} == {
        schema.DISC: 2,
        schema.VERTEBRA_PAIRS: 3,
    }
    facts = schema.facts(found[schema.DISC][0])
    assert (facts["key"], facts["grades"]) == ("s/1/L4-L5", {"pfirrmann": 4})
    assert (facts["days"], facts["field_strength_t"]) == ([9], [1.5])
    assert facts["slice_pitch_mm"] == [5.0] and facts["spacing_mm"] == [5.0, 1.25, 1.1]
    parsed = schema.parse(schema.DISC, found[schema.DISC][1].SerializeToString(), 0.5)
    assert int(parsed["grading/pfirrmann"]) == gradings.NOT_GRADED


def test_a_thin_scan_has_a_pitch_of_four_millimetres(scan):
    affine = scan.affine.copy()
    affine[:3, 0] /= 5
    found = scan_crops.disc_crops(
        dataclasses.replace(scan, affine=affine), _annotation("L3", "L4"), 0.5
    )
    assert found["L3-L4"]["slice_pitch_mm"] == 4.0


def test_no_neighbours(scan):
    with pytest.raises(ValueError, match="must hold two neighbours between T12 and S1, got none"):
        scan_crops.encode_scan(scan, _annotation("L1", "L3", "L5"), IDENTITY, {}, 0.5)


def test_an_annotation_of_another_place(scan):
    affine = scan.affine.copy()
    affine[:3, 3] += 1000
    moved = dataclasses.replace(scan, affine=affine)
    with pytest.raises(ValueError, match="must lie inside the scan.*of another series"):
        scan_crops.encode_scan(moved, _annotation("L3", "L4"), IDENTITY, {}, 0.5)


def test_pairs_of_discs_are_those_of_the_level_head(scan):
    found = _renamed(_annotation("L3", "L4", "L5", "S1"), L3="L4", L4="L5", L5="L6")
    records = scan_crops.encode_scan(scan, found, IDENTITY, {}, 0.5, disc_pairs=True)
    keys = {
        kind: [example.features.feature["key"].bytes_list.value[0] for example in examples]
        for kind, examples in records.items()
    }
    assert keys["disc"] == [b"s/1/L4-L5", b"s/1/L5-L6", b"s/1/L6-S1"]
    # L5-L6 and L6-S1 are no classes of the level head.
    assert keys["disc_pairs"] == [b"s/L4-L5"]
