import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins import projector as reader

from spine_tf.data import records
from spine_tf.evaluation import embedding, inference
from spine_tf.training import model_folder, projector, tensorboard
from tests.spine_tf import tiny_runs, untrained


def _table(logs, path):
    with open(os.path.join(logs, path), encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def _config(logs):
    with open(os.path.join(logs, projector.CONFIG), encoding="utf-8") as file:
        return text_format.Parse(file.read(), reader.ProjectorConfig())


def _untrained(path, data_dir, task_name):
    task_options = tiny_runs.OPTIONS[task_name]
    return model_folder.load(untrained.save(path, data_dir, task_name, **task_options))


def test_a_longitudinal_model_shows_its_embedding(data_dir, tmp_path):
    folder = _untrained(tmp_path, data_dir, "longitudinal")
    data = records.open_folder(data_dir)
    assert projector.write_validation(folder, data)
    logs = tensorboard.logs_dir(folder.path)
    (entry,) = _config(logs).embeddings
    index = data.index("vertebra_pairs", "longitudinal", "validation")
    items = inference.visit_items(index)
    tower = embedding.load_tower(folder)
    expected = inference.map_crops(
        index,
        items,
        lambda batch: embedding.embed(tower, batch["crop"]),
        crop_scale=0.5,
        batch_size=2,
    )["embedding"]
    found = np.array(_table(logs, entry.tensor_path), float)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    header, *lines = _table(logs, entry.metadata_path)
    assert header == ["subject", "visit", "level"]
    assert [line[1:] for line in lines] == [
        [str(index.rows[record]["visit"][visit] + 1), "L4"] for record, visit in items
    ]


def test_a_grading_model_shows_fc7_of_each_grading(data_dir, tmp_path):
    folder = _untrained(tmp_path, data_dir, "grading")
    data = records.open_folder(data_dir)
    model = folder.load_model()
    assert projector.write_validation(folder, data, model)
    logs = tensorboard.logs_dir(folder.path)
    (entry,) = _config(logs).embeddings
    assert entry.tensor_name == "disc_bulging"
    embedded = np.array(_table(logs, entry.tensor_path), float)
    rows = data.index("disc", "grading", "validation").rows
    header, *lines = _table(logs, entry.metadata_path)
    column = header.index("disc_bulging")
    assert [line[column] for line in lines] == [str(row["grades"]["disc_bulging"]) for row in rows]
    # FC8 of what was written is what the model says.
    kernel, bias = model.get_layer("disc_bulging_fc8").get_weights()
    found = inference.map_crops(
        data.index("disc", "grading", "validation"),
        np.stack([np.arange(len(rows)), np.zeros(len(rows), int)], 1),
        lambda batch: model({"crop": batch["crop"][..., None]}, training=False),
        crop_scale=0.5,
        batch_size=2,
    )
    expected = found["disc_bulging"]
    np.testing.assert_allclose(embedded @ kernel + bias, expected, rtol=1e-3, atol=1e-5)


def test_a_strong_model_shows_discs(data_dir, tmp_path):
    folder = _untrained(tmp_path, data_dir, "strong")
    assert projector.write_validation(folder, records.open_folder(data_dir))
    names = [entry.tensor_name for entry in _config(tensorboard.logs_dir(folder.path)).embeddings]
    assert names == ["disc_bulging", "level"]


def test_nothing_tells_who_a_crop_is_of(data_dir, tmp_path):
    folder = _untrained(tmp_path, data_dir, "longitudinal")
    data = records.open_folder(data_dir)
    projector.write_validation(folder, data)
    secrets = {
        value
        for row in data.index("vertebra_pairs", "longitudinal", "validation").rows
        for value in (row["subject"], row["family"], row["key"], *row["scan"])
    }
    assert secrets
    for parent, _, names in os.walk(tensorboard.logs_dir(folder.path)):
        for name in names:
            with open(os.path.join(parent, name), "rb") as file:
                content = file.read()
            assert not [secret for secret in secrets if secret.encode() in content]


def test_a_model_without_an_embedding_shows_nothing():
    inputs = keras.Input([2])
    assert projector.embedder(keras.Model(inputs, inputs)) is None


def test_subjects_are_numbers_of_the_file():
    rows = [
        {"subject": "b9", "visit": [0, 2], "level": "L1", "grades": {}},
        {"subject": "a7", "visit": [0], "level": "left\thand", "grades": {"pfirrmann": 3}},
    ]
    found = projector.metadata([rows[0], rows[0], rows[1]], [0, 1, 0])
    assert found == {
        "subject": ["2", "2", "1"],
        "visit": ["1", "3", "1"],
        "level": ["L1", "L1", "left hand"],
        "pfirrmann": ["not graded", "not graded", "3"],
    }


def test_a_sprite_is_a_square_filled_row_by_row():
    images = np.array([[[2.0]], [[1.0]], [[0.5]]])
    np.testing.assert_array_equal(projector.sprite(images), [[255, 128], [64, 0]])


def test_a_thumbnail_is_the_middle_slice_on_black():
    crop = np.zeros([1, 3, 2, 4], np.float32)
    crop[0, 1] = 2.0
    found = projector.thumbnails(tf.constant(crop)).numpy()[0]
    expected = np.zeros([48, 48])
    expected[12:36] = 2.0
    np.testing.assert_array_equal(found, expected)


def test_files_are_replaced(tmp_path):
    images = np.ones([4, 48, 48])
    for count in (4, 2):
        columns = {"subject": ["1"] * count, "level": ["L4"] * count}
        values = np.arange(count * 3.0).reshape(count, 3)
        projector.write(str(tmp_path), {"embedding": values}, columns, images[:count])
    logs = tensorboard.logs_dir(str(tmp_path))
    assert _table(logs, "projector/embedding.tsv") == [["0", "1", "2"], ["3", "4", "5"]]
    assert _table(logs, "projector/metadata.tsv") == [
        ["subject", "level"],
        ["1", "L4"],
        ["1", "L4"],
    ]
    (entry,) = _config(logs).embeddings
    assert list(entry.sprite.single_image_dim) == [48, 48]
    with open(os.path.join(logs, entry.sprite.image_path), "rb") as file:
        assert tf.io.decode_png(file.read()).shape == (96, 96, 1)


def test_no_epoch_is_said(data_dir, tmp_path):
    folder = _untrained(tmp_path, data_dir, "grading")
    os.remove(tmp_path / model_folder.WEIGHTS)
    with pytest.raises(FileNotFoundError, match="train at least one epoch"):
        projector.write_validation(folder, records.open_folder(data_dir))
