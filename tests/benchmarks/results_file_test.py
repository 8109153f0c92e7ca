import pytest
from absl import flags

from benchmarks import conversion, encoder_ridge, learning_curve, results_file, serving
from spine_tf import cli

_CONVERSION = ["--small", "--num_studies=3", "--crop_scale=0.5", "--num_files", "7"]


@pytest.mark.parametrize(
    ("module", "part", "arguments", "expected"),
    [
        (
            conversion,
            "memory",
            ["--work_dir=/data/me/runs/", "--parts=speed", "--parts=memory", *_CONVERSION],
            "--parts=memory --work_dir=runs --num_files=7 --num_studies=3 --crop_scale=0.5 --small",
        ),
        (
            serving,
            "scan",
            ["--work_dir", "/data/me/runs", "--parts=engines,scan", "--notorch"],
            "--parts=scan --work_dir=runs --notorch",
        ),
        (
            learning_curve,
            "",
            [
                *("--data_dir=../a", "--test_dir=b", "--work_dir=c", "--sizes=240,670"),
                '--siamese_options={"mode":"all"}',
            ],
            "--data_dir=a --test_dir=b --work_dir=c --sizes=240,670"
            ' \'--siamese_options={"mode":"all"}\'',
        ),
        (
            encoder_ridge,
            "",
            ["--data_dir=/a/b", "--model_dirs=one=/c/d=e/f,two=/g/", "--folds=5"],
            "--data_dir=b --model_dirs=one=f,two=g --folds=5",
        ),
        (conversion, "", ["--work_dir=/a=b/c"], "--work_dir=c"),
    ],
)
def test_a_command_has_all_flags_that_were_given_and_no_folder(module, part, arguments, expected):
    name, found = module.__name__, []

    def main(argv):
        found.append(results_file.command(name.removeprefix("benchmarks."), flags.FLAGS, part))

    assert cli.call(module.define_flags, main, arguments) == 0
    assert found == [f"python -m {name} {expected}"]
