"""Figs. 4 and 7: the Siamese network and the classification network, drawn from the models."""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib import figure

from benchmarks.figures import layers, models, scans, sheet
from spine_tf import config, levels
from spine_tf.phantom import cohort

_LEFT, _STEP, _CROP = 2.1, 0.8, 1.1  # of the first block, between blocks, width of a crop
_LINE = 0.21
_CONVOLUTION, _POOLING, _FULL, _FROZEN = "#8fc1e3", "#d0d0d0", "#f3b562", "#5b8db8"
_SHOWN_BODY, _SHOWN_DISC = levels.VertebraLevel.L3, levels.DiscLevel("L4-L5")


def draw_siamese(model_config: config.ModelConfig, phantoms: cohort.CohortConfig) -> figure.Figure:
    """Draws both branches, what they share and the two losses.

    Source: Jamaludin 2017, Fig. 4.
    """
    branch = models.siamese(model_config)
    tops, table_top = (1.3, 3.35), 4.5
    page = _page("Siamese network", branch, table_top)
    index = scans.followed(phantoms, 1)[0]
    for y, visit, words in zip(tops, (0, 1), ("t₀", "t₀ + τ"), strict=True):
        _draw_input(
            page, branch, scans.render(phantoms, index, visit).bodies[_SHOWN_BODY], y, words
        )
        _draw_blocks(page, branch.blocks, y, _kind_color)
    middle = sum(tops) / 2
    words = f"one set of {branch.num_weights / 1e6:.1f} million weights, shared by both branches"
    page.text(_x(3), middle, words, style="italic")
    _draw_losses(page, branch, tops)
    _draw_table(page, branch.blocks, table_top)
    return page.figure


def draw_classifier(
    model_config: config.ModelConfig, phantoms: cohort.CohortConfig
) -> figure.Figure:
    """Draws the classification network and where its weights come from.

    Source: Jamaludin 2017, Fig. 7.
    """
    branch = models.classifier(model_config)
    copied = models.transferred(models.siamese(model_config), branch)
    y, table_top = 1.8, 2.85
    page = _page("Classification network", branch, table_top)
    index = scans.followed(phantoms, 1)[0]
    _draw_input(page, branch, scans.render(phantoms, index, 0).discs[_SHOWN_DISC], y, "")
    _draw_blocks(page, branch.blocks, y, lambda block: _origin_color(block, copied))
    _draw_spans(page, branch, copied)
    last = _x(len(branch.blocks) - 1)
    page.arrow((last + 0.15, y), (last + 0.5, y), sheet.GREY)
    page.lines(last + 0.55, y, _loss_words(branch.losses), size=9, ha="left")
    _draw_table(page, branch.blocks, table_top)
    return page.figure


def _page(title: str, branch: models.Branch, table_top: float) -> sheet.Sheet:
    """A page that ends under the table."""
    num_rows = max(len(_cells(block)) for block in branch.blocks)
    height = table_top + (num_rows + 0.8) * _LINE + 0.1
    page = sheet.Sheet(_x(len(branch.blocks) - 1) + 1.75, height, title)
    note = "Read from the Keras model. Sizes are slices × rows × columns; blocks are not to scale."
    page.text(_LEFT - 0.1, height - 0.18, note, size=9, color=sheet.GREY, ha="left")
    return page


# === Blocks ===


def _x(number: int) -> float:
    """The middle of a block."""
    return _LEFT + (number + 0.5) * _STEP


def _draw_input(page: sheet.Sheet, branch: models.Branch, plane, y: float, words: str) -> None:
    height = _CROP * plane.shape[0] / plane.shape[1]
    page.picture((0.5, y - height / 2, _CROP, height), plane)
    slices, rows, columns, _ = branch.input_shape
    page.text(0.5 + _CROP / 2, y + height / 2 + 0.15, f"{slices}×{rows}×{columns}", size=9)
    page.text(0.3, y, words, size=11, rotation=90)
    page.arrow((0.55 + _CROP, y), (_LEFT + 0.03, y), sheet.GREY)


def _draw_blocks(
    page: sheet.Sheet,
    blocks: Sequence[layers.Block],
    y: float,
    color: Callable[[layers.Block], str],
) -> None:
    page.canvas.plot((_x(0), _x(len(blocks) - 1)), (y, y), color=sheet.GREY, zorder=0)
    for number, block in enumerate(blocks):
        _draw_block(page, block, _x(number), y, color(block))


def _draw_block(page: sheet.Sheet, block: layers.Block, x: float, y: float, color: str) -> None:
    """A stack of one sheet per slice, rows by columns; or a bar of as many units."""
    *plane, channels = block.output
    width, height = 0.1, 1.0 * math.sqrt(channels / 4096) + 0.05
    num_sheets = 1
    if plane:
        height, width = (0.058 * math.sqrt(size) for size in plane[-2:])
        num_sheets = plane[0] if len(plane) == 3 else 1
    for number in range(num_sheets):
        shift = 0.018 * (num_sheets - 1 - 2 * number) / 2
        page.box(
            (x + shift - width / 2, y - shift - height / 2, width, height),
            facecolor=color,
            edgecolor="white" if num_sheets > 1 else sheet.GREY,
            linewidth=0.5,
        )


def _kind_color(block: layers.Block) -> str:
    if not block.weights:
        return _POOLING
    return _CONVOLUTION if block.kernel else _FULL


def _origin_color(block: layers.Block, copied: Sequence[str]) -> str:
    if not block.weights:
        return _POOLING
    return _FROZEN if block.name in copied and not block.is_trained else _FULL


# === Words ===


def _draw_losses(page: sheet.Sheet, branch: models.Branch, tops: Sequence[float]) -> None:
    """The pair's loss between the two FC7, the others between the two FC8."""
    middle = sum(tops) / 2
    pair = {models.PAIR_OUTPUT: branch.losses[models.PAIR_OUTPUT]}
    others = {name: loss for name, loss in branch.losses.items() if name not in pair}
    last = len(branch.blocks) - 1
    for losses, x, shift in ((pair, _x(last - 1), -0.4), (others, _x(last), 0.5)):
        words = _loss_words(losses)
        half = 0.1 * len(words) + 0.08
        for y in tops:
            sign = np.sign(middle - y)
            page.arrow((x, y + sign * 0.4), (x, middle - sign * half), sheet.GREY)
        box = (x + shift - 0.68, middle - half, 1.36, 2 * half)
        page.box(box, facecolor="white", edgecolor=sheet.GREY)
        page.lines(x + shift, middle, words, size=9)


def _loss_words(losses: Mapping[str, str]) -> list[str]:
    """Short lines: the loss and the output it is of."""
    lines = []
    for output, loss in losses.items():
        lines += textwrap.wrap(f"{loss.replace('_', ' ')} loss", 16)
        lines += textwrap.wrap(f"of {output.replace('_', ' ')}", 16)
    return lines


def _draw_spans(page: sheet.Sheet, branch: models.Branch, copied: Sequence[str]) -> None:
    """Brackets over the layers that are taken over and over those that are new."""
    names = [block.name for block in branch.blocks]
    weighted = [block.name for block in branch.blocks if block.weights]
    new = [name for name in weighted if name not in copied]
    for group, words, color in (
        (copied, "weights of the Siamese network", _FROZEN),
        (new, "new weights", _FULL),
    ):
        blocks = [branch.blocks[names.index(name)] for name in group]
        trained = "trained" if all(block.is_trained for block in blocks) else "frozen"
        left, right = (_x(names.index(name)) for name in (group[0], group[-1]))
        page.box((left - 0.35, 0.95, right - left + 0.7, 0.05), facecolor=color)
        page.text((left + right) / 2, 0.78, f"{words}, {trained}", size=10)


def _draw_table(page: sheet.Sheet, blocks: Sequence[layers.Block], top: float) -> None:
    """What each layer is, under its block."""
    names = ["layer", "kernel", "stride", "padding", "output", "channels, units", "weights", "then"]
    for row, name in enumerate(names):
        page.text(_LEFT - 0.1, top + row * _LINE, name, size=9, ha="right", color=sheet.GREY)
    for number, block in enumerate(blocks):
        for row, words in enumerate(_cells(block)):
            weight = "bold" if row == 0 else "normal"
            page.text(_x(number), top + row * _LINE, words, size=9, weight=weight)


def _cells(block: layers.Block) -> list[str]:
    *plane, channels = block.output
    count = sum(math.prod(shape) for shape in block.weights)
    return [
        block.name.removeprefix(f"{models.GRADING}_"),
        _times(block.kernel),
        _times(block.stride),
        _times(block.padding),
        _times(plane),
        str(channels),
        _short(count),
        *block.then,
    ]


def _times(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes))


def _short(count: int) -> str:
    if count >= 1e6:
        return f"{count / 1e6:.1f} M"
    return f"{count / 1e3:.1f} k" if count else ""
