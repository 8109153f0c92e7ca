"""The contract, and the table of tasks."""

import re

import numpy as np
import pytest

from spine_tf import config, tasks
from spine_tf.tasks import task
from spine_tf.tasks.downstream import grading
from spine_tf.tasks.pretext import longitudinal, strong


def test_tasks_by_name():
    assert tasks.PRETEXT["longitudinal"] is longitudinal.Longitudinal
    assert tasks.PRETEXT["strong"] is strong.Strong
    assert tasks.DOWNSTREAM["grading"] is grading.Grading
    assert len(tasks.TASKS) == len(tasks.PRETEXT) + len(tasks.DOWNSTREAM)
    made = tasks.make("grading", '{"gradings": ["pfirrmann", "modic"]}')
    assert made == grading.Grading(("pfirrmann", "modic"))
    assert tasks.name_of(made) == "grading"
    assert tasks.make("longitudinal") == longitudinal.Longitudinal()


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("puzzle", "{}", "`task` must be one of longitudinal, strong, "),
        ("grading", "{", "`task_options` must be JSON, got '{'"),
        ("grading", "[]", "must be a JSON object with keys among ['gradings'], got []."),
        ("grading", '{"margin": 1}', "with keys among ['gradings'], got"),
        (
            "longitudinal",
            '{"margin": -1}',
            "`margin` must be positive, got -1.",
        ),
        ("grading", '{"gradings": ["beauty"]}', "must be one of disc_degeneration, pfirrmann,"),
        ("grading", '{"gradings": "modic"}', "`gradings` must be a list, got 'modic'."),
        ("longitudinal", '{"margin": "auto"}', "`margin` must be a finite number, got 'auto'."),
        ("longitudinal", '{"margin": NaN}', "`margin` must be a finite number, got nan."),
        ("longitudinal", '{"baseline_only": "no"}', "must be true or false, got 'no'."),
        ("longitudinal", '{"min_interval_days": 1.5}', "must be a whole number, got 1.5."),
        ("longitudinal", '{"mode": 1}', "`mode` must be a text, got 1."),
    ],
)
def test_what_no_task_can_be(name, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        tasks.make(name, options)


def test_a_plan_holds_every_record_once_and_fills_the_last_step():
    plan = task.shuffled_plan(7, 3, seed=1)
    assert plan.shape == (3, 3, 1) and plan.dtype == np.int32
    order = plan.ravel()
    assert sorted(order[:7]) == list(range(7))
    assert order[7:].tolist() == order[:2].tolist()
    assert order[:7].tolist() != list(range(7))
    np.testing.assert_array_equal(plan, task.shuffled_plan(7, 3, seed=1))


def test_fewer_records_than_a_batch():
    assert sorted(set(task.shuffled_plan(2, 5, seed=0).ravel())) == [0, 1]


def test_keys_must_agree():
    batch = task.Batch({"crop": 0}, {"a": 0}, {"a": 0})
    task.check_keys(batch, {"a": 0}, {"a": 0})
    with pytest.raises(ValueError, match=r"`outputs` must have the keys .*\['a'\], got \['b'\]"):
        task.check_keys(batch, {"b": 0}, {"a": 0})
    with pytest.raises(ValueError, match=r"`labels` must have the keys .*\['b'\], got \['a'\]"):
        task.check_keys(batch, {"b": 0}, {"b": 0})


def test_the_names_that_flags_offer():
    assert tuple(tasks.TASKS) == config.TASKS
