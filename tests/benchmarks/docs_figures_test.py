"""The pictures of README and architecture: what is drawn, and that the graph is the sources'."""

import pathlib

import pytest

from benchmarks import docs_figures
from benchmarks.figures import import_graph, imports, overview, sheet
from spine_tf import cli
from spine_tf.phantom import cohort

PHANTOMS = cohort.CohortConfig(num_subjects=60, seed=0, matrices=(96,))
ROOT = pathlib.Path(__file__).parents[2]


def _words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.slow
def test_overview_has_two_visits_four_crops_and_a_grade_per_disc():
    figure = overview.draw(PHANTOMS)
    assert len([axes for axes in figure.axes if axes.images]) == 2 + 4 + 1
    words = _words(figure)
    assert {"An archive", "Pairs", "Siamese network", "Grades", sheet.PHANTOM} <= set(words)
    graded = [word.split(": ") for word in words if word.startswith("L") and ": " in word]
    assert [disc for disc, _ in graded] == ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
    assert all(1 <= int(grade) <= 4 for _, grade in graded)


def _write(root, **files):
    for name in import_graph.PACKAGES:
        (root / name).mkdir()
        (root / name / "__init__.py").touch()
    for name, content in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")


def test_graph_of_a_small_tree(tmp_path):
    _write(
        tmp_path,
        spine_tf__levels="",
        spine_tf__data__crops="from spine_tf import levels",
        spine_tf__tasks__task="from spine_tf.data import crops\nimport spine_tf.levels",
        spine_tf__one__a="from spine_tf.other import b",
        spine_tf__other__b="def f():\n    from spine_tf.one import a",
        spine_tf__train="from spine_tf.tasks import task\nif __name__ == '__main__':\n    f()",
        export__score="from spine_tf import train",
    )
    base, scripts = (import_graph.BASE,), (import_graph.SCRIPTS,)
    data, tasks, circle = (
        ("spine_tf.data",),
        ("spine_tf.tasks",),
        ("spine_tf.one", "spine_tf.other"),
    )
    graph = import_graph.graph(tmp_path)
    found = {node: others for node, others in graph.items() if others}
    assert found == {
        data: {base},
        tasks: {base, data},
        scripts: {tasks},
        ("export",): {scripts},
    }
    assert graph[circle] == set()
    assert import_graph.reduced(graph)[tasks] == {data}  # base follows
    depths = import_graph.layers(graph)
    assert [depths[node] for node in (("export",), scripts, tasks, data, base)] == [0, 1, 2, 3, 4]


def test_every_module_of_the_packages_has_a_part():
    part_of = import_graph.parts(ROOT)
    paths = [path for name in import_graph.PACKAGES for path in (ROOT / name).rglob("*.py")]
    assert len(part_of) == len(paths) - 1  # but for spine_tf itself
    assert part_of["spine_tf.levels"] == part_of["spine_tf.cli"] == import_graph.BASE
    assert part_of["spine_tf.train"] == import_graph.SCRIPTS
    assert part_of["spine_tf.serving"] == import_graph.SERVED
    graph = import_graph.graph(ROOT)
    assert graph[(import_graph.BASE,)] == set()
    assert ("data_prep",) in graph[("export",)]


def test_imports_are_drawn_with_a_box_per_part():
    words = _words(imports.draw(ROOT))
    assert {"data_prep", "tasks", import_graph.BASE} <= set(words)


def test_script_writes_equal_files(tmp_path):
    for name in ("a", "b"):
        arguments = ["--figures=imports", f"--output_dir={tmp_path / name}"]
        assert cli.call(docs_figures.define_flags, docs_figures.main, arguments) == 0
    contents = [(tmp_path / name / "imports.png").read_bytes() for name in ("a", "b")]
    assert contents[0] == contents[1]


@pytest.mark.parametrize("name", ["overview", "imports"])
def test_committed_pictures_are_small(name):
    assert (ROOT / "docs" / "images" / f"{name}.png").stat().st_size < 400_000
