"""Makes the figures of Chen 2019 from real images and from the models themselves.

    python -m benchmarks.restoration_figures --data_dir=../shared/data

writes figures 1, 2 and 3 to docs/images. Figure 4 shows what trained models answer and needs them
and the data set they were trained on:

    python -m benchmarks.restoration_figures --figures=4 --models_dir=models --records_dir=slices

--models_dir is a folder of model folders, such as the --work_dir of benchmarks.pretext_comparison;
of every pretext in it the first by name is drawn. docs/pretexts.md has the commands of their
training. Equal flags give equal files.
"""

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS
_NAMES = {"1": "patches", "2": "disordering", "3": "networks", "4": "restored"}
_INPUTS = {
    "1": ("data_dir",),
    "2": ("data_dir",),
    "3": ("data_dir",),
    "4": ("models_dir", "records_dir"),
}


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_list("figures", [], "Numbers of figures; empty is all whose input is given.")
    flags.DEFINE_string("data_dir", "", "Folder of the real data, for figures 1 to 3.")
    flags.DEFINE_string("models_dir", "", "Model folders of the pretexts, for figure 4.")
    flags.DEFINE_string("records_dir", "", "Data set of those models, for figure 4.")
    flags.DEFINE_integer("num_images", 2, "Images of each pretext in figure 4.", lower_bound=1)
    flags.DEFINE_string("output_dir", "docs/images", "Folder of the pictures; made if missing.")
    flags.DEFINE_integer("seed", 0, "Seed of what the pretexts draw.", lower_bound=0)


def main(argv: list[str]) -> None:
    """Draws and writes the figures, and prints their paths."""
    del argv
    numbers = _numbers()
    from benchmarks.figures import sheet

    makers = _makers()
    chosen = {f"restoration_{number}_{_NAMES[number]}": makers[number] for number in numbers}
    sheet.save_all(chosen, _FLAGS.output_dir)


def _numbers() -> list[str]:
    """The figures asked for, or all that can be made."""
    missing = {
        number: [name for name in names if not _FLAGS[name].value]
        for number, names in _INPUTS.items()
    }
    for number in _FLAGS.figures:
        if number not in _NAMES:
            raise cli.UsageError(f"--figures must be among {', '.join(_NAMES)}, got {number!r}.")
        if missing[number]:
            raise cli.UsageError(f"figure {number} needs --{' and --'.join(missing[number])}.")
    chosen = _FLAGS.figures or [number for number in _NAMES if not missing[number]]
    if not chosen:
        raise cli.UsageError("--data_dir, or --models_dir and --records_dir, must be given.")
    return chosen


def _makers() -> dict:
    """Number -> what draws the figure."""
    from benchmarks.figures import disordering, patches, restoration_network, restored

    data_dir, seed = _FLAGS.data_dir, _FLAGS.seed
    return {
        "1": lambda: patches.draw(data_dir, seed),
        "2": lambda: disordering.draw(data_dir, seed),
        "3": lambda: restoration_network.draw(data_dir, seed),
        "4": lambda: restored.draw(_FLAGS.models_dir, _FLAGS.records_dir, _FLAGS.num_images),
    }


if __name__ == "__main__":
    cli.run(define_flags, main)
