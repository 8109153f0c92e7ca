import contextlib
import os
import time

import numpy as np
import pytest

from export import c_api, c_api_process

_IN, _OUT = ("echo_text:0", "echo_numbers:0"), ("PartitionedCall:1", "PartitionedCall:0")


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """A process that gives back what it is given."""
    import tensorflow as tf  # not above: the process that crashes imports this file

    path = str(tmp_path_factory.mktemp("echo"))
    module = tf.Module()
    specs = tf.TensorSpec([None], tf.string, "text"), tf.TensorSpec(None, tf.float32, "numbers")
    echo = tf.function(
        lambda text, numbers: {"text": tf.identity(text), "numbers": tf.identity(numbers)},
        input_signature=specs,
    )
    tf.saved_model.save(module, path, {"echo": echo})
    with contextlib.closing(c_api_process.Process(path)) as found:
        yield found


def test_no_python_of_tensorflow_is_in_the_process(process):
    assert process.facts["python_graph"] is False
    assert process.facts["version"].startswith("2.")
    assert process.facts["load_seconds"] > 0


def test_texts_arrays_and_empty_arrays_go_through(process):
    texts = np.array([b"", b"a\0b", b"x" * 100], object)
    numbers = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    for values in ((texts, numbers), (texts[:0], numbers[:0]), (texts[::2], numbers.T)):
        found, seconds = process.run(dict(zip(_IN, values, strict=True)), _OUT)
        assert found[0].tolist() == values[0].tolist()
        np.testing.assert_array_equal(found[1], values[1])
        assert seconds > 0


def test_what_the_library_refuses_has_a_code_and_a_message(process):
    texts = np.array([b"a"], object)
    with pytest.raises(c_api.Error, match="INVALID_ARGUMENT.*float but double") as caught:
        process.run(dict(zip(_IN, (texts, np.zeros(2)), strict=True)), _OUT)
    assert caught.value.code == "INVALID_ARGUMENT"
    with pytest.raises(c_api.Error, match="NOT_FOUND.*no operation 'nowhere'"):
        process.run({_IN[0]: texts}, ["nowhere:0"])
    with pytest.raises(TypeError, match="complex128"):
        process.run({_IN[1]: np.zeros(2, complex)}, _OUT)


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(c_api.Error, match="NOT_FOUND"):
        c_api_process.Process(str(tmp_path))


def _die(connection, path):
    os._exit(7)


def _be_late(connection, path):
    connection.send({})
    while True:
        connection.recv()
        time.sleep(0.5)
        connection.send(([], 0.0))


def test_a_late_answer_is_not_that_of_the_next_call(monkeypatch):
    monkeypatch.setattr(c_api_process, "serve", _be_late)
    with contextlib.closing(c_api_process.Process("unused")) as late:
        late._timeout_seconds = 0.1
        with pytest.raises(c_api_process.CrashError, match="no answer within 0.1 s"):
            late.run({}, [])
        late._timeout_seconds = 30.0
        with pytest.raises(c_api_process.CrashError, match="ended"):
            late.run({}, [])


def test_a_crash_is_told_and_stays_in_the_process(monkeypatch):
    monkeypatch.setattr(c_api_process, "serve", _die)
    with pytest.raises(c_api_process.CrashError, match="exit code 7"):
        c_api_process.Process("unused")
