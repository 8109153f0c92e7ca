"""Speed of convert-dicom: the whole command over the bare decoding and cropping that it must do.

    python -m benchmarks.conversion --work_dir=work --parts=speed --parts=memory

Makes an archive of phantom studies compressed as JPEG 2000 (kept in --work_dir for the next time).

    speed    in turn, in each round: a plain loop that decodes the chosen files and cuts the crops;
             the command with one process; with two; dcm2niix on the same series, where it is
             installed. Every process has one thread of TensorFlow
    memory   the command with two processes on a tree of --num_files, the archive among them

OUTPUT_DIR/conversion.json gets medians, ranges and ratios, the stages, the most memory of any one
process, and bytes per study. --small tries it in a minute.
"""

import os

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS
NAME = "conversion.json"
FORMAT = "spine_tf conversion speed/1"


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("work_dir", None, "Where the archive and the data sets go.")
    cli.required("work_dir")
    flags.DEFINE_string("output_dir", "docs/results", "Folder of conversion.json.")
    flags.DEFINE_multi_enum("parts", ["speed"], ["speed", "memory"], "What is measured.")
    flags.DEFINE_integer("num_files", 10000, "Files of the tree of `memory`.", lower_bound=1)
    flags.DEFINE_integer("num_studies", 200, "Studies of the archive.", lower_bound=1)
    flags.DEFINE_integer("repeats", 3, "Rounds.", lower_bound=1)
    flags.DEFINE_float("crop_scale", 1.0, "Scale of stored crops: 1 or 0.5.")
    flags.DEFINE_bool("small", False, "Three small studies, once, at crop scale 0.5.")


def main(argv: list[str]) -> None:
    """Measures and writes."""
    del argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks import conversion_runs, results_file

    work = conversion_runs.Work(
        work_dir=os.path.abspath(_FLAGS.work_dir),
        num_studies=3 if _FLAGS.small else _FLAGS.num_studies,
        matrices=(128,) if _FLAGS.small else (320, 352),
        crop_scale=0.5 if _FLAGS.small else _FLAGS.crop_scale,
    )
    repeats = 1 if _FLAGS.small else _FLAGS.repeats
    for part in _FLAGS.parts:
        if part == "speed":
            found = conversion_runs.measure(work, repeats)
        else:
            found = conversion_runs.measure_memory(work, 200 if _FLAGS.small else _FLAGS.num_files)
        print(f"{part}: {found}")
        path = os.path.join(_FLAGS.output_dir, NAME)
        command = results_file.command("conversion", _FLAGS, part)
        results_file.write(path, FORMAT, part, found, command)


if __name__ == "__main__":
    cli.run(define_flags, main)
