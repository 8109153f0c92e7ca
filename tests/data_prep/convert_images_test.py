"""Tests of the convert-images command."""

import json
import subprocess
import sys

import numpy as np
import pytest

from data_prep import convert_images
from spine_tf import cli
from tests.data_prep import image_samples


def run(*arguments):
    return cli.call(convert_images.define_flags, convert_images.main, arguments)


def _arguments(folder, rows):
    table = image_samples.write_table(folder / "images.csv", rows)
    return (
        f"--images_csv={table}",
        f"--image_dir={folder}",
        f"--output_dir={folder / 'out'}",
        "--image_rows=64",
        "--image_columns=64",
        "--num_shards=2",
    )


def test_help_does_not_import_tensorflow():
    code = (
        "import sys, runpy\n"
        "sys.argv = ['x', '--help']\n"
        "try:\n    runpy.run_module('data_prep.convert_images', run_name='__main__')\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "assert 'tensorflow' not in sys.modules and 'PIL' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--image_rows" in done.stdout and "--header_facts" in done.stdout
    assert "--disc_pairs" not in done.stdout


@pytest.mark.parametrize("flag", ["--image_rows=100", "--image_columns=0"])
def test_sizes_that_cannot_be_are_wrong_usage(tmp_path, capsys, flag):
    assert run(*_arguments(tmp_path, []), flag) == cli.EXIT_USAGE
    assert "must be a multiple of 32" in capsys.readouterr().err


def test_good_images_are_converted_beside_bad_ones(tmp_path, capfd):
    image_samples.write_image(tmp_path / "a.png", 1)
    image_samples.write_image(tmp_path / "cut.png", 2)
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:90])
    image_samples.write_dicom(tmp_path / "b.dcm", np.arange(400, dtype=np.uint16).reshape(20, 20))
    image_samples.write_dicom(tmp_path / "black.dcm", np.zeros((20, 20), np.uint16))
    rows = [
        ("a.png", "Zebulon", 731, "frontal", "Quixotic"),
        ("b.dcm", "Zebulon", 4711, "frontal", "Quixotic"),
        ("cut.png", "Xanthe", 0, "frontal", ""),
        ("black.dcm", "Xanthe", 1, "frontal", ""),
        ("b.dcm", "Xanthe", 2, "frontal", ""),
    ]
    arguments = _arguments(tmp_path, rows)
    assert run(*arguments, "--header_facts=sex,age,weight") == cli.EXIT_REJECTED
    printed = "".join(capfd.readouterr())
    out = tmp_path / "out"
    assert "2 scans, records: 1 image_pairs." in printed and printed.count("rejected: ") == 3
    reasons = (out / "local" / "rejects.jsonl").read_text()
    assert "row 6: another row names this image" in reasons
    assert "cut.png" in reasons and "must not all be 0" in reasons
    (row,) = map(json.loads, (out / "index-image_pairs.jsonl").open())
    assert row["days"] == [0, 3980]
    assert row["header_facts"] == {"sex": [-1, 0], "age": [-1, 6], "weight": [-1, 5]}
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    for value in ("Zebulon", "Quixotic", "Xanthe", "QZX", "071Y", "83.417", "19491231"):
        assert value.encode() not in written and value not in printed
    assert len(list((out / "qc").iterdir())) == 2


def test_nothing_to_convert(tmp_path, capsys):
    assert run(*_arguments(tmp_path, [("none.png", "a", 0, "", "")])) == cli.EXIT_FAILED
    assert "no scan to convert" in capsys.readouterr().err
