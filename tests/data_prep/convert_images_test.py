"""Tests of the convert-images command."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from data_prep import convert_images, deidentify
from spine_tf import cli
from spine_tf.data import records, schema, slice_schema
from tests.data_prep import image_samples, volume_samples

_REAL = pathlib.Path(__file__).parents[3] / "shared" / "data"


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
    assert (
        "2 scans; records by kind: 1 image_pairs." in printed and printed.count("rejected: ") == 3
    )
    reasons = (out / "local" / "rejects.jsonl").read_text()
    assert "row 6: another row names this image" in reasons
    assert "cut.png" in reasons and "must not all be 0" in reasons
    key = deidentify.load_or_make_key(str(tmp_path / "out.key"))
    assert records.open_folder(str(out)).manifest["key_id"] == deidentify.key_id(key)
    (row,) = map(json.loads, (out / "index-image_pairs.jsonl").open())
    assert row["days"] == [0, 3980]
    assert row["header_facts"] == {"sex": [-1, 0], "age": [-1, 6], "weight": [-1, 5]}
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    for value in ("Zebulon", "Quixotic", "Xanthe", "QZX-4711", "071Y", "83.417", "19491231"):
        assert value.encode() not in written and value not in printed
    assert len(list((out / "qc").glob("*.png"))) == 2


def test_nothing_to_convert(tmp_path, capsys):
    assert run(*_arguments(tmp_path, [("none.png", "a", 0, "", "")])) == cli.EXIT_FAILED
    assert "no scan to convert" in capsys.readouterr().err


def _volumes(folder, *arguments):
    return run(f"--input_dir={folder}", f"--output_dir={folder.parent / 'out'}", *arguments)


def test_good_volumes_are_converted_beside_bad_ones(tmp_path, capfd):
    folder = tmp_path / "in"
    for name in "abcdefgh":
        volume_samples.write_case(folder, name)
    volume_samples.write_case(folder, "bad", seg=np.full(volume_samples.SHAPE, 3, np.uint8))
    # The split depends on the key; with some, the half left out is the bad volume alone.
    (tmp_path / "key").write_text("0" * 64)
    options = ("--layout=brats", "--num_shards=2", "--folds=2", "--train_percents=50")
    options += (f"--key_file={tmp_path / 'key'}",)
    assert _volumes(folder, *options, "--views=axial,native") == cli.EXIT_REJECTED
    printed = capfd.readouterr().out
    assert "8 scans; records by kind: 48 slice." in printed
    assert "bad_seg.nii.gz: has labels outside the list: 3" in printed
    data = records.open_folder(str(tmp_path / "out"))
    assert data.manifest["key_id"] == deidentify.key_id(bytes(32))
    assert data.label_names == {1: "necrotic core", 2: "oedema", 4: "enhancing tumour"}
    assert data.manifest["kinds"]["slice"]["view_counts"] == {"axial": 32, "sagittal": 16}
    for protocol in ("subjects", "grading", "fold0", "fold1"):
        records.check_protocol(data, protocol)
    part = data.index(schema.SLICE, "fold0_percent50", "train")
    whole = data.index(schema.SLICE, "fold0", "train")
    assert 0 < len(part) < len(whole) and set(part.column("key")) < set(whole.column("key"))
    assert part.crop_kind == slice_schema.SliceKind(4)
    parsed = schema.parse(part.kind, part.read(0), part.crop_scale, part.crop_kind)
    assert parsed["key"].numpy().decode() == part.rows[0]["key"]
    assert parsed["foreground"].numpy().sum() == part.rows[0]["foreground_pixels"]


def test_volumes_that_cannot_be_used_are_named(tmp_path, capfd):
    folder, label_map = tmp_path / "in", volume_samples.make_label_map()
    tiny = np.arange(125, dtype=np.int16).reshape(5, 5, 5)
    images = dict.fromkeys(volume_samples.BRATS, tiny) | {"seg": (tiny > 90).astype(np.uint8)}
    volume_samples.write_case(folder, "good")
    volume_samples.write_case(folder, "grid", seg=label_map[:, 1:])
    volume_samples.write_case(folder, "empty", t2=np.zeros(volume_samples.SHAPE, np.int16))
    volume_samples.write_case(folder, "tiny", **images)
    assert _volumes(folder, "--layout=brats", "--num_shards=2") == cli.EXIT_REJECTED
    printed = capfd.readouterr().out
    assert "1 scan; records by kind: 2 slice." in printed
    assert printed.count("rejected: ") == 3
    assert "grid_seg.nii.gz: lies on another grid than its image" in printed
    assert "empty_t2.nii.gz: has no foreground" in printed
    assert "5 x 5 pixels do not hold two patches" in printed and "tiny" in printed


@pytest.mark.slow
def test_two_processes_write_the_same_slices(tmp_path):
    for name in "abcd":
        volume_samples.write_case(tmp_path / "in", name, ("ct",))
    (tmp_path / "labels.json").write_text('{"1-4": "all"}')
    found = []
    for count in (1, 2):
        out = tmp_path / f"out{count}"
        status = run(
            *(f"--input_dir={tmp_path / 'in'}", "--layout=volumes", "--channels=ct"),
            *(f"--label_names={tmp_path / 'labels.json'}", f"--key_file={tmp_path / 'key'}"),
            *(f"--output_dir={out}", f"--num_processes={count}", "--num_shards=2"),
        )
        assert status == cli.EXIT_DONE
        found.append([path.read_bytes() for path in sorted(out.glob("*slice*"))])
    assert found[0] == found[1] and len(found[0]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--layout=brats", "--image_rows=64"), "--image_rows is no flag of --layout=brats"),
        ((), "--input_dir is no flag of --layout=images"),
        (("--layout=volumes",), "--channels and --label_names must be given"),
        (("--layout=brats", "--window_hu=1"), "`window_hu` must be a lower and a higher number"),
    ],
)
def test_flags_that_do_not_go_together(tmp_path, capsys, arguments, message):
    assert _volumes(tmp_path / "in", *arguments) == cli.EXIT_USAGE
    assert message in capsys.readouterr().err


def test_ultrasound_with_classes(tmp_path, capfd):
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    image_samples.write_dicom(tmp_path / "a.dcm", image, Modality="US")
    image_samples.write_dicom(tmp_path / "b.dcm", np.zeros((9, 9), np.uint16))
    rows = [("a.dcm", "exam1", "4CH"), ("b.dcm", "exam2", "4CH"), ("c.dcm", "exam3", "Femr")]
    table = image_samples.write_table(tmp_path / "t.csv", rows, ("image", "subject", "label"))
    arguments = [f"--images_csv={table}", f"--image_dir={tmp_path}", "--kinds=slice"]
    arguments += ["--classes=4CH,Femur", "--image_rows=21", "--image_columns=33"]
    assert run(*arguments, f"--output_dir={tmp_path / 'out'}") == cli.EXIT_REJECTED
    printed = capfd.readouterr().out
    assert (
        "1 scan; records by kind: 1 slice." in printed
        and "b.dcm (1.2.3.4.5): has no fore" in printed
    )
    assert "row 4: `label` 'Femr' is not among --classes" in printed
    data = records.open_folder(str(tmp_path / "out"))
    assert data.manifest["kinds"]["slice"]["label_counts"] == {"4CH": 1}
    assert data.index(schema.SLICE).crop_kind == slice_schema.SliceKind(1, 21, 33)


@pytest.mark.real_data
def test_the_abdomen_of_a_real_case(tmp_path):
    names = {"1": "spleen", "2": "right kidney", "3": "left kidney", "5": "liver", "7": "pancreas"}
    (tmp_path / "labels.json").write_text(json.dumps(names))
    # The header of this label map puts it on the first slices; it is of the last 30, 246 mm higher.
    status = run(
        *(f"--input_dir={_REAL / 'abdomen_ct'}", f"--output_dir={tmp_path / 'out'}"),
        *("--layout=volumes", "--channels=ct", f"--label_names={tmp_path / 'labels.json'}"),
        *("--unlisted_labels=background", "--window_hu=-200,300", "--slices=labelled"),
        *("--cut_to_label_map", "--label_map_shift_mm=0,0,246"),
    )
    assert status == cli.EXIT_DONE
    index = records.open_folder(str(tmp_path / "out")).index(schema.SLICE)
    assert len(index) == 30 and set(index.column("view")) == {"axial"}
    parsed = [schema.parse(index.kind, index.read(n), 1.0, index.crop_kind) for n in range(30)]
    # Soft tissue: the liver is 40 to 70 HU, kidneys and pancreas are below it without contrast.
    for label, least, most in ((5, 30, 80), (1, 20, 60), (2, 0, 40), (3, 0, 40)):
        values = [p["image"][p["label_map"] == label].numpy().ravel() for p in parsed]
        assert least < np.median(np.concatenate(values)) < most


@pytest.mark.real_data
def test_a_real_brain(tmp_path):
    arguments = ("--layout=brats", "--channels=t1c_bet,t2_bet,fla_bet", "--slices=labelled")
    found = run(f"--input_dir={_REAL / 'brain_mr'}", f"--output_dir={tmp_path / 'out'}", *arguments)
    assert found == cli.EXIT_DONE
    index = records.open_folder(str(tmp_path / "out")).index(schema.SLICE)
    assert index.num_channels == 3 and set(index.column("view")) == {"axial"}
    assert set().union(*index.column("label_pixels")) == {"1", "2", "4"}  # all three are there


@pytest.mark.real_data
def test_a_real_patient_of_spider(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / "in" / part).mkdir(parents=True)
        name = f"{part}/107_t2_SPACE.mha"
        (tmp_path / "in" / name).symlink_to((_REAL / "spider_t2space" / name).resolve())
    arguments = ("--layout=spider", "--slices=labelled", "--spacing_mm=1", "--resample=in_plane")
    found = run(f"--input_dir={tmp_path / 'in'}", f"--output_dir={tmp_path / 'out'}", *arguments)
    assert found == cli.EXIT_DONE
    data = records.open_folder(str(tmp_path / "out"))
    assert data.label_names == {1: "vertebra", 100: "canal", 201: "disc"}
    index = data.index(schema.SLICE)
    assert set(index.column("view")) == {"sagittal"} and len(index) == 14
    middle = index.rows[len(index) // 2]["label_pixels"]
    # Of 1 mm2 each: seven bodies of some 30 x 25 mm, discs of a third of that height.
    assert set(middle) == {"1", "100", "201"} and 3000 < middle["1"] < 12000
    assert 500 < middle["201"] < middle["1"] / 2


@pytest.mark.real_data
def test_real_planes_of_ultrasound(tmp_path):
    names = {"4CH": "4CH", "ABDOMINAL": "Abdominal", "BRAIN-TV": "Brain(Tv)"}
    names |= {"SPINE-SAGITTAL": "Spine(sag)"}
    rows = [(f"{name}.tiff", name, label) for name, label in names.items()]
    columns = ("image", "subject", "label")
    table = image_samples.write_table(tmp_path / "planes.csv", rows, columns)
    found = run(
        *(f"--images_csv={table}", f"--image_dir={_REAL / 'fetal_us'}", "--kinds=slice"),
        *("--image_rows=112", "--image_columns=144", "--keep_box=115,734,81,874"),
        f"--output_dir={tmp_path / 'out'}",
    )
    assert found == cli.EXIT_DONE
    data = records.open_folder(str(tmp_path / "out"))
    counts = data.manifest["kinds"]["slice"]["label_counts"]
    assert counts == dict.fromkeys(names.values(), 1)
    assert data.index(schema.SLICE).crop_kind == slice_schema.SliceKind(1, 112, 144)
