import numpy as np
import pytest
import tensorflow as tf

from data_prep import settings, volume_slices
from spine_tf.data import slice_schema
from tests.data_prep import volume_samples

WHOSE = {"subject": "s", "family": "f", "scan": "c", "visit": 0, "days": 0}


def _case(**fields):
    arrays = [volume_samples.make_image(seed) for seed in (0, 1)]
    array = np.stack(arrays, -1).astype(np.float32)
    values = {"array": array, "label_map": volume_samples.make_label_map(), "view": "sagittal"}
    return volume_slices.Case(**values | fields, affine=volume_samples.make_affine())


def _parsed(case, **options):
    chosen = settings.VolumeSettings(channels=("a", "b"), **options)
    kind = slice_schema.SliceKind(2)
    examples = volume_slices.examples(case, WHOSE, chosen)
    return [
        {
            name: value.numpy()
            for name, value in slice_schema.parse(tf.constant(e.SerializeToString()), kind).items()
        }
        for e in examples
    ]


def test_views():
    case = _case()
    found = _parsed(case, views=("axial", "coronal", "native"), slices="all")
    views = [parsed["view"].decode() for parsed in found]
    assert views == ["axial"] * 8 + ["coronal"] * 6 + ["sagittal"] * 4
    axial, coronal, sagittal = found[3], found[8 + 2], found[14 + 1]
    # Rows of an axial slice run to the back, of a coronal one to the foot; columns to the left.
    for parsed, array, labels, spacing_mm in (
        (axial, case.array[:, 3].swapaxes(0, 1), case.label_map[:, 3].T, (1, 2, 3)),
        (coronal, case.array[:, :, 2].swapaxes(0, 1), case.label_map[:, :, 2].T, (2, 1, 3)),
        (sagittal, case.array[1], case.label_map[1], (3, 1, 2)),
    ):
        np.testing.assert_allclose(parsed["image"], array, atol=2e-3)
        np.testing.assert_array_equal(parsed["label_map"], labels)
        np.testing.assert_allclose(parsed["spacing_mm"], spacing_mm)
        assert parsed["valid"].all()
    assert (axial["position"], axial["num_positions"]) == (3, 8)


def test_slices_that_are_kept():
    def positions(which):
        return [int(p["position"]) for p in _parsed(_case(), views=("axial",), slices=which)]

    assert positions("all") == list(range(8))
    assert positions("foreground") == [2, 3, 4, 5]
    assert positions("labelled") == [3, 4]
    with pytest.raises(ValueError, match="no slice to keep with --slices=labelled"):
        _parsed(_case(label_map=None), slices="labelled")


def test_statistics_are_those_of_the_whole_volume():
    case = _case()
    inside = case.array[1:-1, 2:-2, 1:-1].reshape(-1, 2)
    for parsed in _parsed(case):
        np.testing.assert_allclose(parsed["mean"], inside.mean(0), rtol=1e-5)
        np.testing.assert_allclose(parsed["std"], inside.std(0), rtol=1e-5)


def test_a_window_is_the_range_of_the_records():
    (parsed, *_) = _parsed(_case(), window_hu=(-200.0, 300.0))
    assert parsed["low"].tolist() == [-200] * 2 and parsed["high"].tolist() == [300] * 2


@pytest.mark.parametrize(
    ("resample", "view", "shape", "spacing_mm"),
    [
        ("in_plane", "sagittal", (4, 4, 6), (3, 2, 2)),
        ("isotropic", "sagittal", (6, 4, 6), (2, 2, 2)),
        ("in_plane", "axial", (8, 6, 6), (1, 2, 2)),
    ],
)
def test_resampling(resample, view, shape, spacing_mm):
    found = _parsed(_case(), views=(view,), slices="all", spacing_mm=2.0, resample=resample)
    assert (len(found), *found[0]["label_map"].shape) == shape
    np.testing.assert_allclose(found[0]["spacing_mm"], spacing_mm)
    assert {*np.unique([parsed["label_map"] for parsed in found])} <= {0, 1, 2, 4}
