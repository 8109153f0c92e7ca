"""Tests of export.warmup."""

import importlib.util
import os

import numpy as np
import pytest
import tensorflow as tf

from export import saved_model, warmup
from spine_tf.data import schema
from tests import tiny_export
from tests.spine_tf import small_data


@pytest.fixture(scope="module")
def found(model):
    return warmup.read(os.path.join(model, "1", saved_model.EXTRA, warmup.FILE))


def test_every_signature_is_asked_with_its_own_inputs(model, found):
    loaded = saved_model.load(model)
    assert {item.signature for item in found} == set(loaded.signatures)
    for item in found:
        outputs = loaded.run(item.signature, **item.inputs)
        assert all(len(value) for value in outputs.values())


def test_the_requests_are_crops_of_a_phantom(found):
    crops = next(item.inputs["crops"] for item in found if len(item.inputs["crops"]) > 1)
    assert crops.shape == (6, 9, 56, 112) and crops.dtype == np.float32
    assert 0.2 < np.median(crops) < 0.8
    single = next(item for item in found if item.signature == "serving_default")
    np.testing.assert_array_equal(single.inputs["crops"], crops[:1])


def test_records_of_a_data_set_lose_their_keys_and_grades(tmp_path):
    folder = tiny_export.describe_model_folder(tmp_path / "model")
    data_dir = small_data.make(tmp_path / "data", (2, 1, 1))
    requests = warmup.requests(folder, data_dir)
    (examples,) = (r.inputs["examples"] for r in requests if r.signature == "examples")
    assert len(examples) == 6
    parsed = [schema.parse(schema.DISC, tf.constant(one), 0.5) for one in examples]
    assert [one["key"].numpy() for one in parsed] == [f"warmup/{i}".encode() for i in range(6)]
    assert {one["grading/disc_degeneration"].numpy() for one in parsed} == {-1}
    assert not any(text in one for one in examples for text in (b"s00", b"f00"))
    folder = tiny_export.describe_model_folder(tmp_path / "other", crop_scale=1.0)
    with pytest.raises(ValueError, match="must hold crops at scale 1.0"):
        warmup.requests(folder, data_dir)


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'spine-tf\[serving\]'"):
        warmup.write(str(tmp_path / "file"), "name", [])
