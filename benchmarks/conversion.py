"""Speed of convert-dicom: the whole command over the bare decoding and cropping that it must do.

    python -m benchmarks.conversion --work_dir=work --num_studies=200 --output_dir=docs/results

Makes an archive of phantom studies compressed as JPEG 2000 (kept in --work_dir for the next time)
and measures in turn, in each round: a plain loop that decodes the chosen files and cuts the crops;
the command with one process; with two; dcm2niix on the same series, where it is installed. Every
process has one thread of TensorFlow. OUTPUT_DIR/conversion.json gets medians, ranges and ratios,
the stages, the most memory of any one process, and bytes per study. --small tries it in a minute.
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
    flags.DEFINE_integer("num_studies", 200, "Studies of the archive.", lower_bound=1)
    flags.DEFINE_integer("repeats", 3, "Rounds.", lower_bound=1)
    flags.DEFINE_float("crop_scale", 1.0, "Scale of stored crops: 1 or 0.5.")
    flags.DEFINE_bool("small", False, "Three small studies, once, at crop scale 0.5.")


def main(argv: list[str]) -> None:
    """Measures and writes."""
    del argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks import conversion_runs, results_file
    from spine_tf import files

    work = conversion_runs.Work(
        work_dir=os.path.abspath(_FLAGS.work_dir),
        num_studies=3 if _FLAGS.small else _FLAGS.num_studies,
        matrices=(128,) if _FLAGS.small else (320, 352),
        crop_scale=0.5 if _FLAGS.small else _FLAGS.crop_scale,
    )
    found = conversion_runs.measure(work, 1 if _FLAGS.small else _FLAGS.repeats)
    content = {"format": FORMAT, "found": found, "cores": os.cpu_count()}
    content |= {"processor": results_file.processor(), "versions": results_file.versions()}
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    path = os.path.join(_FLAGS.output_dir, NAME)
    files.write_json(path, content)
    print(f"{path}: {found}")


if __name__ == "__main__":
    cli.run(define_flags, main)
