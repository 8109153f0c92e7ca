import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import augmentation, crops, pipeline, records, schema
from spine_tf.tasks.pretext import strong
from tests.spine_tf import small_data

ROWS = (
    {"level": "L1-L2", "visit": [0], "grades": {"pfirrmann": 5, "disc_narrowing": 1}},
    {"level": "L2-L3", "visit": [1], "grades": {}},
    {"level": "L1", "visit": [0, 1], "grades": {}},
    {"level": "S1", "visit": [0], "grades": {}},
    {"level": "T11", "visit": [0], "grades": {}},
)
INDEX = records.Index("", schema.DISC_OR_BODY, 0.5, ROWS)
MADE = strong.Strong(("pfirrmann", "disc_narrowing"))


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    data_dir = small_data.make(tmp_path_factory.mktemp("strong") / "set", (1, 2))
    return records.open_folder(data_dir).index(schema.DISC_OR_BODY)


def test_the_eight_gradings_of_spinenet():
    made = strong.Strong()
    classes = (5, 4, 2, 2, 2, 2, 2, 2, 7)
    assert tuple(made.num_classes.values()) == classes and list(made.num_classes)[-1] == "level"
    assert made.record_kind == "disc_or_body" and made.test_kind == "disc"


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"gradings": ()}, "`gradings` must be a list of names, got none"),
        ({"gradings": "modic"}, "`gradings` must be a list of names, got 'modic'"),
        ({"level_weight": 0}, "`level_weight` must be positive, got 0"),
    ],
)
def test_what_cannot_be(fields, message):
    with pytest.raises(ValueError, match=message):
        strong.Strong(**fields)


def test_gradings_that_no_record_has():
    with pytest.raises(ValueError, match=r"got \['modic'\]. Convert with --gradings"):
        strong.Strong(("modic", "pfirrmann")).configure(INDEX)
    assert MADE.configure(INDEX) is MADE


def test_every_visit_of_a_body_counts():
    # T12, L1 (two visits), ..., S1; a body outside the lumbar levels counts for nothing.
    counts = MADE.class_counts(INDEX)
    assert counts["level"] == [0, 2, 0, 0, 0, 0, 1]
    assert counts["pfirrmann"] == [0, 0, 0, 0, 1] and counts["disc_narrowing"] == [1, 0, 0, 0]


def test_an_epoch_is_every_graded_disc_and_every_visit_of_a_body():
    plan = MADE.plan(INDEX, 2, seed=0)
    assert plan.shape == (2, 2, 2)
    found = sorted(map(tuple, plan.reshape(-1, 2).tolist()))
    assert found == [(0, 0), (2, 0), (2, 1), (3, 0)]
    nothing = records.Index("", schema.DISC_OR_BODY, 0.5, ROWS[1:2])
    assert MADE.plan(nothing, 2, seed=0).shape == (0, 2, 2)


def test_discs_have_grades_and_bodies_levels(index):
    made = strong.Strong(("disc_bulging",))
    inputs = augmentation.InputConfig(0.5, 0.5)
    process = pipeline.compile_preprocess(index.kind, 0.5, made.preprocess, inputs, made.crop_kind)
    plan = made.plan(index, 4, seed=0)
    for step, items in pipeline.items(index, plan, process, seed=0):
        batch = made.prepare_batch(items, True, tf.constant([0, 0]))
        assert batch.inputs["crop"].shape == (4, 9, 56, 112, 1)
        for place, (number, _) in enumerate(plan[int(step)]):
            row = index.rows[number]
            is_body = row["level"] in strong.LEVEL_NAMES
            assert batch.weights["level"][place] == is_body
            assert batch.weights["disc_bulging"][place] == (not is_body)
            if is_body:
                assert strong.LEVEL_NAMES[batch.labels["level"][place]] == row["level"]
            else:
                assert batch.labels["disc_bulging"][place] == row["grades"]["disc_bulging"]


def test_of_a_body_the_network_sees_the_middle_of_its_crop(index):
    number = next(i for i, row in enumerate(index.rows) if len(row["visit"]) == 2)
    serialized = index.read(number)
    alone = schema.parse(schema.VERTEBRA_PAIRS, serialized, 0.5)
    example = schema.parse(index.kind, serialized, 0.5) | {"item": tf.constant([1])}
    inputs = augmentation.InputConfig(0.5, 0.5)
    found = MADE.preprocess(example, inputs, tf.constant([0, 0]))
    whole = augmentation.network_input(
        *(alone[name][1] for name in ("image", "slice_is_valid", "pixel_is_valid")),
        crops.VERTEBRA,
        inputs,
        tf.constant([0, 0]),
    )
    # Rows 28 to 83 of the 112 that a network for bodies sees.
    np.testing.assert_array_equal(found["crop"][..., 0], whole[:, 28:84])
