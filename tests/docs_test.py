"""What the documentation says is so: commands, files, messages, and the task it works out."""

import functools
import importlib
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

from spine_tf import cli, commands, tasks
from spine_tf.data import records
from tests.spine_tf import tiny_runs

_ROOT = pathlib.Path(__file__).parents[1]
_DOCS = _ROOT / "docs"
_PACKAGES = ("spine_tf", "data_prep", "export", "benchmarks", "tests")

each_page = pytest.mark.parametrize(
    "page", [_ROOT / "README.md", *sorted(_DOCS.glob("*.md"))], ids=lambda page: page.name
)


def _text(page):
    return page.read_text(encoding="utf-8")


def _commands(text):
    """The `spine-tf` commands of code blocks as lists of words; lines end in a backslash or not."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    blocks = [line.strip() for line in lines if re.match(r"(    )?\s*spine-tf [a-z]", line)]
    return [shlex.split(line, comments=True) for line in blocks]


@functools.cache
def _flags(command):
    module, _ = commands.COMMANDS[command]
    facts = cli.flag_facts(importlib.import_module(module).define_flags)
    return {fact.name for fact in facts}


@each_page
def test_commands_and_flags_exist(page):
    for _, command, *words in _commands(_text(page)):
        assert command in commands.COMMANDS, f"{page.name}: spine-tf {command}"
        names = [word[2:].split("=")[0] for word in words if word.startswith("--")]
        unknown = [n for n in names if {n, n.removeprefix("no")}.isdisjoint(_flags(command))]
        assert not unknown, f"{page.name}: spine-tf {command} has no --{', --'.join(unknown)}"


@each_page
def test_files_that_are_named_exist(page):
    named = set(re.findall(rf"`((?:{'|'.join(_PACKAGES)})/[\w/]+\.\w+)`", _text(page)))
    assert not [name for name in named if not (_ROOT / name).exists()]


def test_every_page_is_in_the_navigation():
    nav = _text(_ROOT / "mkdocs.yml").split("nav:\n")[-1]
    missing = {page.name for page in _DOCS.glob("*.md")} - set(re.findall(r"[\w/]+\.md", nav))
    assert not missing, f"put {sorted(missing)} into the nav of mkdocs.yml"


def _sources():
    """The text of the code, with the lines of a message joined."""
    paths = [path for name in _PACKAGES[:3] for path in (_ROOT / name).rglob("*.py")]
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(map(_text, paths)))


def test_messages_of_troubleshooting_are_those_of_the_code():
    rows = re.findall(r"^\| `(.+?)` +\|", _text(_DOCS / "troubleshooting.md"), re.M)
    known = _sources()
    assert len(rows) > 40
    assert not [row for row in rows if not all(part in known for part in row.split("..."))]


# === The task that adding_a_task.md works out ===


@pytest.fixture(name="slice_order")
def _slice_order(monkeypatch):
    """The task of the page, in the table of tasks."""
    (code,) = re.findall(r"^```python\n(.+?)^```", _text(_DOCS / "adding_a_task.md"), re.M | re.S)
    module = types.ModuleType("slice_order")
    monkeypatch.setitem(sys.modules, "slice_order", module)  # dataclasses look there
    exec(compile(code, "adding_a_task.md", "exec"), vars(module))
    monkeypatch.setitem(tasks.TASKS, "slice_order", module.SliceOrder)
    return module.SliceOrder


@pytest.mark.usefixtures("untraced")
def test_the_worked_out_task_trains(slice_order, tmp_path):
    data = records.open_folder(tiny_runs.make_data(tmp_path / "data"))
    made = tasks.make("slice_order", '{"reversed_percent": 30}')
    folder = tiny_runs.train(
        data.path, tmp_path / "model", task=made, model=tiny_runs.MODEL, steps_per_epoch=1
    )
    assert folder.task == slice_order(reversed_percent=30)
    before, after = folder.build().get_weights(), folder.load_model().get_weights()
    assert any((one != other).any() for one, other in zip(before, after, strict=True))
    index = data.index(made.record_kind, made.protocol, "train")
    assert sum(made.class_counts(index)["is_reversed"]) == len(index)
    np.testing.assert_array_equal(made.plan(index, 4, seed=1), made.plan(index, 4, seed=1))


def test_the_worked_out_task_says_what_it_refuses(slice_order):
    with pytest.raises(ValueError, match="`reversed_percent` must be between 0 and 100, got 100"):
        slice_order(reversed_percent=100)


# === The way in the README ===

# What makes it small enough for a test; the last value of a flag that is given twice counts.
_SMALL = {
    "convert-dicom": ["--crop_scale=0.5", "--held_out_fraction=0.2"],
    "train": ["--preset=tiny", "--epochs=1", "--steps_per_epoch=4", "--batch_size=8"],
    "check-model": ["--max_latency_ms=60000"],
}


def _run(folder, *words):
    made = subprocess.run(
        [sys.executable, "-m", "spine_tf.cli", *words], cwd=folder, capture_output=True, text=True
    )
    assert made.returncode == 0, f"spine-tf {' '.join(words)}\n{made.stdout}\n{made.stderr}"


@pytest.mark.slow
def test_the_way_in_the_readme(tmp_path):
    _run(tmp_path, "make-phantom", "--output_dir=archive", "--num_subjects=12", "--seed=1")
    study = min((tmp_path / "archive" / "studies").glob("*/visit-0"))
    shutil.copytree(study, tmp_path / "study")
    shutil.copy(tmp_path / "archive" / "vertebrae.json", tmp_path)
    block = _text(_ROOT / "README.md").split("<!-- way -->")[1].split("\n\n")[0]
    way = _commands(block)
    assert [words[1] for words in way[:3]] == ["convert-dicom", "train", "train"]
    assert len(way) == 10
    for _, command, *words in way:
        _run(tmp_path, command, *words, *_SMALL.get(command, []))
    assert (tmp_path / "serving" / "models.config").exists()
    assert (tmp_path / "scores.csv").read_text().count("\n") > 20
    assert "<html" in (tmp_path / "report" / "report.html").read_text()


# === The notebook ===

_NOTEBOOK = _DOCS / "notebooks" / "phantom_to_report.ipynb"


def test_the_committed_notebook_was_executed_and_names_no_folder():
    content = _text(_NOTEBOOK)
    cells = [cell for cell in json.loads(content)["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in cells[1:])
    assert sum("image/png" in output.get("data", {}) for c in cells for output in c["outputs"]) == 5
    assert len(content) < 800_000
    assert not re.search(r"/(tmp|home|root|work|usr)/", content)


@pytest.mark.slow
def test_the_notebook_runs():
    client = pytest.importorskip("nbclient", reason="nbclient is not installed")
    notebook = importlib.import_module("nbformat").read(_NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(_ROOT)}}
    client.NotebookClient(notebook, timeout=1800, resources=resources).execute()


@pytest.mark.parametrize("path", sorted(_DOCS.glob("results/*.json")), ids=lambda path: path.name)
def test_results_are_json_that_every_reader_takes(path):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(_text(path), parse_constant=refuse)
