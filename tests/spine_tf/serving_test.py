"""Tests of spine_tf.serving and of the crops its `scan` signature cuts."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from data_prep import scan_crops, study
from spine_tf import serving, tasks
from spine_tf.data import augmentation, crops, schema
from tests import tiny_export


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    # Records at scale 1 and a network at 0.5: the graph reduces. Tests of export have both at 0.5.
    folder = tiny_export.make_model_folder(tmp_path_factory.mktemp("model"), crop_scale=1.0)
    model = folder.load_model()
    path = str(tmp_path_factory.mktemp("export") / "1")
    serving.save(serving.make_module(model, folder), path)
    loaded = tf.saved_model.load(path)
    return model, folder, loaded


@pytest.fixture(scope="module")
def scan():
    return tiny_export.make_volume(), tiny_export.make_annotation()


def scan_inputs(scan, names=None, **changes):
    found, annotation = scan
    by_name = {v.level.value: v.corners_mm for v in annotation.vertebrae}
    names = list(by_name) if names is None else names
    inputs = {
        "volume": tf.constant(found.as_uint16()),
        "affine": tf.constant(found.affine, tf.float64),
        "corners_mm": tf.constant([by_name.get(n, by_name["L1"]) for n in names], tf.float64),
        "levels": tf.constant(names, tf.string),
    }
    return inputs | changes


def stored_crops(scan, scale):
    return scan_crops.disc_crops(*scan, scale)


def network_crops(scan, scale):
    """The network inputs of the crops that conversion stores, before they become uint16."""
    inputs = augmentation.InputConfig(stored_scale=scale, crop_scale=0.5)
    return {
        name: augmentation.network_input(
            tf.constant(crop["image"]),
            crop["slice_is_valid"],
            crop["pixel_is_valid"],
            crops.DISC,
            inputs,
            tf.zeros([2], tf.int32),
        ).numpy()
        for name, crop in stored_crops(scan, scale).items()
    }


def serialized(scan, scale):
    identity = dict(subject="s", family="f", scan="c", visit=0, days=0, field_strength_t=1.5)
    return [
        schema.encode(schema.DISC, schema.Crop(**identity, **crop)).SerializeToString()
        for crop in stored_crops(scan, scale).values()
    ]


def test_signatures_have_named_inputs(served):
    signatures = served[2].signatures
    assert set(signatures) == {"serving_default", "examples", "scan", "embed", "packed"}
    specs = {name: f.structured_input_signature[1] for name, f in signatures.items()}
    assert specs["serving_default"]["crops"].shape.as_list() == [None, 9, 56, 112]
    assert specs["embed"]["crops"].shape.as_list() == [None, 9, 56, 112]
    assert specs["examples"]["examples"].shape.as_list() == [None]
    assert specs["packed"]["crops"] == tf.TensorSpec([None], tf.string, "crops")
    assert {n: (s.shape.as_list(), s.dtype) for n, s in specs["scan"].items()} == {
        "volume": ([None, None, None], tf.uint16),
        "affine": ([4, 4], tf.float64),
        "corners_mm": ([None, 4, 3], tf.float64),
        "levels": ([None], tf.string),
    }


def test_scan_cuts_the_crops_of_conversion(served, scan):
    _, folder, loaded = served
    found = loaded.signatures["scan"](**scan_inputs(scan))
    expected = network_crops(scan, folder.data["crop_scale"])
    assert [name.decode() for name in found["disc"].numpy()] == list(expected)
    assert len(expected) == 6
    np.testing.assert_allclose(found["crops"], np.stack(list(expected.values())), atol=1e-5)


@pytest.mark.real_data
def test_scan_cuts_the_crops_of_conversion_from_the_real_study(served):
    root = pathlib.Path(__file__).parents[3] / "shared" / "data" / "lumbar_study"
    found = study.load_study(str(root / "dicom"), str(root / "vertebrae.json"))
    scan = found.volume, found.annotation
    outputs = served[2].signatures["scan"](**scan_inputs(scan))
    expected = network_crops(scan, 1.0)
    assert [name.decode() for name in outputs["disc"].numpy()] == list(expected)
    np.testing.assert_allclose(outputs["crops"], np.stack(list(expected.values())), atol=1e-5)


def test_all_signatures_grade_as_the_model_does(served, scan):
    model, folder, loaded = served
    crop = np.stack(list(network_crops(scan, folder.data["crop_scale"]).values()))
    logits = model({"crop": crop[..., None]}, training=False)
    examples = tf.constant(serialized(scan, folder.data["crop_scale"]))
    found = {
        "serving_default": loaded.signatures["serving_default"](crops=tf.constant(crop)),
        "examples": loaded.signatures["examples"](examples=examples),
        "scan": loaded.signatures["scan"](**scan_inputs(scan)),
        "packed": loaded.signatures["packed"](crops=[schema.encode_pixels(one) for one in crop]),
    }
    for outputs in found.values():
        for name, value in logits.items():
            expected = tf.nn.softmax(value)
            assert np.ptp(expected, axis=0).max() > 0.01  # the crops are told apart
            np.testing.assert_allclose(outputs[f"{name}_probabilities"], expected, atol=1e-4)
    assert found["examples"]["key"][0].numpy() == b"s/0/T12-L1"
    assert found["examples"]["level"][5].numpy() == b"L5-S1"


def test_grades_are_as_published(served, scan):
    _, folder, loaded = served
    crop = np.stack(list(network_crops(scan, folder.data["crop_scale"]).values()))
    found = loaded.signatures["serving_default"](crops=tf.constant(crop))
    probabilities = found["pfirrmann_probabilities"].numpy()
    assert probabilities.shape == (6, 5)
    # Pfirrmann starts at 1, spondylolisthesis at 0.
    np.testing.assert_array_equal(found["pfirrmann_grade"], 1 + probabilities.argmax(1))
    np.testing.assert_allclose(
        found["pfirrmann_expected_grade"], probabilities @ [1, 2, 3, 4, 5], atol=1e-5
    )
    np.testing.assert_allclose(
        found["spondylolisthesis_expected_grade"],
        found["spondylolisthesis_probabilities"][:, 1],
        atol=1e-6,
    )
    assert found["pfirrmann_grade"].dtype == tf.int32
    assert "pfirrmann_was_graded" not in found  # the level is not known


def test_levels_never_graded_are_told(served, scan):
    loaded = served[2]
    found = loaded.signatures["scan"](**scan_inputs(scan))
    # T12-L1 was never graded; of spondylolisthesis only L4-L5 was.
    assert found["pfirrmann_was_graded"].numpy().tolist() == [False] + [True] * 5
    assert found["spondylolisthesis_was_graded"].numpy().tolist() == [False] * 4 + [True, False]
    examples = tf.constant(serialized(scan, served[1].data["crop_scale"]))
    found = loaded.signatures["examples"](examples=examples)
    assert found["pfirrmann_was_graded"].numpy().tolist() == [False] + [True] * 5


def test_scan_sorts_vertebrae_and_skips_gaps(served, scan):
    run = served[2].signatures["scan"]
    found = run(**scan_inputs(scan, ["S1", "L1", "L5", "L2", "T12", "L3"]))
    assert found["disc"].numpy().tolist() == [b"T12-L1", b"L1-L2", b"L2-L3", b"L5-S1"]
    whole = run(**scan_inputs(scan))
    np.testing.assert_array_equal(found["crops"], tf.gather(whole["crops"], [0, 1, 2, 5]))


@pytest.mark.parametrize(
    "names, message",
    [
        ([], "two neighbouring vertebrae"),
        (["L1"], "two neighbouring vertebrae"),
        (["L1", "L3"], "two neighbouring vertebrae.*L1.*L3"),
        (["L1", "L2", "L2"], "each vertebra once.*L2"),
        (["L1", "l2"], "must be among T9, .*got.*l2"),
        (["T11", "L1"], "two neighbouring"),
    ],
)
def test_scan_refuses_levels(served, scan, names, message):
    inputs = scan_inputs(scan, names)
    inputs["corners_mm"] = tf.reshape(inputs["corners_mm"], [-1, 4, 3])
    inputs["corners_mm"] -= tf.range(len(names), dtype=tf.float64)[:, None, None]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served[2].signatures["scan"](**inputs)


def test_scan_refuses_what_is_not_of_this_scan(served, scan):
    run = served[2].signatures["scan"]
    inputs = scan_inputs(scan)
    wrong = {
        "must lie inside the scan": {"corners_mm": inputs["corners_mm"] + 1000.0},
        "must run anterior-superior": {"corners_mm": inputs["corners_mm"][:, ::-1]},
        "from head to foot": {"corners_mm": inputs["corners_mm"][::-1]},
        "must be canonical": {"affine": inputs["affine"] * [[-1.0], [1], [1], [1]]},
        "same vertebrae": {"levels": inputs["levels"][:3]},
    }
    for message, change in wrong.items():
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(**(inputs | change))


def test_an_empty_batch_gives_empty_outputs(served):
    found = served[2].signatures["serving_default"](crops=tf.zeros([0, 9, 56, 112]))
    assert found["pfirrmann_probabilities"].shape == [0, 5]
    found = served[2].signatures["examples"](examples=tf.constant([], tf.string))
    assert found["key"].shape == [0]
    found = served[2].signatures["packed"](crops=tf.constant([], tf.string))
    assert found["pfirrmann_grade"].shape == [0]


def test_packed_crops_of_another_size_are_refused(served):
    run = served[2].signatures["packed"]
    size = 9 * 56 * 112 * 2
    for wrong in ([b"\0" * (size - 2)], [b"\0" * size * 2], [b"\0" * size, b""]):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"must each have {size} bytes"):
            run(crops=tf.constant(wrong))


def test_embed_gives_the_mean_of_conv5(served, scan):
    model, folder, loaded = served
    crop = np.stack(list(network_crops(scan, folder.data["crop_scale"]).values()))
    found = loaded.signatures["embed"](crops=tf.constant(crop))
    conv5 = model.get_layer("encoder")(crop[..., None], training=False)["conv5"]
    np.testing.assert_allclose(found["embedding"], tf.reduce_mean(conv5, [1, 2]), atol=1e-5)


def test_the_graph_checks_shapes_when_it_runs(served):
    """A server's session does not look at a signature's shapes: crops on their side would pass."""
    graph = served[2].signatures["scan"].graph.as_graph_def()
    nodes = [node for function in graph.library.function for node in function.node_def]
    checked = {
        tuple(size.size for size in node.attr["shape"].shape.dim)
        for node in nodes
        if node.op == "EnsureShape"
    }
    assert {(-1, 9, 56, 112), (-1, -1, -1), (4, 4), (-1, 4, 3), (-1,)} <= checked


def test_crops_must_be_normalised(served):
    run = served[2].signatures["serving_default"]
    for value in (700.0, float("nan")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"`crops` must lie in \[0, 2\]"):
            run(crops=tf.fill([1, 9, 56, 112], value))


def test_examples_must_be_discs_of_this_schema(served, scan):
    run = served[2].signatures["examples"]
    example = tf.train.Example.FromString(serialized(scan, served[1].data["crop_scale"])[0])
    example.features.feature["schema_version"].int64_list.value[0] = 99
    with pytest.raises(tf.errors.InvalidArgumentError, match="`schema_version` must be 1"):
        run(examples=tf.constant([example.SerializeToString()]))


def test_longitudinal_model_gives_embeddings(tmp_path):
    folder = tiny_export.make_longitudinal_folder(tmp_path)
    model = folder.load_model()
    path = str(tmp_path / "1")
    serving.save(serving.make_module(model, folder), path)
    crop = np.random.default_rng(0).uniform(0, 1, (3, 9, 112, 112)).astype(np.float32)
    found = tf.saved_model.load(path).signatures["serving_default"](crops=tf.constant(crop))
    assert found["embedding"].shape == [3, 8]
    np.testing.assert_allclose(tf.reduce_sum(found["level_probabilities"], 1), 1, atol=1e-5)
    expected = model({"crop": crop[..., None]})
    distance = np.linalg.norm(found["embedding"][0] - found["embedding"][1])
    np.testing.assert_allclose(distance, expected["same_subject"][0, 1], atol=1e-5)


def test_a_task_that_cannot_be_served_is_named(tmp_path):
    task = tasks.make("context_restoration")
    folder = tiny_export.describe_model_folder(tmp_path, task)
    message = r"exported \(grading, longitudinal\), got 'context_restoration'"
    with pytest.raises(ValueError, match=message):
        serving.make_module(None, folder)
