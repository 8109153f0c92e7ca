"""Fig. 4 of Chen 2019, for every pretext: what the network is given, its answer, the truth."""

import dataclasses
import glob
import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import figure

from benchmarks.figures import sheet
from spine_tf import tasks
from spine_tf.evaluation import examples, fold, options
from spine_tf.evaluation import restoration as restoration_lib
from spine_tf.metrics import restoration_ratio
from spine_tf.tasks import restoration_task, task, tile_task
from spine_tf.tasks.pretext import relative_positions
from spine_tf.training import model_folder, pretext_mark

PRETEXTS = {
    "context_restoration": "context restoration",
    "context_prediction": "context prediction",
    "autoencoder": "autoencoder",
    "relative_positions": "relative positions",
    "jigsaw": "jigsaw",
}
_SIZE, _GAP, _LEFT, _TOP, _BETWEEN = 1.5, 0.08, 1.05, 0.75, 0.35
_COLUMNS = ("given", "answer", "truth")
_LINE = 2  # pixels between tiles
_DARK, _BRIGHT = 1, 99


@dataclasses.dataclass(frozen=True)
class Example:
    """What one pretext makes of one image.

    Attributes:
        panels: [rows, columns] float32 in [0, 1] each: given, answer, truth.
        words: What is said of the answer.
    """

    panels: tuple[np.ndarray, np.ndarray, np.ndarray]
    words: str


def draw(models_dir: str, records_dir: str, num_images: int) -> figure.Figure:
    """Draws test images of different subjects, chosen by their keys and not by the answers.

    Args:
        models_dir: Model folders of the pretexts, see `pretext_folders`.
        records_dir: The data set of the training.
        num_images: Images of each pretext.

    A pretext that was not learned is called so. Source: Chen 2019, Fig. 4.

    Raises:
        FileNotFoundError: If there is no model.
        ValueError: If there are fewer test subjects than images.
    """
    folders = pretext_folders(models_dir)
    found = {
        name: _examples(folders[name], records_dir, num_images)
        for name in PRETEXTS
        if name in folders
    }
    block = len(_COLUMNS) * (_SIZE + _GAP) + _BETWEEN
    width = _LEFT + num_images * block - _BETWEEN + 0.1
    page = sheet.Sheet(width, _TOP + len(found) * (_SIZE + 0.34), "Pretexts on test images", "")
    for row, (name, of_pretext) in enumerate(found.items()):
        top = _TOP + row * (_SIZE + 0.34)
        words = PRETEXTS[name].split()
        if pretext_mark.mark(folders[name]):
            words.append("(not learned)")
        page.lines(0.5, top + _SIZE / 2, words, size=10)
        for number, example in enumerate(of_pretext):
            _draw_example(page, example, _LEFT + number * block, top)
    for number in range(num_images):
        for column, words in enumerate(_COLUMNS):
            x = _LEFT + number * block + column * (_SIZE + _GAP) + _SIZE / 2
            page.text(x, _TOP - 0.15, words, size=10)
    return page.figure


def pretext_folders(models_dir: str) -> dict[str, str]:
    """Returns pretext -> model folder: of each the first by name, so far as it has weights.

    Args:
        models_dir: A folder of model folders, such as the work folder of the comparison.

    Raises:
        FileNotFoundError: If there is none.
    """
    found: dict[str, str] = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(models_dir), "*", model_folder.CONFIG))):
        folder = model_folder.load(os.path.dirname(path))
        if os.path.exists(os.path.join(folder.path, model_folder.WEIGHTS)):
            found.setdefault(tasks.name_of(folder.task), folder.path)
    found = {name: path for name, path in found.items() if name in PRETEXTS}
    if not found:
        raise FileNotFoundError(
            f"{models_dir}: must hold a model folder of a pretext, {', '.join(PRETEXTS)}."
        )
    return found


def _draw_example(page: sheet.Sheet, example: Example, left: float, top: float) -> None:
    for column, panel in enumerate(example.panels):
        box = (left + column * (_SIZE + _GAP), top, _SIZE, _SIZE)
        page.picture(box, panel, white=1.0)
    x = left + 1.5 * _SIZE + _GAP
    page.text(x, top + _SIZE + 0.13, example.words, size=8.5, color=sheet.GREY)


def _examples(model_dir: str, records_dir: str, num_images: int) -> list[Example]:
    (one,) = fold.open_folds(model_dir, records_dir, options.Options())
    items = chosen_items(one, num_images)
    (_, batch) = next(examples.batches(one, items, len(items)))
    outputs = one.folder.load_model()(dict(batch.inputs), training=False)
    made = one.folder.task
    show = _restored if isinstance(made, restoration_task.RestorationTask) else _tiles
    return [show(made, batch, outputs, number) for number in range(len(items))]


def chosen_items(one: fold.Fold, num_images: int) -> np.ndarray:
    """Returns the middle slice of as many subjects, the first by pseudonym, [images, 2] int32."""
    items, rows = examples.all_items(one), one.test.rows
    of_subject: dict[str, list] = {}
    for item in items:
        of_subject.setdefault(rows[item[0]]["subject"], []).append(item)
    if len(of_subject) < num_images:
        raise ValueError(
            f"`num_images` must be at most {len(of_subject)}, the test subjects, got {num_images}."
        )
    chosen = [of_subject[name] for name in sorted(of_subject)[:num_images]]
    return np.stack(
        [sorted(of, key=lambda item: rows[item[0]]["key"])[len(of) // 2] for of in chosen]
    )


# === Restored images ===


def _restored(
    made: restoration_task.RestorationTask, batch: task.Batch, outputs: Mapping, number: int
) -> Example:
    label = batch.labels[restoration_task.RESTORED][number : number + 1]
    answer = outputs[restoration_task.RESTORED][number : number + 1]
    sums = {name: float(value[0]) for name, value in restoration_lib.sums(label, answer).items()}
    channels = answer.shape[-1]
    truth, given = label[0, ..., 0].numpy(), label[0, ..., channels].numpy()
    answer = answer[0, ..., 0].numpy()
    weight, changed = (label[0, ..., place].numpy() > 0 for place in (-2, -1))
    if changed.any() and not (weight & ~changed).any():  # only the region is asked for
        answer = np.where(changed, answer, given)
    below = "given_error" if made.judged_by == restoration_ratio.EVERYWHERE else "deviation"
    words = (
        f"mean squared error {sums['restored_error'] / sums['voxels']:.3f},"
        f" {made.judged_by.replace('_', ' ')} {sums['restored_error'] / sums[below]:.2f}"
    )
    return Example(_scaled([given, answer, truth], truth), words)


def _scaled(panels: Sequence[np.ndarray], reference: np.ndarray) -> tuple:
    dark, bright = np.percentile(reference, [_DARK, _BRIGHT])
    return tuple(np.clip((panel - dark) / max(bright - dark, 1e-6), 0, 1) for panel in panels)


# === Tiles ===


def _tiles(made: tile_task.TileTask, batch: task.Batch, outputs: Mapping, number: int) -> Example:
    shown = batch.inputs["tiles"][number].numpy()[..., 0]
    true = int(batch.labels[made.output][number])
    answer = int(np.argmax(outputs[made.output][number]))
    if isinstance(made, relative_positions.RelativePositions):
        cells = [(4, label + (label >= 4)) for label in (answer, true)]
        given = mosaic(dict(enumerate(shown)), (1, 2))
        words = "right place" if answer == true else "wrong place"
    else:
        cells = [made.permutations[label] for label in (answer, true)]
        given = mosaic(dict(enumerate(shown)), (3, 3))
        in_place = sum(a == b for a, b in zip(*cells, strict=True))
        words = f"{in_place} of {len(shown)} tiles in place"
    placed = [mosaic(dict(zip(of, shown, strict=True)), (3, 3)) for of in cells]
    return Example(_scaled([_square(given), *placed], shown), words)


def mosaic(tiles: Mapping[int, np.ndarray], grid: tuple[int, int]) -> np.ndarray:
    """Returns tiles by their cell on a grid, with lines between; the least value where none is.

    Args:
        tiles: Cell in raster order -> [rows, columns].
        grid: Cells along rows and columns.
    """
    tile_rows, tile_columns = next(iter(tiles.values())).shape
    rows, columns = tile_rows + _LINE, tile_columns + _LINE
    darkest = min(float(tile.min()) for tile in tiles.values())
    found = np.full((grid[0] * rows - _LINE, grid[1] * columns - _LINE), darkest)
    for cell, tile in tiles.items():
        row, column = cell // grid[1] * rows, cell % grid[1] * columns
        found[row : row + tile_rows, column : column + tile_columns] = tile
    return found


def _square(image: np.ndarray) -> np.ndarray:
    """In the middle of a dark square."""
    side = max(image.shape)
    missing = [(side - length) // 2 for length in image.shape]
    pads = [(m, side - length - m) for m, length in zip(missing, image.shape, strict=True)]
    return np.pad(image, pads, constant_values=image.min())
