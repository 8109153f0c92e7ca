import os
import subprocess
import sys

import pytest

from spine_tf import quiet

_NOTES = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1795324898.559018    5163 port.cc:153] oneDNN custom operations are on.\n"
    b"2026-11-22 05:18:26.123456: I tensorflow/core/util/port.cc:113] oneDNN custom operations\n"
    b"To enable the following instructions: AVX2 AVX512F, in other operations, rebuild.\n"
)
_OTHERS = (
    b"E0000 00:00:1795326251.008243   18294 cuda_platform.cc:52] failed call to cuInit\n"
    b"W0000 00:00:1795326251.008243   18294 gpu.cc:52] a warning\n"
    b"I say this on purpose\n"
)


def test_notes_are_dropped_and_the_rest_comes_in_its_order(capfd):
    with quiet.without_notes():
        for line in (*_NOTES.splitlines(True), *_OTHERS.splitlines(True)):
            os.write(2, line)
        assert capfd.readouterr().err == ""
    os.write(2, b"after\n")
    assert capfd.readouterr().err.encode() == _OTHERS + b"after\n"


def test_what_was_printed_before_an_error_comes_out(capfd):
    with pytest.raises(ImportError), quiet.without_notes():
        print("why it failed", file=sys.stderr)
        raise ImportError
    assert capfd.readouterr().err == "why it failed\n"


_IMPORT = """
from spine_tf import quiet
quiet.quiet_libraries()
quiet.quiet_libraries()
import tensorflow
assert tensorflow.__spec__.loader is tensorflow.__loader__
assert type(tensorflow.__loader__).__module__ != "spine_tf.quiet"
print(int(tensorflow.constant(2) + 3))
"""


@pytest.mark.parametrize("level", [None, "0"])
def test_importing_tensorflow_prints_nothing_but_where_it_is_asked_for(level):
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    if level:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "5\n"
    assert (done.stderr == "") == (level is None)
