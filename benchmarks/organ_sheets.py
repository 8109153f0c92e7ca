"""Contact sheets of the phantoms of fetal planes and of the abdomen.

    python -m benchmarks.organ_sheets

writes docs/images/organ_planes.png, six examinations of every class, and
docs/images/organ_abdomen.png, cases with and without their labels. Equal flags give equal files.
"""

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS
_COLOURS = ((220, 200, 40), (150, 90, 230), (60, 90, 250), (230, 60, 130), (60, 220, 120))
_COLOUR_SHARE = 0.4
_WINDOW_HU = (-200, 300)
_WIDTH, _LEFT, _TOP = 10.0, 0.85, 0.45  # inches


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_integer("seed", 0, "Seed of both phantoms.", lower_bound=0)
    flags.DEFINE_integer("first", 0, "First subject that is shown.", lower_bound=0)
    flags.DEFINE_integer("num_examinations", 6, "Examinations shown.", lower_bound=1)
    flags.DEFINE_integer("num_cases", 6, "Cases shown.", lower_bound=1)
    flags.DEFINE_string("output_dir", "docs/images", "Folder of the pictures; made if missing.")


def main(argv: list[str]) -> None:
    """Draws and writes both sheets, and prints their paths."""
    del argv
    from benchmarks.figures import sheet

    makers = {"organ_planes": _planes, "organ_abdomen": _abdomen}
    sheet.save_all(makers, _FLAGS.output_dir)


def _subjects(count: int) -> range:
    return range(_FLAGS.first, _FLAGS.first + count)


def _planes():
    """A row per class, a column per examination."""
    from spine_tf.organ_phantom import planes

    rows = {
        name: [planes.make_image(_FLAGS.seed, number, name) for number in subjects]
        for subjects in [_subjects(_FLAGS.num_examinations)]
        for name in planes.PLANES
    }
    return _grid(rows, f"Standard planes, seed {_FLAGS.seed}", 112 / 144)


def _abdomen():
    """A row per case: axial slices, the middle one with its labels, coronal and sagittal."""
    from spine_tf.organ_phantom import abdomen

    rows = {}
    for number in _subjects(_FLAGS.num_cases):
        scan = abdomen.make_case(_FLAGS.seed, number)
        rows[f"case {number}"] = _panels(scan)
    return _grid(rows, f"Abdomen, seed {_FLAGS.seed}, window -200 to 300 HU", 1.0)


def _grid(rows: dict, title: str, ratio: float):
    """Pictures in rows, each row with its name."""
    from benchmarks.figures import sheet

    count = max(map(len, rows.values()))
    width = (_WIDTH - _LEFT - 0.1) / count
    height = width * ratio
    page = sheet.Sheet(_WIDTH, _TOP + height * len(rows) + 0.1, title)
    for row, (name, images) in enumerate(rows.items()):
        top = _TOP + row * height
        page.text(0.42, top + height / 2, name, size=9)
        for column, image in enumerate(images):
            box = (_LEFT + column * width, top, 0.97 * width, 0.97 * height)
            page.picture(box, image / 255, white=1.0)
    return page.figure


def _panels(scan) -> list:
    """Seven [128, 128, 3] uint8: axial slices from the feet up, coronal, sagittal, two labelled."""
    import numpy as np

    low, high = _WINDOW_HU
    grey = np.clip((scan.hu.astype(np.float32) - low) / (high - low), 0, 1)[..., None] * 255
    grey = np.repeat(grey, 3, axis=-1)
    table = np.array([(0, 0, 0), *_COLOURS], np.float32)[scan.label_map]
    share = _COLOUR_SHARE * (scan.label_map > 0)[..., None]
    colour = grey * (1 - share) + table * share
    most = [np.argmax((scan.label_map > 0).sum(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    axial, coronal, sagittal = most
    ends = [int(part * (len(grey) - 1)) for part in (0.25, 0.7)]
    found = [grey[ends[0]], grey[axial], grey[ends[1]], colour[axial]]
    upright = [grey[::-1, coronal], grey[::-1, :, sagittal], colour[::-1, coronal]]
    found += [_tall(image, scan.spacing_mm) for image in upright]
    return [np.uint8(image) for image in found]


def _tall(image, spacing_mm):
    """Rows repeated or left out to the spacing of the columns, fitted into 128."""
    import numpy as np

    count = int(image.shape[0] * spacing_mm[0] / spacing_mm[2])
    rows = (np.arange(count) * image.shape[0] / count).astype(int)
    fitted = image[rows][:128]
    return np.pad(fitted, ((0, 128 - len(fitted)), (0, 0), (0, 0)))


if __name__ == "__main__":
    cli.run(define_flags, main)
