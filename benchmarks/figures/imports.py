"""The packages and what they import: the picture of docs/architecture.md."""

import pathlib
import textwrap
from collections.abc import Mapping, Sequence

from matplotlib import figure

from benchmarks.figures import import_graph, sheet

_COLORS = {"data_prep": "#fdf0d5", "export": "#e3f1de", "benchmarks": "#eeeeee"}
_SPINE_TF, _ARROW = "#dcebf7", "#8899aa"
_WIDTH, _TOP, _STEP, _HEIGHT = 10.0, 0.6, 1.1, 0.62
_NARROW, _WIDE = 1.9, 3.3
_LETTERS, _LINE = 62, 0.11


def draw(root: pathlib.Path) -> figure.Figure:
    """Draws the packages; an arrow goes to what is imported, unless another arrow implies it.

    Args:
        root: Folder of the packages.
    """
    graph = import_graph.graph(root)
    depths = import_graph.layers(graph)
    count = max(depths.values()) + 1
    page = sheet.Sheet(_WIDTH, _TOP + count * _STEP, "What imports what", "read from the sources")
    shown = import_graph.reduced(graph)
    places: dict[import_graph.Node, tuple[float, float]] = {}
    for depth in range(count):
        row = [node for node in graph if depths[node] == depth]
        row.sort(key=lambda node: (_middle(node, shown, places), node))
        for number, node in enumerate(row):
            places[node] = (_WIDTH * (number + 0.5) / len(row), _TOP + depth * _STEP)
    for node, imported in shown.items():
        for other in imported:
            start = places[node]
            page.arrow((start[0], start[1] + _HEIGHT), places[other], _ARROW)
    part_of = import_graph.parts(root)
    for node, place in places.items():
        _draw_node(page, node, place, _members(part_of, node))
    return page.figure


def _middle(node: import_graph.Node, shown: Mapping, places: Mapping) -> float:
    """The middle of what imports a node, from left to right, so that few arrows cross."""
    above = [places[one][0] for one, others in shown.items() if node in others]
    return sum(above) / len(above) if above else 0.0


def _members(part_of: Mapping[str, str], node: import_graph.Node) -> list[str]:
    """The modules of a node that has no folder of its own."""
    single = {import_graph.BASE, import_graph.SERVED, import_graph.SCRIPTS} & set(node)
    return sorted(name.split(".")[1] for name, part in part_of.items() if part in single)


def _draw_node(
    page: sheet.Sheet,
    node: import_graph.Node,
    place: tuple[float, float],
    members: Sequence[str],
) -> None:
    width = _WIDE if members else _NARROW
    x, top = place
    page.box(
        (x - width / 2, top, width, _HEIGHT),
        facecolor=_COLORS.get(node[0], _SPINE_TF),
        edgecolor=sheet.GREY,
        zorder=3,
    )
    lines = textwrap.wrap(", ".join(members), _LETTERS)
    title = " ⇄ ".join(part.removeprefix("spine_tf.") for part in node)
    page.text(x, top + (0.12 if lines else _HEIGHT / 2), title, weight="bold", zorder=4)
    for number, line in enumerate(lines):
        page.text(x, top + 0.27 + number * _LINE, line, size=6.5, zorder=4)
