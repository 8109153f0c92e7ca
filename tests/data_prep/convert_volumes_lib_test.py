import numpy as np
import pytest

from data_prep import convert_volumes_lib, label_names, qc_report, rejection, settings
from spine_tf.data import schema
from tests.data_prep import image_samples, spider_samples, volume_samples

BRATS = settings.VolumeSettings(channels=volume_samples.BRATS, labels=label_names.BRATS)


def _plan(folder, layout="brats", channels=volume_samples.BRATS, **options):
    inputs = convert_volumes_lib.Inputs(layout, str(folder), channels, **options)
    return convert_volumes_lib.plan(inputs, b"key")


def _facts(request, chosen=BRATS):
    examples = convert_volumes_lib.encode(convert_volumes_lib.load(request), request, chosen)
    return [schema.facts(example) for example in examples[schema.SLICE]]


def _reason(request, chosen=BRATS):
    with pytest.raises(rejection.RejectedInput) as caught:
        _facts(request, chosen)
    return str(caught.value)


def test_brats(tmp_path):
    for name in ("b", "a"):
        volume_samples.write_case(tmp_path, name)
    (tmp_path / "survival.csv").write_text("")
    plan = _plan(tmp_path)
    assert not plan.rejections and list(plan.not_needed.values()) == [1]
    assert [r.path.split("/")[-1] for r in plan.requests] == ["a_t1.nii.gz", "b_t1.nii.gz"]
    assert len({r.subject_key for r in plan.requests}) == 2
    rows = _facts(plan.requests[0])
    assert [row["position"] for row in rows] == [1, 2]
    assert rows[0]["channels"] == 4 and rows[0]["label_pixels"] == {"1": 3, "2": 1}
    assert rows[1]["label_pixels"] == {"1": 3, "4": 1}


def test_cases_in_one_folder(tmp_path):
    for name in ("x", "y_1"):
        volume_samples.write_case(tmp_path, name, ("ct",))
        for path in (tmp_path / name).iterdir():
            path.rename(tmp_path / path.name)
        (tmp_path / name).rmdir()
    plan = _plan(tmp_path, "volumes", ("ct",))
    assert [r.path.split("/")[-1] for r in plan.requests] == ["x_ct.nii.gz", "y_1_ct.nii.gz"]


def test_files_that_are_named_by_their_ending_alone(tmp_path):
    volume_samples.write_case(tmp_path, "x", ("ct",))
    for path in (tmp_path / "x").iterdir():
        path.rename(path.parent / path.name.split("_")[1])
    (request,) = _plan(tmp_path, "volumes", ("ct",)).requests
    assert request.path.endswith("x/ct.nii.gz") and len(_facts(request)) == 2


def test_the_longest_ending_counts(tmp_path):
    volume_samples.write_case(tmp_path, "x", ("t1", "b_t1"))
    (request,) = _plan(tmp_path, "volumes", ("t1", "b_t1")).requests
    assert [path.split("x_")[1] for path in request.payload.channels] == [
        "t1.nii.gz",
        "b_t1.nii.gz",
    ]


def test_incomplete_cases(tmp_path):
    volume_samples.write_case(tmp_path, "a", t2=None, seg=None)
    volume_samples.write_case(tmp_path, "b")
    (tmp_path / "b" / "b_t1.nii").write_bytes(b"")
    plan = _plan(tmp_path)
    assert len(plan.requests) == 1
    reasons = "".join(map(str, plan.rejections))
    assert len(plan.rejections) == 2
    assert "a/a: has no file that ends in t2, seg" in reasons
    assert "b_t1.nii.gz: is a second file of 't1' of its case" in reasons


def test_names_that_do_not_match(tmp_path):
    volume_samples.write_case(tmp_path, "x", ("ct",))
    with pytest.raises(ValueError, match=r"named \*t1, \*lesion, got .* --label_ending"):
        _plan(tmp_path, "volumes", ("t1",), label_ending="lesion")


def test_volumes_without_label_maps(tmp_path):
    volume_samples.write_case(tmp_path, seg=None)
    (request,) = _plan(tmp_path, label_ending="").requests
    assert [row["label_pixels"] for row in _facts(request)] == [None, None]


def test_spider(tmp_path):
    spider_samples.write_folder(tmp_path / "spider", ["1_t2", "1_t1", "2_t2", "3_t2"])
    (tmp_path / "spider" / "masks" / "3_t2.mha").unlink()
    plan = _plan(tmp_path / "spider", "spider", ("t2",))
    assert [r.path.split("/")[-1] for r in plan.requests] == ["1_t2.mha", "2_t2.mha"]
    assert "3_t2.mha: there is no mask" in str(plan.rejections[0])
    assert plan.not_needed == {"further series of a patient": 1}
    chosen = settings.VolumeSettings(channels=("t2",), labels=label_names.SPIDER)
    rows = _facts(plan.requests[0], chosen)
    assert {row["view"] for row in rows} == {"sagittal"} and len(rows) == spider_samples.SLICES
    assert list(rows[4]["label_pixels"]) == ["1", "100", "201"]


def test_whose_a_case_is(tmp_path):
    for name in "abcd":
        volume_samples.write_case(tmp_path / "in", name, ("ct",))
    rows = [
        ("a", "anna", "", 90),
        ("b", "anna", "", 30),
        ("c/c", "bert", "x", ""),
        ("z", "z", "", ""),
    ]
    columns = ("case", "subject", "family", "days")
    table = image_samples.write_table(tmp_path / "cases.csv", rows, columns)
    plan = _plan(tmp_path / "in", "volumes", ("ct",), cases_csv=table)
    a, b, c = plan.requests
    assert (a.visit, a.days, b.visit, b.days) == (1, 60, 0, 0)
    assert a.subject_key == b.subject_key != c.subject_key
    reasons = "".join(map(str, plan.rejections))
    assert (
        "row 5: no case here has this name" in reasons and "d_ct.nii.gz: its case is not" in reasons
    )


def test_label_maps_that_cannot_be_used(tmp_path):
    other = volume_samples.make_label_map()
    other[1, 4, 3] = 7
    volume_samples.write_case(tmp_path, "a", seg=other)
    volume_samples.write_case(tmp_path, "b", seg=np.zeros_like(other))
    volume_samples.write_case(tmp_path, "c", seg=other[:, :-1])
    a, b, c = _plan(tmp_path).requests
    assert "a_seg.nii.gz: has labels outside the list: 7" in _reason(a)
    assert "b_seg.nii.gz: has no foreground" in _reason(b)
    assert "c_seg.nii.gz: lies on another grid than its image (c_t1.nii.gz;" in _reason(c)
    assert "(c_t1.nii.gz; " + "x".join(map(str, other[:, :-1].shape)) in _reason(c)
    kind = qc_report.reason_kind(_reason(c).partition("c_seg.nii.gz: ")[2])
    assert kind == "lies on another grid than its image"  # the report holds no name of a file
    chosen = settings.VolumeSettings(labels=label_names.BRATS, unlisted_labels="background")
    assert _facts(a, chosen)[0]["label_pixels"] == {"1": 2, "2": 1}


def test_images_that_cannot_be_used(tmp_path):
    image = volume_samples.make_image()
    volume_samples.write_case(tmp_path, "a", t2=np.full_like(image, 3))
    volume_samples.write_case(tmp_path, "b", flair=image[1:])
    volume_samples.write_case(tmp_path, "c")
    (tmp_path / "c" / "c_t1ce.nii.gz").write_bytes(b"\x1f\x8b")
    a, b, c = _plan(tmp_path).requests
    assert "a_t2.nii.gz: has no foreground: every voxel is 3" in _reason(a)
    assert "b_flair.nii.gz: lies on another grid than another channel" in _reason(b)
    assert "c_t1ce.nii.gz: cannot be read as a 3-D image" in _reason(c)


def test_a_case_that_holds_no_two_patches(tmp_path):
    tiny, names = np.arange(125).reshape(5, 5, 5), ("flair", "t1", "t1ce", "t2")
    arrays = dict.fromkeys(names, tiny.astype(np.int16)) | {"seg": (tiny > 90).astype(np.uint8)}
    volume_samples.write_case(tmp_path, "a", **arrays)
    (request,) = _plan(tmp_path).requests
    with pytest.raises(ValueError, match="is too small: 5 x 5 pixels do not hold two patches"):
        _facts(request)


def test_a_label_map_of_a_part(tmp_path):
    affine, label_map = volume_samples.make_affine(), volume_samples.make_label_map()
    volume_samples.write_case(tmp_path, "a", ("ct",), seg=None)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, 0]
    path = tmp_path / "a" / "a_seg.nii.gz"
    spider_samples.write_image(path, label_map[1:3], moved)
    (request,) = _plan(tmp_path, "volumes", ("ct",)).requests
    assert "give --cut_to_label_map" in _reason(request)
    chosen = settings.VolumeSettings(labels=label_names.BRATS, cut_to_label_map=True)
    rows = _facts(request, chosen)
    assert [row["num_positions"] for row in rows] == [2, 2]
    assert rows[0]["label_pixels"] == {"1": 3, "2": 1}
    # A header that puts the label map one slice too far is set right.
    spider_samples.write_image(path, label_map[1:3], affine)
    shift_mm = tuple(affine[:3, 0])
    chosen = settings.VolumeSettings(
        labels=label_names.BRATS, cut_to_label_map=True, label_map_shift_mm=shift_mm
    )
    assert [row["foreground_pixels"] for row in _facts(request, chosen)] == [
        row["foreground_pixels"] for row in rows
    ]


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file or folder"):
        _plan(tmp_path / "none")
    with pytest.raises(ValueError, match="must hold volumes"):
        _plan(tmp_path)
