"""Tests of export.verify_lib and of the command, on two generated studies."""

import contextlib
import io
import json
import os
import shutil

import numpy as np
import pytest

from data_prep import convert_dicom_lib, dataset_lib, make_phantom, settings, study
from export import verify, verify_judge, verify_lib
from spine_tf import cli, files
from spine_tf.data import records
from spine_tf.evaluation import fold, inference, options, run, study_reference, verification
from spine_tf.training import model_folder
from tests import tiny_export
from tests.spine_tf import small_data, untrained

NAMES = tuple(tiny_export.NAMES)


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Two visits of one subject, and their vertebrae.json."""
    folder = str(tmp_path_factory.mktemp("cohort") / "cohort")
    arguments = [f"--output_dir={folder}", "--num_subjects=1", "--one_visit_percent=0"]
    arguments += ["--three_visits_percent=0"]
    assert cli.call(make_phantom.define_flags, make_phantom.main, arguments) == 0
    (subject,) = os.listdir(os.path.join(folder, "studies"))
    visits = [os.path.join(folder, "studies", subject, f"visit-{i}") for i in range(2)]
    return {
        "study_a": visits[0],
        "study_b": visits[1],
        "vertebrae": os.path.join(folder, "vertebrae.json"),
    }


@pytest.fixture(scope="module")
def trained_on(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "set"
    return small_data.make(folder, (2,) * 12, vertebra_names=NAMES[:4], disc_names=("L1-L2",))


@pytest.fixture(scope="module")
def siamese(trained_on, tmp_path_factory):
    return untrained.save(tmp_path_factory.mktemp("siamese"), trained_on, "longitudinal")


@pytest.fixture(scope="module")
def evaluation(siamese, tmp_path_factory):
    """A real evaluation: 12 subjects of another data set, 132 pairs of two persons."""
    folder = tmp_path_factory.mktemp("evaluation")
    data_dir = small_data.make(
        folder / "data", (2,) * 12, seed=1, vertebra_names=NAMES[:4], disc_names=("L1-L2",)
    )
    chosen = options.Options(other_data=True, num_draws=20)
    run.evaluate(siamese, data_dir, str(folder / "out"), chosen)
    return str(folder / "out")


@pytest.fixture
def call(studies, siamese, evaluation, capsys):
    """Runs the command with some flags changed; returns exit status, output and errors."""

    def run_command(**changed):
        flags = studies | {"model": siamese, "evaluation": evaluation} | changed
        arguments = [f"--{name}={value}" for name, value in flags.items()]
        status = cli.call(verify.define_flags, verify.main, arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return status, said.out, said.err

    return run_command


def _changed(evaluation, folder, change):
    """A copy of an evaluation whose content `change` has altered."""
    with open(os.path.join(evaluation, run.EVALUATION), encoding="utf-8") as file:
        content = json.load(file)
    change(content)
    os.makedirs(folder)
    files.write_json(os.path.join(folder, run.EVALUATION), content)
    return folder


@pytest.fixture(scope="module")
def verdict(studies, siamese, evaluation, tmp_path_factory):
    """The output file of the command, and what it printed."""
    output = tmp_path_factory.mktemp("verdict") / "deep" / "verdict.json"
    flags = studies | {"model": siamese, "evaluation": evaluation, "output": output}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        arguments = [f"--{name}={value}" for name, value in flags.items()]
        assert cli.call(verify.define_flags, verify.main, arguments) == 0
    return output, said.getvalue()


def test_two_studies_get_a_verdict(verdict, studies, evaluation):
    content, said = json.loads(verdict[0].read_text()), verdict[1]
    assert content["format"] == "spine_tf verify/1"
    assert content["verdict"] in {verdict.value for verdict in study_reference.Verdict}
    assert f"verdict: {content['verdict']} (same up to" in said
    assert [level["level"] for level in content["levels"]] == list(NAMES[:4])
    relative = np.mean([level["relative"] for level in content["levels"]])
    assert content["score"] == pytest.approx(relative)
    with open(os.path.join(evaluation, run.EVALUATION), encoding="utf-8") as file:
        found = json.load(file)["results"]["study_verification"]["model"]
    for level in content["levels"]:
        scale = found["level_scales"][0][level["level"]]
        assert level["relative"] == pytest.approx(level["distance"] / scale)
    row = next(row for row in found["same"] if row["false_positive_rate"] == 0.01)
    assert content["same_up_to"] == row["threshold"]
    assert content["evaluation"]["pairs_of_different_persons"] == 132
    assert "Not a medical device" in content["notice"]
    for name in ("study_a", "study_b"):
        read = study.load_study(studies[name], studies["vertebrae"])
        assert content[name]["series_instance_uid"] == read.series.uid
        assert f"{name}: study {read.study_instance_uid}, series {read.series.uid}" in said


def test_the_result_is_private_and_has_no_embedding(verdict, studies):
    assert os.stat(verdict[0]).st_mode & 0o777 == 0o600
    for text in (verdict[0].read_text(), verdict[1]):
        for word in ("phantom-", "embedding", studies["study_a"]):  # PatientID: phantom-0-00000
            assert word not in text


def test_the_same_input_gives_the_same_file(call, verdict, tmp_path):
    assert call(output=tmp_path / "again")[1] == verdict[1]
    assert (tmp_path / "again").read_bytes() == verdict[0].read_bytes()


def test_the_order_of_the_studies_does_not_matter(call, studies, verdict, tmp_path):
    call(output=tmp_path / "two", study_a=studies["study_b"], study_b=studies["study_a"])
    one, two = (json.loads(path.read_text()) for path in (verdict[0], tmp_path / "two"))
    assert one["score"] == two["score"]
    assert one["study_a"] == two["study_b"]


def test_distances_are_those_of_evaluation(siamese, evaluation, studies):
    """The same crops through records and `evaluate` are as far apart."""
    judge = verify_judge.load(siamese, evaluation, 0.1)
    found = verify_lib.verify((studies["study_a"], studies["study_b"]), studies["vertebrae"], judge)
    assert set(found.distances) == set(NAMES[:4])
    assert _distances_through_records(siamese, studies) == pytest.approx(found.distances, rel=1e-3)


def _distances_through_records(siamese, studies):
    folder = os.path.dirname(studies["vertebrae"])
    output = os.path.join(folder, "records")
    plan = convert_dicom_lib.plan(convert_dicom_lib.Inputs(folder), b"key")
    chosen = settings.Settings(crop_scale=0.5, num_shards=1)
    dataset_lib.convert(plan.requests, convert_dicom_lib.load, chosen, output, source="dicom")
    loaded = model_folder.load(siamese)
    one = fold.Fold(loaded, records.open_folder(output).index(loaded.task.record_kind), None)
    items = inference.visit_items(one.test)
    vectors = verification._embed(one, items, 4)["embedding"]
    levels = [one.test.rows[record]["level"] for record, _ in items]
    return {
        name: float(np.linalg.norm(np.subtract(*vectors[np.array(levels) == name])))
        for name in NAMES[:4]
    }


def test_what_weakens_the_verdict_is_noted(call, evaluation, tmp_path):
    def change(content):
        found = content["results"]["study_verification"]["model"]
        found["levels"]["median"] = 7.0
        found["per_field_strengths_t"] = {"3 to 3": {}}
        content["split"] = "validation"

    _, said, _ = call(evaluation=_changed(evaluation, str(tmp_path / "e"), change))
    assert "note: 4 levels are compared, the evaluation has 7" in said
    assert "are not in the evaluation, which has 3 to 3" in said
    assert "they are too good" in said


def test_a_broken_file_is_told_by_the_exit_status(call, studies, tmp_path):
    copy = str(tmp_path / "study")
    shutil.copytree(studies["study_b"], copy)
    with open(os.path.join(copy, "broken.dcm"), "wb") as file:
        file.write(b"\0" * 128 + b"DICM" + b"\1" * 40)
    status, said, _ = call(study_b=copy)
    assert status == 3
    assert "rejected: " in said and "verdict: " in said


# === Refused ===


def test_one_series_twice_is_no_check(call, studies):
    status, _, error = call(study_b=studies["study_a"])
    assert status == 1
    assert "comparing a series with itself is not a check" in error


def test_the_same_images_under_another_uid_are_no_check(call, tmp_path):
    one, two = (
        tiny_export.write_study(str(tmp_path / uid), series_uid=uid) for uid in ("1.2.7", "1.2.8")
    )
    status, _, error = call(vertebrae="", study_a=one, study_b=two)
    assert status == 1
    assert "the images of the series 1.2.7 twice" in error


def test_too_few_common_levels(call, studies, tmp_path):
    with open(studies["vertebrae"], encoding="utf-8") as file:
        content = json.load(file)
    items = content if isinstance(content, list) else content["annotations"]
    items[1]["vertebrae"] = [v for v in items[1]["vertebrae"] if v["level"] in ("L1", "L2", "L5")]
    path = tmp_path / "vertebrae.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    status, _, error = call(vertebrae=path)
    assert status == 1
    assert "must share at least 3 levels, got L1, L2 in" in error


def test_a_model_of_another_task(call, trained_on, tmp_path):
    status, _, error = call(model=untrained.save(tmp_path, trained_on, "grading"))
    assert status == 1
    assert "must be of the task longitudinal" in error and "got" in error and "grading" in error


def test_an_evaluation_of_other_weights(call, evaluation, tmp_path):
    def change(content):
        content["weights_sha256"] = ["f" * 64]

    status, _, error = call(evaluation=_changed(evaluation, str(tmp_path / "e"), change))
    assert status == 1
    assert (
        "must be an evaluation of the model's weights" in error and "got ffffffffffff..." in error
    )


@pytest.mark.parametrize("split", ["train", "all records"])
def test_an_evaluation_of_the_subjects_of_training(call, evaluation, tmp_path, split):
    def change(content):
        content["split"] = split
        content["manifest_sha256"] = content["model_data"]["manifest_sha256"]

    status, _, error = call(evaluation=_changed(evaluation, str(tmp_path / "e"), change))
    assert status == 1
    assert f"the model was not trained on, got '{split}'" in error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format="x/9"), "`format` must be 'spine_tf evaluation/1', got 'x/9'"),
        (lambda c: c.update(task="grading"), "`task` must be 'longitudinal', got 'grading'"),
        (lambda c: c["results"].pop("study_verification"), "says nothing of studies"),
    ],
)
def test_what_is_no_evaluation_of_studies(call, evaluation, tmp_path, change, message):
    status, _, error = call(evaluation=_changed(evaluation, str(tmp_path / "e"), change))
    assert status == 1
    assert message in error


def test_a_folder_without_evaluation(call, tmp_path):
    status, _, error = call(evaluation=tmp_path)
    assert status == 1
    assert "is not an evaluation, it has no evaluation.json" in error


def test_a_rate_that_the_evaluation_cannot_tell(call):
    # 132 negatives are too few for 0.001.
    status, _, error = call(false_positive_rate=0.001)
    assert status == 1
    assert "needs at least 1000 negatives, there are 132" in error
    assert "It has 0.1, 0.05, 0.01" in error


def test_wrong_usage(call):
    assert call(false_positive_rate=2)[0] == 2
