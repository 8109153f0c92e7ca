import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import schema
from tests.spine_tf import small_data

GRADES = {"disc_degeneration": 3, "pfirrmann": 5, "modic": 0}


def _image(kind, seed=0):
    shape = schema.CROP_KINDS[kind].stored_shape(0.5)
    return np.random.default_rng(seed).uniform(0, 2, shape).astype(np.float32)


def _parsed(kind, example):
    found = schema.parse(kind, example.SerializeToString(), 0.5)
    return {name: value.numpy() for name, value in found.items()}


def test_pixels_are_kept_to_half_a_step():
    image = np.linspace(0, 2, 4096, dtype=np.float32).reshape(16, 256)
    found = schema.decode_pixels(tf.constant(schema.encode_pixels(image)), (16, 256)).numpy()
    assert np.abs(found - image).max() <= 1.6e-5
    assert found[0, 0] == 0 and found[-1, -1] == 2


def test_pixels_are_little_endian_uint16():
    # 65535 / 2 per unit: 1.0 is 32767.5, which rounds to 32768 = 0x8000.
    assert schema.encode_pixels(np.array([0.0, 1.0, 2.0])) == b"\x00\x00\x00\x80\xff\xff"


def test_round_trip_of_a_disc():
    image = _image(schema.DISC)
    valid = np.zeros((96, 160), bool)
    valid[:, 10:] = True
    slices = np.arange(15) > 2
    fields = {"visit": 1, "days": 3650, "scan": "x", "level": "L4-L5", "grades": GRADES}
    crop = small_data.crop(
        schema.DISC, image, slice_is_valid=slices, pixel_is_valid=valid, **fields
    )
    found = _parsed(schema.DISC, schema.encode(schema.DISC, crop))
    assert np.abs(found["image"] - image).max() <= 1.6e-5
    np.testing.assert_array_equal(found["slice_is_valid"], slices)
    np.testing.assert_array_equal(found["pixel_is_valid"], valid)
    assert found["key"] == b"s00/1/L4-L5"
    assert (found["visit"], found["days"], found["scan"]) == (1, 3650, b"x")
    for name in ("field_strength_t", "slice_pitch_mm", "width_mm", "angle_deg", "median"):
        assert found[name] == pytest.approx(getattr(crop, name))
    np.testing.assert_allclose(found["spacing_mm"], crop.spacing_mm)
    np.testing.assert_allclose(found["corners_mm"], crop.corners_mm.ravel())
    assert found["grading/pfirrmann"] == 5
    assert found["grading/disc_bulging"] == -1


def test_discs_that_are_parsed_at_once_are_those_that_are_parsed_one_by_one():
    fields = [{"level": "L4-L5"}, {"level": "L5-S1", "visit": 2}]
    examples = [
        schema.encode(
            schema.DISC, small_data.crop(schema.DISC, _image(schema.DISC, seed), **fields[seed])
        ).SerializeToString()
        for seed in range(2)
    ]
    found = schema.parse_disc_pixels(tf.constant(examples), 0.5)
    assert found["key"].numpy().tolist() == [b"s00/0/L4-L5", b"s00/2/L5-S1"]
    assert found["level"].numpy().tolist() == [b"L4-L5", b"L5-S1"]
    images = schema.to_intensity(found["pixels"])
    for example, image in zip(examples, images, strict=True):
        np.testing.assert_array_equal(image, schema.parse(schema.DISC, example, 0.5)["image"])


def test_discs_that_are_parsed_at_once_must_all_be_discs():
    disc = schema.encode(schema.DISC, small_data.crop(schema.DISC, _image(schema.DISC)))
    bodies = schema.merge_visits([_visit(0), _visit(1)])
    examples = [one.SerializeToString() for one in (disc, bodies)]
    with pytest.raises(tf.errors.InvalidArgumentError, match="`kind` must be disc, got"):
        schema.parse_disc_pixels(tf.constant(examples), 0.5)


def test_class_index_is_minus_one_where_not_graded():
    crop = small_data.crop(schema.DISC, _image(schema.DISC), grades=GRADES)
    example = schema.encode(schema.DISC, crop).SerializeToString()
    parsed = schema.parse(schema.DISC, example, 0.5)
    indices = {name: int(schema.class_index(parsed, name)) for name in (*GRADES, "disc_bulging")}
    # disc_degeneration and pfirrmann start at 1, modic at 0.
    assert indices == {"disc_degeneration": 2, "pfirrmann": 4, "modic": 0, "disc_bulging": -1}


def test_a_grade_that_cannot_be_is_refused():
    crop = small_data.crop(schema.DISC, _image(schema.DISC), grades={"pfirrmann": 6})
    with pytest.raises(ValueError, match="`pfirrmann` must be one of .* got 6"):
        schema.encode(schema.DISC, crop)


def _visit(visit, **fields):
    kind = schema.VERTEBRA_PAIRS
    fields = {"visit": visit, "days": 1000 * visit, "scan": f"scan{visit}"} | fields
    return schema.encode(kind, small_data.crop(kind, _image(kind, visit), **fields))


def test_merged_visits_stand_in_time_order():
    found = _parsed(schema.VERTEBRA_PAIRS, schema.merge_visits([_visit(2), _visit(0), _visit(1)]))
    assert found["visit"].tolist() == [0, 1, 2]
    assert found["days"].tolist() == [0, 1000, 2000]
    assert found["scan"].tolist() == [b"scan0", b"scan1", b"scan2"]
    assert found["key"] == b"s00/L1"
    assert found["image"].shape == (3, 15, 160, 160)
    assert found["slice_is_valid"].shape == (3, 15)
    assert found["pixel_is_valid"].shape == (3, 160, 160)
    assert found["corners_mm"].shape == (3, 12)
    for visit in range(3):
        expected = _image(schema.VERTEBRA_PAIRS, visit)
        assert np.abs(found["image"][visit] - expected).max() <= 1.6e-5


@pytest.mark.parametrize(
    "other", [{"visit": 0}, {"visit": 1, "level": "L2"}, {"visit": 1, "subject": "s01"}]
)
def test_visits_of_two_bodies_or_one_visit_twice_are_refused(other):
    with pytest.raises(ValueError, match="`examples` must be visits of one body"):
        schema.merge_visits([_visit(0), _visit(**other)])


def test_facts_hold_everything_but_pixels():
    image = np.full((15, 96, 160), 0.5)
    image[7] = 1.5
    valid = np.arange(15) > 0
    crop = small_data.crop(schema.DISC, image, slice_is_valid=valid, grades={"modic": 2})
    found = schema.facts(schema.encode(schema.DISC, crop))
    assert found["key"] == "s00/0/L1-L2"
    assert (found["subject"], found["family"], found["level"]) == ("s00", "f00", "L1-L2")
    assert found["scan"] == ["scan"]
    assert (found["visit"], found["days"]) == ([0], [0])
    assert found["field_strength_t"] == [1.0]
    assert found["grades"] == {"modic": 2}
    (means,) = found["slice_mean"]
    assert means[0] is None
    assert means[7] == pytest.approx(1.5, abs=1e-4)
    assert means[8] == pytest.approx(0.5, abs=1e-4)


def test_slice_means_are_of_pixels_inside_the_scan():
    image = np.zeros((15, 96, 160))
    image[:, :, 80:] = 1.0
    inside = np.zeros((96, 160), bool)
    inside[:, 80:] = True
    crop = small_data.crop(schema.DISC, image, pixel_is_valid=inside)
    (means,) = schema.facts(schema.encode(schema.DISC, crop))["slice_mean"]
    np.testing.assert_allclose(means, 1.0, atol=1e-4)


@pytest.mark.parametrize("kind", schema.CROP_KINDS)
def test_header_facts_that_were_not_asked_for_leave_no_trace(kind):
    example = schema.encode(kind, small_data.crop(kind, _image(kind)))
    assert not [name for name in example.features.feature if name.startswith("header/")]
    assert "header_facts" not in schema.facts(example)
    found = _parsed(kind, example)
    for name in ("header/sex", "header/age", "header/weight"):
        assert found[name].tolist() == (-1 if kind == schema.DISC else [-1])
        assert found[name].dtype == np.int64


def test_header_facts_of_visits():
    first = _visit(0, header_facts={"sex": 1, "age": -1, "weight": -1})
    second = _visit(1, header_facts={"sex": 1, "age": 4, "weight": -1})
    merged = schema.merge_visits([second, first])
    # Weight is known of no visit.
    assert schema.facts(merged)["header_facts"] == {"sex": [1, 1], "age": [-1, 4]}
    found = _parsed(schema.VERTEBRA_PAIRS, merged)
    assert found["header/sex"].tolist() == [1, 1]
    assert found["header/age"].tolist() == [-1, 4]
    assert found["header/weight"].tolist() == [-1, -1]


def test_header_facts_of_one_visit_only():
    merged = schema.merge_visits([_visit(0), _visit(1, header_facts={"sex": 0})])
    assert schema.facts(merged)["header_facts"] == {"sex": [-1, 0]}
    assert _parsed(schema.VERTEBRA_PAIRS, merged)["header/sex"].tolist() == [-1, 0]


def test_a_header_fact_of_a_disc_is_one_number():
    crop = small_data.crop(schema.DISC, _image(schema.DISC), header_facts={"age": 3})
    assert _parsed(schema.DISC, schema.encode(schema.DISC, crop))["header/age"] == 3


def test_pairs_of_discs_are_merged_as_bodies_are():
    kind = schema.DISC_PAIRS
    visits = [
        schema.encode(
            kind, small_data.crop(kind, _image(kind, visit), visit=visit, grades={"modic": 1})
        )
        for visit in range(2)
    ]
    merged = schema.merge_visits(visits)
    found = _parsed(kind, merged)
    assert found["key"] == b"s00/L1-L2" and found["image"].shape == (2, 15, 96, 160)
    assert not [name for name in found if name.startswith("grading/")]
    assert schema.facts(merged)["grades"] == {}


def test_plain_images_have_one_slice_and_the_size_of_their_data_set():
    size = schema.crop_kind(schema.IMAGE_PAIRS, {"image_rows": 64, "image_columns": 96})
    assert size.stored_shape(1.0) == (1, 72, 108) and size.network_shape(1.0) == (1, 64, 96)
    image = np.random.default_rng(0).uniform(0, 2, (1, 36, 54))
    fields = {"slice_is_valid": np.ones(1), "pixel_is_valid": np.ones((36, 54)), "level": "view"}
    visits = [
        schema.encode(
            schema.IMAGE_PAIRS,
            small_data.crop(schema.DISC, image / (1 + visit), visit=visit, **fields),
        )
        for visit in range(2)
    ]
    merged = schema.merge_visits(visits)
    found = schema.parse(schema.IMAGE_PAIRS, merged.SerializeToString(), 0.5, size)
    assert found["image"].shape == (2, 1, 36, 54) and found["slice_is_valid"].shape == (2, 1)
    assert np.abs(found["image"][1] - image / 2).max() <= 1.6e-5
    first, second = schema.facts(merged)["slice_mean"]
    assert first == pytest.approx([image.mean()], abs=1e-4)
    assert second == pytest.approx([image.mean() / 2], abs=1e-4)
