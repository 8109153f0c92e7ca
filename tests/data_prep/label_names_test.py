import json

import numpy as np
import pytest

from data_prep import label_names


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"0": "background", "1": "liver", "7": "spleen"}, {"liver": (1,), "spleen": (7,)}),
        ({"labels": {"background": 0, "liver": 1}, "name": "x"}, {"liver": (1,)}),
        ({"3-5, 9": "rib", "1": "rib"}, {"rib": (1, 3, 4, 5, 9)}),
    ],
)
def test_forms(tmp_path, content, expected):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content))
    assert label_names.read(str(path)) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "must be an object such as"),
        ("{", "labels.json: "),
        ('{"one": "liver"}', "got 'one'"),
        ('{"liver": -1}', "got '-1'"),
        ('{"1": "liver", "1-2": "spleen"}', "every value one name only"),
        ('{"0": "background"}', "at least one name"),
        ('{"300": "liver"}', "at most 255, got 300"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, message):
    path = tmp_path / "labels.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="labels.json: .*") as caught:
        label_names.read(str(path))
    assert message in str(caught.value)


def test_the_lowest_value_of_a_name_is_stored():
    label_map = np.array([[0, 1, 6], [100, 201, 207]], np.int16)
    found = label_names.stored(label_map, label_names.SPIDER, reject_others=True)
    np.testing.assert_array_equal(found, [[0, 1, 1], [100, 201, 201]])
    assert found.dtype == np.uint8


def test_brats_keeps_its_values():
    label_map = np.array([0.0, 4.0, 2.0, 1.0])
    found = label_names.stored(label_map, label_names.BRATS, reject_others=True)
    np.testing.assert_array_equal(found, [0, 4, 2, 1])


def test_labels_outside_the_list():
    label_map = np.array([0, 3, 1, 1.5])
    with pytest.raises(ValueError, match="labels outside the list: 1.5, 3; name them"):
        label_names.stored(label_map, label_names.BRATS, reject_others=True)
    found = label_names.stored(label_map, label_names.BRATS, reject_others=False)
    np.testing.assert_array_equal(found, [0, 0, 1, 0])


def test_a_label_map_without_any_label():
    with pytest.raises(ValueError, match="no foreground: no voxel is necrotic core, oedema"):
        label_names.stored(np.zeros(4), label_names.BRATS, reject_others=True)
