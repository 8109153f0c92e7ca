import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from data_prep import convert_images_lib, dataset_lib, settings
from spine_tf.data import records, schema
from tests.data_prep import image_samples

SETTINGS = settings.ImageSettings(crop_scale=0.5, num_shards=2, image_rows=128, image_columns=96)


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        image_samples.write_image(tmp_path / f"{number}.png", number)
    return tmp_path


def _plan(folder, rows, kinds=("image_pairs",), classes=(), **options):
    table = image_samples.write_table(folder / "images.csv", rows, **options)
    inputs = convert_images_lib.Inputs(table, str(folder), kinds=kinds, classes=classes)
    return convert_images_lib.plan(inputs, b"key")


def _told(plan):
    return [(r.subject_key, r.visit, r.days, r.payload.label) for r in plan.requests]


def test_visits_are_the_times_of_a_subject(folder):
    rows = [
        ("0.png", "anna", 900, "frontal", ""),
        ("1.png", "anna", 100, "frontal", ""),
        ("2.png", "anna", 900, "lateral", ""),
        ("3.png", "bert", -5, "", ""),
    ]
    plan = _plan(folder, rows)
    assert not plan.rejections and not plan.lines
    anna, bert = plan.requests[0].subject_key, plan.requests[3].subject_key
    assert _told(plan) == [
        (anna, 1, 800, "frontal"),
        (anna, 0, 0, "frontal"),
        (anna, 1, 800, "lateral"),
        (bert, 0, 0, ""),
    ]
    assert len({r.scan_key for r in plan.requests}) == 4
    assert "anna" not in repr(plan.requests) and "bert" not in repr(plan.requests)


def test_families(folder):
    rows = [
        ("0.png", "anna", 0, "", "smith"),
        ("1.png", "bert", 0, "", "smith"),
        ("2.png", "carl", 0, "", ""),
    ]
    keys = [request.family_key for request in _plan(folder, rows).requests]
    assert keys[0] == keys[1] != keys[2]
    without = [row[:4] for row in rows]
    keys = [
        r.family_key for r in _plan(folder, without, columns=image_samples.COLUMNS[:4]).requests
    ]
    assert len(set(keys)) == 3


def test_rows_that_cannot_be_used(folder):
    rows = [
        ("0.png", "anna", 0, "a", "x"),
        ("", "anna", 1, "a", "x"),
        ("1.png", "", 1, "a", "x"),
        ("1.png", "anna", "3 May", "a", "x"),
        ("./0.png", "bert", 1, "a", "x"),
        ("1.png", "anna", 0, "a", "x"),
        ("2.png", "anna", 1, "a", "y"),
        ("absent.png", "anna", 1, "a", "x"),
        ("3.png", "anna", 2, "a", "x"),
    ]
    plan = _plan(folder, rows)
    table = str(folder / "images.csv")
    assert list(map(str, plan.rejections)) == [
        f"{table}: row 3: `image` is empty",
        f"{table}: row 4: `subject` is empty",
        f"{table}: row 5: `days` must be a whole number",
        f"{table}: row 6: another row names this image; the first one is used",
        f"{table}: row 7: another row has this subject, days and label; the first one is used",
        f"{table}: row 8: another row gives this subject another family; the first one is used",
        f"{folder / 'absent.png'}: there is no such file; correct `image`",
    ]
    # What is rejected is no visit: day 2 is the second.
    assert [(r.visit, r.days) for r in plan.requests] == [(0, 0), (1, 2)]


def test_tables_that_cannot_be_used(folder):
    with pytest.raises(ValueError, match="columns image, subject, days, label; label is missing"):
        _plan(folder, [], columns=("image", "subject", "days"))
    with pytest.raises(FileNotFoundError, match="none.csv: there is no such file or folder"):
        inputs = convert_images_lib.Inputs(str(folder / "none.csv"), str(folder))
        convert_images_lib.plan(inputs, b"key")


def test_colour_is_told(folder):
    image_samples.write_dicom(folder / "c.dcm", np.full((8, 8, 3), 50, np.uint8))
    plan = _plan(folder, [("c.dcm", "a", 0, "", ""), ("0.png", "a", 1, "", "")])
    assert plan.lines == ["1 of 2 images are in colour; they are converted to grey."]
    assert plan.requests[0].uid == "1.2.3.4.5"


def test_header_facts_of_dicom_images(folder):
    image_samples.write_dicom(folder / "c.dcm", np.full((8, 8), 50, np.uint16))
    rows = [("c.dcm", "a", 0, "", ""), ("0.png", "a", 1, "", "")]
    table = image_samples.write_table(folder / "images.csv", rows)
    inputs = convert_images_lib.Inputs(table, str(folder), ("sex", "weight"))
    first, second = convert_images_lib.plan(inputs, b"key").requests
    assert first.header_facts == {"sex": 0, "weight": 5} and second.header_facts == {}


def test_a_data_set_of_images(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "data"
    rows = [
        ("0.png", "anna", 0, "v", ""),
        ("1.png", "anna", 900, "v", ""),
        ("2.png", "bo", 7, "v", ""),
    ]
    plan = _plan(folder, rows)
    report = dataset_lib.convert(
        plan.requests,
        convert_images_lib.load,
        SETTINGS,
        str(out),
        source="images",
        encode=convert_images_lib.encode,
    )
    assert report.num_records == {"image_pairs": 2} and report.exit_status == 0
    data = records.open_folder(str(out))
    assert data.manifest["settings"]["image_rows"] == 128
    assert len(data.manifest["kinds"]["image_pairs"]["slice_means"]) == 1
    index = data.index(schema.IMAGE_PAIRS)
    assert index.crop_kind.network_shape(0.5) == (1, 64, 48)
    number = index.column("visit").index([0, 1])
    parsed = schema.parse(index.kind, index.read(number), index.crop_scale, index.crop_kind)
    assert parsed["image"].shape == (2, 1, 72, 54) and parsed["slice_is_valid"].numpy().all()
    assert index.rows[number]["days"] == [0, 900] and parsed["level"].numpy() == b"v"
    # 40 x 30 pixels fill 72 x 54; intensities are those of the files.
    assert parsed["pixel_is_valid"].numpy().all()
    for visit in range(2):
        image = convert_images_lib.image_file.read(str(folder / f"{visit}.png"))
        found = parsed["image"][visit, 0].numpy()
        expected = 0.5 * image[5, 5] / np.median(image)
        assert found[4:12, 4:12] == pytest.approx(np.full((8, 8), expected), abs=1e-4)


def test_an_image_without_any_content(folder):
    plan = _plan(folder, [("0.png", "anna", 0, "v", "")])
    with pytest.raises(ValueError, match="must not all be 0"):
        convert_images_lib.encode(np.zeros((9, 9), np.float32), plan.requests[0], SETTINGS)


def _slice(folder, image, **options):
    (request,) = _plan(folder, [("0.png", "anna", 0, "4CH", "")], kinds=("slice",)).requests
    chosen = settings.ImageSettings(kinds=("slice",), **options)
    (example,) = convert_images_lib.encode(image, request, chosen)["slice"]
    kind = schema.crop_kind(schema.SLICE, dataclasses.asdict(chosen))
    parsed = schema.parse(schema.SLICE, tf.constant(example.SerializeToString()), 1.0, kind)
    return {name: value.numpy() for name, value in parsed.items()}


def test_slices_need_no_days_and_may_repeat_a_label(folder):
    rows = [("0.png", "anna", "4CH"), ("1.png", "anna", "4CH"), ("2.png", "bert", "")]
    plan = _plan(folder, rows, kinds=("slice",), columns=("image", "subject", "label"))
    assert not plan.rejections
    assert [(r.visit, r.payload.label) for r in plan.requests] == [(0, "4CH"), (0, "4CH"), (0, "")]


def test_labels_outside_the_list_are_rejected(folder):
    rows = [("0.png", "anna", "", "4CH", ""), ("1.png", "bert", "", "4CHH", "")]
    plan = _plan(folder, rows, kinds=("slice",), classes=("4CH", "Femur"))
    assert len(plan.requests) == 1
    (rejected,) = plan.rejections
    assert "row 3: `label` '4CHH' is not among --classes" in str(rejected)


def test_a_slice_keeps_grey_values_and_has_no_margin(folder):
    image = np.full((20, 40), 7, np.float32)
    image[:, 20:] = 90
    parsed = _slice(folder, image, image_rows=15, image_columns=20)
    assert parsed["image"].shape == (15, 20, 1) and parsed["label"] == b"4CH"
    # 20 x 40 at half the size is 10 x 20, in the middle of 15 rows.
    np.testing.assert_array_equal(parsed["valid"].all(1), [False] * 2 + [True] * 10 + [False] * 3)
    np.testing.assert_allclose(parsed["image"][2:12, :9], 7, atol=0.01)
    np.testing.assert_allclose(parsed["image"][2:12, 11:], 90, atol=0.01)
    np.testing.assert_array_equal(parsed["foreground"][5], [False] * 9 + [True] * 11)
    inside = parsed["image"][parsed["foreground"]]
    assert parsed["mean"] == pytest.approx(inside.mean(), abs=0.01)
    assert parsed["std"] == pytest.approx(inside.std(), abs=0.01)


def test_text_around_an_image_is_left_out(folder):
    image = np.zeros((12, 12), np.float32)
    image[2:6, 3:9] = np.arange(1, 25).reshape(4, 6)
    parsed = _slice(folder, image, image_rows=4, image_columns=6, keep_box=(2, 6, 3, 9))
    np.testing.assert_allclose(parsed["image"][..., 0], image[2:6, 3:9], atol=1e-3)
    with pytest.raises(ValueError, match=r"its pixels \(12, 12\) must hold --keep_box=2,13,3,9"):
        _slice(folder, image, keep_box=(2, 13, 3, 9))


def test_an_image_of_one_value_is_no_slice(folder):
    with pytest.raises(ValueError, match="has no foreground: every pixel is 3"):
        _slice(folder, np.full((9, 9), 3, np.float32))


@pytest.mark.parametrize("shape", [(5, 5), (2, 40)])
def test_an_image_that_holds_no_two_patches_is_no_slice(folder, shape):
    image = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    with pytest.raises(ValueError, match=f"is too small: {shape[0]} x {shape[1]} pixels"):
        _slice(folder, image)
    assert _slice(folder, np.arange(18, dtype=np.float32).reshape(3, 6))["image"].any()


def test_a_long_image_that_is_thin_when_it_is_fitted_in_is_no_slice(folder):
    # 6 of 3000 columns: 64 columns are left with a tenth of a row.
    image = np.arange(18_000, dtype=np.float32).reshape(6, 3000)
    with pytest.raises(ValueError, match="is too small: 1 x 64 pixels"):
        _slice(folder, image, image_rows=64, image_columns=64)


def test_both_kinds_at_once(folder):
    rows = [("0.png", "anna", 0, "v", ""), ("1.png", "anna", 9, "v", "")]
    chosen = settings.ImageSettings(kinds=("image_pairs", "slice"))
    found = [
        convert_images_lib.encode(convert_images_lib.load(request), request, chosen)
        for request in _plan(folder, rows, kinds=chosen.kinds).requests
    ]
    assert [sorted(examples) for examples in found] == [["image_pairs", "slice"]] * 2
    facts = [schema.facts(examples["slice"][0]) for examples in found]
    assert [(row["visit"], row["days"], row["label"]) for row in facts] == [
        ([0], [0], "v"),
        ([1], [9], "v"),
    ]
