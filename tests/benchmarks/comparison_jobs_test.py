"""Order and requests of the jobs; all are run for real."""

import dataclasses
import json
import shutil

import pytest

from benchmarks import comparison_jobs, pretext_comparison
from spine_tf import cli, config
from spine_tf.data import records
from tests.spine_tf import tiny_runs

Job = comparison_jobs.Job


def _plan(tmp_path, **values):
    made = comparison_jobs.Plan(
        data_dir=str(tmp_path),
        task="segmentation",
        task_options={"patch_size": 16},
        train_config=config.TrainConfig(epochs=2),
        pretext_options={"anatomy": "slice", "patch_size": 16},
        pretext_config=config.TrainConfig(epochs=3),
        model_config=config.preset("unet-16"),
        work_dir=str(tmp_path / "work"),
    )
    return dataclasses.replace(made, **values)


def test_rows():
    rows = ["percent100=RD/CR", "subjects2=RD"]
    found = comparison_jobs.parse_rows(rows, "segmentation")
    assert found == {"percent100": ("RD", "CR"), "subjects2": ("RD",)}
    paper = comparison_jobs.parse_rows([], "segmentation")
    assert paper["percent100"] == ("RD",)
    seven = ("RD", "RD+AG", "AE", "RP", "JS", "CP", "CR")
    assert paper["percent50"] == paper["percent25"] == seven


def test_a_pretext_may_have_options_of_its_own(tmp_path):
    options = {"anatomy": "slice", "patch_size": 16, "context_restoration": {"coverage": 0.5}}
    plan = _plan(tmp_path, pretext_options=options)
    shared = {"anatomy": "slice", "patch_size": 16}
    assert plan.options_of("context_restoration") == shared | {"coverage": 0.5}
    assert plan.options_of("jigsaw") == shared
    with pytest.raises(ValueError, match="an object of fields under jigsaw, got 3"):
        _plan(tmp_path, pretext_options={"jigsaw": 3}).options_of("jigsaw")


@pytest.mark.parametrize("text", ["percent50", "percent50=XX", "half=RD", "percent=RD", "=RD"])
def test_rows_of_another_form(text):
    with pytest.raises(ValueError, match="`rows` must be of the form percent50=RD/CR"):
        comparison_jobs.parse_rows([text], "segmentation")


def test_discs_are_always_augmented_so_there_is_no_row_of_it():
    paper = comparison_jobs.parse_rows([], "grading")
    assert paper["percent50"] == ("RD", "AE", "RP", "JS", "CP", "CR")
    match = "of grading: RD, AE, .* each also with -frozen, and RD with .LT, got 'percent50=RD"
    with pytest.raises(ValueError, match=match):
        comparison_jobs.parse_rows(["percent50=RD+AG"], "grading")


def test_a_pretext_comes_before_its_first_use_and_once():
    rows = {"percent100": ("RD", "CR"), "subjects2": ("CR", "AE")}
    names = [job.name for job in comparison_jobs.ordered(rows, [0, 1], [0])]
    assert names == [
        *("RD-percent100-fold0-seed0", "CR-pretext-fold0-seed0", "CR-percent100-fold0-seed0"),
        *("RD-percent100-fold1-seed0", "CR-pretext-fold1-seed0", "CR-percent100-fold1-seed0"),
        *("CR-subjects2-fold0-seed0", "AE-pretext-fold0-seed0", "AE-subjects2-fold0-seed0"),
        *("CR-subjects2-fold1-seed0", "AE-pretext-fold1-seed0", "AE-subjects2-fold1-seed0"),
    ]
    rows = {"percent100": ("CR-frozen", "RD-frozen", "CR+AG", "CR")}
    names = [job.name for job in comparison_jobs.ordered(rows, [0], [3])]
    assert names == [
        *("CR-pretext-fold0-seed3", "CR-frozen-percent100-fold0-seed3"),
        *("RD-frozen-percent100-fold0-seed3", "CR+AG-percent100-fold0-seed3"),
        "CR-percent100-fold0-seed3",
    ]


def test_a_pretext_sees_all_training_subjects_of_its_fold():
    assert Job("CR", "pretext", 1, 0).protocol == "fold1"
    assert Job("CR", "percent100", 1, 0).protocol == "fold1"
    assert Job("CR", "percent25", 1, 0).protocol == "fold1_percent25"
    assert Job("CR", "subjects2", 0, 0).protocol == "fold0_subjects2"


def test_requests(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "open_folder", lambda path: records.DataFolder(path, {}, {}))
    plan = _plan(tmp_path, longitudinal_dir="given")
    made = comparison_jobs.request(Job("CR", "percent25", 2, 7), plan)
    assert made.init_from == plan.folder(Job("CR", "pretext", 2, 7))
    assert (made.train_config.seed, made.train_config.epochs) == (7, 2)
    assert not made.freeze_encoder
    own = {**plan.pretext_options, "context_restoration": {"coverage": 0.5}}
    pretext = comparison_jobs.request(
        Job("CR", "pretext", 2, 7), dataclasses.replace(plan, pretext_options=own)
    )
    assert pretext.task.coverage == 0.5
    assert (pretext.init_from, pretext.train_config.epochs) == ("", 3)
    assert type(pretext.task).__name__ == "ContextRestoration"
    assert comparison_jobs.request(Job("RD", "percent25", 2, 7), plan).init_from == ""
    frozen = comparison_jobs.request(Job("LO-frozen", "percent100", 0, 0), plan)
    assert frozen.init_from == "given" and frozen.freeze_encoder
    probed = comparison_jobs.request(Job("CR-frozen", "percent25", 2, 7), plan)
    assert probed.init_from == made.init_from and probed.freeze_encoder
    both = comparison_jobs.request(Job("CR+AG", "percent25", 2, 7), plan)
    assert both.init_from == made.init_from and both.task.augment and not both.freeze_encoder
    augmented = comparison_jobs.request(Job("RD+AG", "percent50", 0, 0), plan)
    plain = comparison_jobs.request(Job("RD", "percent50", 0, 0), plan)
    assert augmented.task.augment and not plain.task.augment


def test_longer_training_has_the_steps_of_a_pretext_in_addition(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "open_folder", lambda path: records.DataFolder(path, {}, {}))
    assert comparison_jobs.plain("RD+AG+LT") == comparison_jobs.plain("RD+LT") == "RD"
    plan = _plan(
        tmp_path,
        train_config=config.TrainConfig(epochs=2, steps_per_epoch=100),
        pretext_config=config.TrainConfig(epochs=3, steps_per_epoch=50),
    )
    jobs = {start: Job(start, "percent25", 1, 7) for start in ("RD", "RD+LT", "RD+AG+LT", "CR")}
    made = {start: comparison_jobs.request(job, plan) for start, job in jobs.items()}
    epochs = {start: one.train_config.epochs for start, one in made.items()}
    # 150 steps of a pretext are one and a half epochs of 100.
    assert epochs == {"RD": 2, "RD+LT": 4, "RD+AG+LT": 4, "CR": 2}
    drops = {start: one.train_config.max_drops for start, one in made.items()}
    assert drops["RD+LT"] == drops["RD+AG+LT"] == drops["RD"] + 2
    assert made["RD+AG+LT"].task.augment and not made["RD+LT"].task.augment
    assert not jobs["RD+LT"].needs and not made["RD+LT"].init_from
    rows = comparison_jobs.parse_rows(["percent25=RD+LT/RD+AG+LT"], "segmentation")
    assert rows == {"percent25": ("RD+LT", "RD+AG+LT")}


def test_what_cannot_be_is_said_before_hours_are_spent(tmp_path, monkeypatch):
    known = records.DataFolder(str(tmp_path), {}, {"protocols": {"fold0": {}}})
    monkeypatch.setattr(records, "open_folder", lambda path: known)
    jobs = [Job("CR", "percent100", 0, 0), Job("CR", "percent25", 0, 0)]
    with pytest.raises(ValueError, match="must have the protocols fold0_percent25, got fold0"):
        comparison_jobs.check(_plan(tmp_path), jobs)
    with pytest.raises(ValueError, match="`longitudinal_dir` must be a model folder"):
        comparison_jobs.check(_plan(tmp_path), [Job("LO", "percent100", 0, 0)])
    comparison_jobs.check(_plan(tmp_path), jobs[:1])


def test_every_start_is_tried_out(tmp_path, monkeypatch):
    monkeypatch.setitem(config.PRESETS, "unet-16", tiny_runs.UNET)
    data_dir = tiny_runs.make_data(tmp_path / "set", (1,) * 9, num_folds=3)
    plan = _plan(tmp_path, data_dir=str(data_dir), task_options={"patch_size": 32})
    plan = dataclasses.replace(plan, model_config=config.preset("unet-16"))
    right = dataclasses.replace(plan, pretext_options={"anatomy": "slice", "patch_size": 32})
    jobs = comparison_jobs.ordered({"percent100": ("RD", "CR")}, [0, 1], [0])
    comparison_jobs.try_out(right, jobs)
    # Pretexts take discs unless they are told to take slices.
    with pytest.raises(ValueError, match="CR-pretext-fold0-seed0: .*VGG-M"):
        comparison_jobs.try_out(dataclasses.replace(plan, pretext_options={}), jobs)
    uneven = dataclasses.replace(plan, pretext_options={"anatomy": "slice", "patch_size": 40})
    with pytest.raises(ValueError, match="CR-pretext-fold0-seed0: `rows` must be a multiple of 16"):
        comparison_jobs.try_out(uneven, jobs)


@pytest.mark.slow
def test_the_script_compares(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(config.PRESETS, "unet-16", tiny_runs.UNET)
    data_dir = tiny_runs.make_data(tmp_path / "set", (1,) * 18, num_folds=3, train_percents=(50,))
    options = {"patch_size": 32}
    arguments = [
        *(f"--data_dir={data_dir}", f"--work_dir={tmp_path}/w", f"--output_dir={tmp_path}/o"),
        *("--rows=percent100=RD/CR,percent50=RD/RD+AG/AE", "--folds=0,1", "--num_draws=20"),
        f"--task_options={json.dumps(options)}",
        f"--pretext_options={json.dumps(options | {'anatomy': 'slice'})}",
        *("--steps=2", "--pretext_steps=2", "--epoch_steps=1"),
        '--settings={"batch_size": 2}',
        '--pretext_settings={"batch_size": 2, "schedule": "plateau"}',
    ]
    run = pretext_comparison.define_flags, pretext_comparison.main
    assert cli.call(*run, arguments) == 0
    content = json.loads((tmp_path / "o" / "pretexts_segmentation.json").read_text())
    rows = {(row["amount"], row["start"]): row for row in content["rows"]}
    assert list(rows) == [
        *(("percent100", "RD"), ("percent100", "CR"), ("percent50", "RD")),
        *(("percent50", "RD+AG"), ("percent50", "AE")),
    ]
    assert all(row["folds"] == [0, 1] for row in rows.values())
    assert all(0 <= row["measures"]["dice"]["value"] <= 1 for row in rows.values())
    assert len(content["pretexts"]) == 4 and content["not_run"] == []
    for name, schedule in (("train_config", "cosine"), ("pretext_config", "plateau")):
        assert content["settings"][name]["schedule"] == schedule
    assert str(tmp_path) not in json.dumps(content)
    assert (tmp_path / "o" / "pretexts_segmentation.png").stat().st_size > 1000
    before = capsys.readouterr().out
    assert "| percent50 RD+AG - RD |" in before and "=== CR-pretext-fold0-seed0" in before
    # What is done is not done again, and its models are no longer needed.
    for folder in (tmp_path / "w").glob("*-seed0"):
        shutil.rmtree(folder)
    assert cli.call(*run, arguments) == 0
    assert "===" not in capsys.readouterr().out
    assert json.loads((tmp_path / "o" / "pretexts_segmentation.json").read_text()) == content
