import dataclasses
import json

import numpy as np
import pytest

from spine_tf import files
from spine_tf.detection import column_geometry, label_parameters
from tests.spine_tf.detection import columns


@pytest.fixture(scope="module")
def shapes():
    return label_parameters.fit([columns.quads(i) for i in range(4)], [1.0, 1.0, 1.0, 1.0])


def test_means_are_those_of_the_columns(shapes):
    quads = [columns.quads(i) for i in range(4)]
    s1 = np.stack([column["S1"] for column in quads])
    expected = column_geometry.body_features(s1).mean(axis=0)
    np.testing.assert_allclose(shapes.body_mean[label_parameters.ROLES.index("S1")], expected)
    assert expected[0] > 0.4  # the sacrum tapers
    spacing = shapes.pair_mean[:, 5, 0]  # of L2 from one, two and three places above
    np.testing.assert_allclose(np.exp(spacing - spacing[0]), [1, 2, 3], rtol=0.1)


def test_weights_count_columns(shapes):
    twice = label_parameters.fit([columns.quads(i) for i in (0, 1, 1)], [1, 1, 1])
    weighed = label_parameters.fit([columns.quads(i) for i in (0, 1)], [1, 2])
    np.testing.assert_allclose(twice.body_mean, weighed.body_mean)
    np.testing.assert_allclose(twice.pair_covariance, weighed.pair_covariance)
    assert np.abs(twice.body_mean - shapes.body_mean).max() > 0.01


def test_covariances_are_positive(shapes):
    for name in ("body_covariance", "pair_covariance"):
        assert np.linalg.eigvalsh(getattr(shapes, name)).min() > 0


def test_a_level_seen_less_often_is_less_sure():
    quads = [columns.quads(i) for i in range(4)]
    few = [
        {k: v for k, v in column.items() if k != "S2" or i == 0} for i, column in enumerate(quads)
    ]
    spread = [
        np.trace(label_parameters.fit(each, [1.0] * 4).body_covariance[-1]) for each in (quads, few)
    ]
    assert spread[1] > spread[0]


def test_every_level_must_be_shown():
    column = {name: quad for name, quad in columns.quads(0).items() if name != "T10"}
    with pytest.raises(ValueError, match="`columns` must show T10 at least once"):
        label_parameters.fit([column], [1.0])


def test_round_trip(shapes, tmp_path):
    parameters = label_parameters.Parameters(
        shapes, label_parameters.Settings(geometry_weight=0.25), (0.1, 0.8, 0.1), "a test"
    )
    path = str(tmp_path / "parameters.json")
    files.write_json(path, label_parameters.to_json(parameters))
    again = label_parameters.load(path)
    assert again.settings == parameters.settings and again.source == "a test"
    assert again.lumbar_prior == (0.1, 0.8, 0.1)
    for field in dataclasses.fields(shapes):
        np.testing.assert_allclose(
            getattr(again.shapes, field.name), getattr(shapes, field.name), rtol=1e-4
        )


@pytest.mark.parametrize(
    "change",
    [
        {"shapes": {}},
        {"settings": {"nonsense": 1}},
        {"lumbar_prior": [0.5, 0.1, 0.1]},
        {"lumbar_prior": 3},
    ],
)
def test_other_files_are_refused_by_name(shapes, tmp_path, change):
    content = label_parameters.to_json(label_parameters.Parameters(shapes)) | change
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"other\.json: must hold parameters of a labelling"):
        label_parameters.load(str(path))


def test_those_of_the_package():
    parameters = label_parameters.load()
    assert parameters.lumbar_prior[1] == pytest.approx(0.894)
    assert parameters.settings.network_weight > 0
    assert "SPIDER" in parameters.source
