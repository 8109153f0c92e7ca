"""Fig. 2 of Chen 2019: images are disordered, swap after swap."""

import numpy as np
from matplotlib import figure, patches

from benchmarks.figures import real_images, sheet
from spine_tf.data import slice_schema, swaps

_WIDTH, _TOP, _LEFT, _GAP = 2.3, 0.9, 0.55, 0.1
_BOX = "#ff2d2d"
_SOME = 5  # swaps of the third column


def draw(data_dir: str, seed: int) -> figure.Figure:
    """Draws the three images before, after the first swap, after some and after all.

    Args:
        data_dir: Folder of the real data.
        seed: Of the swaps.

    Source: Chen 2019, Fig. 2.
    """
    planes = [
        real_images.brain(data_dir, slice_schema.AXIAL),
        real_images.ct(data_dir),
        real_images.ultrasound(data_dir),
    ]
    heights = [_WIDTH * plane.image.shape[0] / plane.image.shape[1] for plane in planes]
    height = _TOP + sum(heights) + len(planes) * _GAP + 0.1
    page = sheet.Sheet(_LEFT + 4 * (_WIDTH + _GAP), height, "Context disordering", "real images")
    top = _TOP
    for plane, height in zip(planes, heights, strict=True):
        _draw_row(page, plane, seed, top, height)
        top += height + _GAP
    titles = ["original", "after the first swap", f"after {_SOME} swaps", "after all swaps"]
    for number, title in enumerate(titles):
        page.text(_LEFT + number * (_WIDTH + _GAP) + _WIDTH / 2, _TOP - 0.2, title, size=11)
    return page.figure


def _draw_row(page: sheet.Sheet, plane, seed: int, top: float, height: float) -> None:
    found = real_images.disordered(plane, seed)
    made = found.swaps.numpy()[0]
    made = made[made[:, 2].any(1)]  # a swap of size 0 was none
    share = float(np.mean(found.changed))
    image = real_images.batch(plane)[0]
    for number, count in enumerate((0, 1, _SOME, len(made))):
        shown = swaps.replay(image, made[None, :count]).numpy()[0, 0, ..., 0]
        box = (_LEFT + number * (_WIDTH + _GAP), top, _WIDTH, height)
        axes = page.picture(box, shown, white=1.0)
        if count == 1:
            _draw_swap(axes, made[0])
        if count == len(made):
            words = f"{count} swaps, {100 * share:.0f} % changed"
            axes.text(0.98, 0.03, words, transform=axes.transAxes, ha="right", **_LABEL)
    page.text(0.28, top + height / 2, plane.name, size=11, rotation=90)


_LABEL = {
    "color": "white",
    "fontsize": 8,
    "va": "bottom",
    "bbox": {"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1.5},
}


def _draw_swap(axes, swap: np.ndarray) -> None:
    """Both patches of one swap; [3, 3]: corner, corner, size."""
    (_, rows, columns) = swap[2]
    for _, row, column in swap[:2]:
        corner = (column - 0.5, row - 0.5)
        box = patches.Rectangle(corner, columns, rows, fill=False, edgecolor=_BOX, linewidth=1.6)
        axes.add_patch(box)
