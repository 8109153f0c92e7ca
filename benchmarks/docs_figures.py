"""Makes the pictures of README and docs/architecture.md.

    python -m benchmarks.docs_figures

writes overview.png, from phantoms, and imports.png, from the sources, to docs/images. Equal
phantoms and sources give equal files.
"""

import pathlib

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS
_NAMES = ("overview", "imports")


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_multi_enum("figures", list(_NAMES), list(_NAMES), "Which pictures.")
    flags.DEFINE_string("output_dir", "docs/images", "Folder of the pictures; made if missing.")
    flags.DEFINE_integer("num_subjects", 120, "Phantoms to choose from.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the phantoms.", lower_bound=0)


def main(argv: list[str]) -> None:
    """Draws and writes the pictures, and prints their paths."""
    del argv
    from benchmarks.figures import imports, overview, sheet
    from spine_tf.phantom import cohort

    phantoms = cohort.CohortConfig(num_subjects=_FLAGS.num_subjects, seed=_FLAGS.seed)
    root = pathlib.Path(__file__).parents[1]
    makers = {"overview": lambda: overview.draw(phantoms), "imports": lambda: imports.draw(root)}
    sheet.save_all({name: makers[name] for name in _FLAGS.figures}, _FLAGS.output_dir)


if __name__ == "__main__":
    cli.run(define_flags, main)
