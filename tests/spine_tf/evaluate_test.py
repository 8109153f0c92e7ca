import json
import subprocess
import sys

import pytest

from spine_tf import cli, evaluate
from tests.spine_tf import small_data, untrained


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    data_dir = small_data.make(folder / "data", (2,) * 4 + (1,) * 6)
    model_dir = untrained.save(folder / "model", data_dir, "grading")
    return model_dir, data_dir


def _run(model_dir, data_dir, output_dir, *more):
    arguments = [f"--model_dir={model_dir}", f"--data_dir={data_dir}"]
    arguments += [f"--output_dir={output_dir}", "--num_draws=20", *more]
    return cli.call(evaluate.define_flags, evaluate.main, arguments)


def test_evaluates_and_prints_a_table(folders, tmp_path, capsys):
    assert _run(*folders, tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "balanced accuracy" in printed
    assert "disc_degeneration" in printed
    assert "evaluation.json" in printed
    assert (tmp_path / "out" / "confusion-disc_bulging.png").exists()


def test_the_split_can_be_chosen(folders, tmp_path):
    assert _run(*folders, tmp_path / "out", "--split=validation", "--bootstrap=family") == 0
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert content["split"] == "validation"
    assert content["bootstrap"]["over"] == "family"


def test_another_data_set_is_refused_unless_it_is_meant(folders, tmp_path, capsys):
    other = small_data.make(tmp_path / "other", (1, 1, 1), seed=3)
    assert _run(folders[0], other, tmp_path / "out") == 1
    assert "--other_data" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert _run(folders[0], other, tmp_path / "out", "--other_data") == 0


@pytest.mark.parametrize("flag", ["--split=all", "--num_draws=0", "--bootstrap=disc"])
def test_wrong_usage(folders, tmp_path, flag):
    assert _run(*folders, tmp_path / "out", flag) == cli.EXIT_USAGE


def test_what_is_no_model_folder_is_one_clear_error(folders, tmp_path, capsys):
    assert _run(tmp_path, folders[1], tmp_path / "out") == 1
    assert "is not a model folder" in capsys.readouterr().err


def test_help_does_not_import_tensorflow():
    code = (
        "import sys; from spine_tf import cli, evaluate;"
        "cli.call(evaluate.define_flags, evaluate.main, ['--help']);"
        "sys.exit('tensorflow' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "--model_dir" in found.stdout
