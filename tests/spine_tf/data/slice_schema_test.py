import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import schema, slice_schema


def make_slice(**fields):
    """Two channels, 3 x 4, with the image in the last two rows and first three columns."""
    image = np.stack([np.arange(12).reshape(3, 4), -2.0 * np.arange(12).reshape(3, 4)], -1)
    defaults = {
        "subject": "s0",
        "family": "f0",
        "scan": "c0",
        "visit": 1,
        "days": 30,
        "image": image,
        "low": [0.0, -22.0],
        "high": [11.0, 0.0],
        "mean": [5.0, -9.0],
        "std": [2.0, 4.0],
        "background": [4.5, 0.0],
        "inside": (1, 0, 2, 3),
        "spacing_mm": [3.0, 1.0, 0.5],
        "view": slice_schema.AXIAL,
        "position": 7,
        "num_positions": 9,
        "label_map": np.array([[0, 0, 0, 0], [0, 1, 4, 4], [0, 201, 4, 0]], np.uint8),
    }
    return slice_schema.Slice(**defaults | fields)


def parse(one, kind=None):
    serialized = tf.constant(slice_schema.encode(one).SerializeToString())
    kind = kind or slice_schema.SliceKind(2)
    return schema.parse(schema.SLICE, serialized, 1.0, kind)


def test_round_trip():
    one = make_slice()
    parsed = {name: value.numpy() for name, value in parse(one).items()}
    # Half a step of 11 / 65535 and of 22 / 65535.
    np.testing.assert_allclose(parsed["image"][..., 0], one.image[..., 0], atol=8.5e-5)
    np.testing.assert_allclose(parsed["image"][..., 1], one.image[..., 1], atol=1.7e-4)
    np.testing.assert_array_equal(parsed["label_map"], one.label_map)
    assert parsed["label_map"].dtype == np.int32 and parsed["has_label_map"]
    for name in ("mean", "std", "low", "high", "background", "spacing_mm"):
        np.testing.assert_array_equal(parsed[name], np.float32(getattr(one, name)))
    texts = {"key": b"c0/axial/00007", "case": b"c0", "scan": b"c0", "view": b"axial", "label": b""}
    assert {name: parsed[name] for name in texts} == texts
    assert [parsed[n] for n in ("visit", "days", "position", "num_positions")] == [1, 30, 7, 9]


def test_masks():
    parsed = parse(make_slice())
    valid = np.array([[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0]], bool)
    np.testing.assert_array_equal(parsed["valid"], valid)
    # Of the first channel 5 and more is foreground, of the second nothing.
    foreground = valid & np.array([[0, 0, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]], bool)
    np.testing.assert_array_equal(parsed["foreground"], foreground)


def test_a_slice_without_a_label_map():
    parsed = parse(make_slice(label_map=None, label="4CH", view=""))
    assert not parsed["has_label_map"] and parsed["label"] == b"4CH"
    np.testing.assert_array_equal(parsed["label_map"], np.zeros((3, 4)))


@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (None, None)])
def test_shapes_in_a_pipeline(rows, columns):
    kind = slice_schema.SliceKind(2, rows, columns)
    serialized = [slice_schema.encode(make_slice(position=p)).SerializeToString() for p in (0, 1)]
    data = tf.data.Dataset.from_tensor_slices(serialized)
    data = data.map(lambda content: schema.parse(schema.SLICE, content, 1.0, kind))
    spec = data.element_spec
    assert spec["image"].shape.as_list() == [rows, columns, 2]
    for name in ("label_map", "valid", "foreground"):
        assert spec[name].shape.as_list() == [rows, columns]
    assert [int(parsed["position"]) for parsed in data] == [0, 1]


def test_facts_hold_all_but_pixels():
    found = schema.facts(slice_schema.encode(make_slice()))
    assert found["label_pixels"] == {"1": 1, "4": 3, "201": 1}
    assert found["foreground_pixels"] == 5
    assert (found["rows"], found["columns"], found["channels"]) == (3, 4, 2)
    assert (found["case"], found["scan"], found["visit"], found["days"]) == (
        "c0",
        ["c0"],
        [1],
        [30],
    )
    assert found["spacing_mm"] == [3.0, 1.0, 0.5] and found["position"] == 7
    assert schema.facts(slice_schema.encode(make_slice(label_map=None)))["label_pixels"] is None


def test_one_slice_is_not_merged_with_itself():
    example = slice_schema.encode(make_slice())
    assert schema.merge_visits([example]) == example
    with pytest.raises(ValueError, match="must be visits of one body"):
        schema.merge_visits([example, example])


def test_what_the_slices_of_a_data_set_have_in_common():
    assert schema.crop_kind(schema.SLICE, {"channels": ["t1", "t2"]}) == slice_schema.SliceKind(2)
    settings = {"image_rows": 224, "image_columns": 288}
    assert schema.crop_kind(schema.SLICE, settings) == slice_schema.SliceKind(1, 224, 288)


def test_a_constant_channel_is_kept():
    image = np.full((3, 4, 2), 6.0)
    parsed = parse(make_slice(image=image, low=[6.0, 0.0], high=[6.0, 6.0]))
    np.testing.assert_allclose(parsed["image"], image)


def test_summary():
    rows = [
        schema.facts(slice_schema.encode(make_slice())),
        schema.facts(slice_schema.encode(make_slice(label="a", view="", label_map=None))),
        schema.facts(slice_schema.encode(make_slice(scan="c1"))),
    ]
    assert slice_schema.summary(rows) == {
        "label_counts": {"": 2, "a": 1},
        "view_counts": {"": 1, "axial": 2},
        "num_cases": 2,
        "label_slices": {"1": 2, "4": 2, "201": 2},
        "label_pixels": {"1": 2, "4": 6, "201": 2},
    }
