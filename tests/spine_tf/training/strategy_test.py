"""One device; runs_on_two_devices.py has two."""

import pytest
import tensorflow as tf

from spine_tf.training import strategy


def test_one_and_auto_are_the_default_device(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    one = strategy.make("one")
    assert strategy.make("auto") is one
    assert one.num_replicas_in_sync == 1
    assert strategy.share(one) == (0, 1) and strategy.is_chief(one)


def test_what_this_machine_cannot_give(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="`strategy` must be one, mirrored, .*, got 'two'"):
        strategy.make("two")
    with pytest.raises(ValueError, match="not two devices, got 'mirrored' with CPU:0 alone"):
        strategy.make("mirrored")
    with pytest.raises(ValueError, match="got 'multiworker' and a TF_CONFIG that names 0"):
        strategy.make("multiworker")


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:1"]}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_tf_config_that_is_none(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    for name in ("auto", "multiworker"):
        with pytest.raises(ValueError, match="`TF_CONFIG` must"):
            strategy.make(name)


def test_who_is_waited_for(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert strategy.waited_for("auto") == []
    text = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
    monkeypatch.setenv("TF_CONFIG", text)
    assert strategy.waited_for("auto") == strategy.waited_for("multiworker") == ["a:1", "b:1"]
    assert strategy.waited_for("one") == []


def test_workers_that_are_left_out_are_named(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert strategy.warnings("one") == []
    text = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
    monkeypatch.setenv("TF_CONFIG", text)
    assert strategy.warnings("auto") == strategy.warnings("multiworker") == []
    (warning,) = strategy.warnings("one")
    assert warning.startswith("TF_CONFIG names 2 workers, and --strategy=one trains on this one")
    monkeypatch.setenv("TF_CONFIG", "{}")  # one device needs none
    assert strategy.warnings("one") == []


def test_one_device_takes_the_whole_batch():
    one = strategy.make("one")
    batch = {"x": tf.constant([1.0, 2.0, 3.0])}
    assert strategy.split(one, batch) is batch
    sums = one.run(lambda part: tf.reduce_sum(part["x"]), (batch,))
    assert float(strategy.total(one, {"sum": sums})["sum"]) == 6.0
    assert strategy.joined(one, batch)["x"].numpy().tolist() == [1.0, 2.0, 3.0]
