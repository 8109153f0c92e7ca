"""The make-organs command, run for real, and its files through convert-images."""

import collections
import csv
import shlex
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from data_prep import convert_images, make_organs, make_organs_lib
from spine_tf import cli
from spine_tf.data import records, schema
from spine_tf.organ_phantom import abdomen, patient, planes


def _run(*arguments):
    return cli.call(make_organs.define_flags, make_organs.main, arguments)


def _converted(printed):
    """Runs the printed command; returns its data set."""
    program, command, *arguments = shlex.split(printed.strip().splitlines()[-1])
    assert (program, command) == ("spine-tf", "convert-images")
    arguments.append("--num_shards=2")
    assert cli.call(convert_images.define_flags, convert_images.main, arguments) == cli.EXIT_DONE
    return records.open_folder(arguments[-2].split("=", 1)[1])


def test_help_imports_nothing_heavy():
    code = (
        "import sys, runpy\n"
        "sys.argv = ['x', '--help']\n"
        "try:\n    runpy.run_module('data_prep.make_organs', run_name='__main__')\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "assert not {'tensorflow', 'scipy', 'SimpleITK'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--kind=planes|abdomen  (required)" in done.stdout


def test_planes_to_records(tmp_path, capsys):
    folder = tmp_path / "set"
    arguments = ("--kind=planes", "--num_subjects=2", "--seed=5", f"--output_dir={folder}")
    assert _run(*arguments) == cli.EXIT_DONE
    printed = capsys.readouterr().out
    with open(folder / "images.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert set(collections.Counter(row["label"] for row in rows).values()) == {2}
    assert set(collections.Counter(row["subject"] for row in rows).values()) == {14}
    row = rows[17]
    with Image.open(folder / "images" / row["image"]) as image:
        np.testing.assert_array_equal(image, planes.make_image(5, 1, row["label"]))

    index = _converted(printed).index(schema.SLICE)
    assert collections.Counter(index.column("label")) == dict.fromkeys(planes.PLANES, 2)
    assert len(set(index.column("subject"))) == 2
    parsed = schema.parse(index.kind, index.read(0), index.crop_scale, index.crop_kind)
    assert parsed["image"].shape == (112, 144, 1) and parsed["valid"].numpy().all()


def test_abdomen_to_records(tmp_path, capsys):
    folder = tmp_path / "set"
    arguments = ("--kind=abdomen", "--num_subjects=2", f"--output_dir={folder}")
    assert _run(*arguments) == cli.EXIT_DONE
    printed = capsys.readouterr().out
    case = folder / "volumes" / "subject-00001"
    scan = abdomen.make_case(0, 1)
    written = sitk.ReadImage(str(case / "ct.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), scan.hu)
    np.testing.assert_allclose(written.GetSpacing(), scan.spacing_mm[::-1], rtol=1e-6)
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(case / "organs.nii.gz")))
    np.testing.assert_array_equal(labels, scan.label_map)

    data = _converted(printed)
    assert data.label_names == {number: name for name, number in patient.LABELS.items()}
    index = data.index(schema.SLICE)
    assert set(index.column("view")) == {"axial", "coronal", "sagittal"}
    _check_axial(index, scan)


def _check_axial(index, scan):
    """The records' axial slices hold as much of each organ as the truth."""
    cases = {case for case, _ in records.cases(index)}
    volumes = []
    for case in cases:
        rows = [index.rows[number] for number in records.cases(index)[case, "axial"]]
        counts = sum(
            (collections.Counter(row["label_pixels"]) for row in rows), collections.Counter()
        )
        volumes.append({int(label): 0.064 * count for label, count in counts.items()})
    truth = np.bincount(scan.label_map.ravel())[1:] * np.prod(scan.spacing_mm) / 1000
    near = [
        all(abs(v.get(k, 0) - t) < 3 + 0.1 * t for k, t in enumerate(truth, 1)) for v in volumes
    ]
    assert any(near)


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    cohort = make_organs_lib.Cohort("planes", 2)
    make_organs_lib.write(cohort, str(tmp_path / "set"))
    first = tmp_path / "set" / "images" / "subject-00000" / "00.png"
    first.unlink()
    written = []
    monkeypatch.setattr(make_organs_lib.planes, "make_image", written.append)
    make_organs_lib.write(cohort, str(tmp_path / "set"))
    assert not written and not first.exists()


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    folder = tmp_path / "set"
    arguments = ("--kind=planes", f"--output_dir={folder}", "--dry_run")
    assert _run(*arguments, "--num_subjects=3") == cli.EXIT_DONE
    assert capsys.readouterr().out == (
        f"{folder} would hold 3 subjects, 42 images; 3 subjects are still to be made.\n"
    )
    assert not folder.exists()
    assert _run(*arguments[:2], "--num_subjects=1") == cli.EXIT_DONE
    assert _run(*arguments, "--num_subjects=2") == cli.EXIT_FAILED  # another cohort
    assert "must be a new folder" in capsys.readouterr().err


def test_another_seed_needs_another_folder(tmp_path, capsys):
    arguments = ("--kind=planes", "--num_subjects=1", f"--output_dir={tmp_path / 'set'}")
    assert _run(*arguments) == cli.EXIT_DONE
    assert _run(*arguments, "--seed=1") == cli.EXIT_FAILED
    assert "whose organs.json has other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "message"),
    [(("feet", 1), "`kind` must be among"), (("planes", 0), "`num_subjects` must be at least 1")],
)
def test_cohorts_that_cannot_be(values, message):
    with pytest.raises(ValueError, match=message):
        make_organs_lib.Cohort(*values)
