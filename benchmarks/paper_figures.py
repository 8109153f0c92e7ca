"""Makes the figures of Jamaludin 2017 from phantoms and from the model itself.

    python -m benchmarks.paper_figures

writes figures 1, 2, 3, 4, 5 and 7 to docs/images. Two show results and need them:

    python -m benchmarks.paper_figures --figures=6 --evaluation=evaluation/evaluation.json
    python -m benchmarks.paper_figures --figures=8 --learning_curve=learning_curve.json

Figure 6 takes the result of `spine-tf evaluate` for a longitudinal model, figure 8 that of
`benchmarks.learning_curve`. Equal flags give equal files.
"""

from absl import flags

from spine_tf import cli, config

_FLAGS = flags.FLAGS
_NAMES = {
    "1": "extraction",
    "2": "across_time",
    "3": "pairs",
    "4": "siamese",
    "5": "grades",
    "6": "distances",
    "7": "classifier",
    "8": "learning_curve",
}
_INPUTS = {"6": "evaluation", "8": "learning_curve"}


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_list(
        "figures", [], "Numbers of figures; empty is all whose input is there or not needed."
    )
    flags.DEFINE_string("evaluation", "", "evaluation.json of a longitudinal model, for figure 6.")
    flags.DEFINE_string("learning_curve", "", "JSON of benchmarks.learning_curve, for figure 8.")
    flags.DEFINE_string("output_dir", "docs/images", "Folder of the pictures; made if missing.")
    flags.DEFINE_integer("num_subjects", 120, "Phantoms to choose from.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the phantoms.", lower_bound=0)
    flags.DEFINE_enum("preset", "paper", list(config.PRESETS), "Network of figures 4 and 7.")


def main(argv: list[str]) -> None:
    """Draws and writes the figures, and prints their paths."""
    del argv
    numbers = _numbers()
    from benchmarks.figures import sheet

    makers = _makers()
    chosen = {f"figure_{number}_{_NAMES[number]}": makers[number] for number in numbers}
    sheet.save_all(chosen, _FLAGS.output_dir)


def _numbers() -> list[str]:
    """The figures asked for, or all that can be made."""
    can_be_made = [n for n in _NAMES if n not in _INPUTS or _FLAGS[_INPUTS[n]].value]
    for number in _FLAGS.figures:
        if number not in _NAMES:
            raise cli.UsageError(f"--figures must be among {', '.join(_NAMES)}, got {number!r}.")
        if number not in can_be_made:
            raise cli.UsageError(f"figure {number} needs --{_INPUTS[number]}.")
    return _FLAGS.figures or can_be_made


def _makers() -> dict:
    """Number -> what draws the figure."""
    from benchmarks.figures import (
        across_time,
        architecture,
        curve,
        distances,
        extraction,
        grades,
        pairs,
    )
    from spine_tf.phantom import cohort

    phantoms = cohort.CohortConfig(num_subjects=_FLAGS.num_subjects, seed=_FLAGS.seed)
    network = config.preset(_FLAGS.preset)
    return {
        "1": lambda: extraction.draw(phantoms),
        "2": lambda: across_time.draw(phantoms),
        "3": lambda: pairs.draw(phantoms),
        "4": lambda: architecture.draw_siamese(network, phantoms),
        "5": lambda: grades.draw(phantoms),
        "6": lambda: distances.draw(_FLAGS.evaluation),
        "7": lambda: architecture.draw_classifier(network, phantoms),
        "8": lambda: curve.draw(_FLAGS.learning_curve),
    }


if __name__ == "__main__":
    cli.run(define_flags, main)
