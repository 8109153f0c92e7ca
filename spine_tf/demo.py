"""Shows the whole way on this machine: from DICOM to graded discs, in one command.

    spine-tf demo
    spine-tf demo --data_dir=FOLDER

Without --data_dir a synthetic longitudinal cohort is written as DICOM, converted, used for
longitudinal pre-training, graded, exported and scored. With --data_dir, a folder in SPIDER's
layout, grading alone is shown: the longitudinal stage needs follow-up scans. Every step is a public
command, which is printed before it runs; a step that is done is not run again.
"""

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("output_dir", "demo_output", "Where everything goes.")
    flags.DEFINE_string("data_dir", "", "Folder in SPIDER's layout, instead of the phantom.")
    flags.DEFINE_enum(
        "size", "small", ["smallest", "small"], "small takes some minutes; smallest tests the way."
    )


def main(argv: list[str]) -> int:
    """Runs the demo; returns the exit status."""
    del argv
    from spine_tf import demo_lib

    size = demo_lib.SIZES[_FLAGS.size]
    if _FLAGS.data_dir:
        steps = demo_lib.spider_steps(_FLAGS.data_dir, _FLAGS.output_dir, size)
    else:
        steps = demo_lib.phantom_steps(_FLAGS.output_dir, size)
    status = demo_lib.run(steps, _FLAGS.output_dir)
    if status in (cli.EXIT_DONE, cli.EXIT_REJECTED):
        print(demo_lib.summary(_FLAGS.output_dir))
    return status


if __name__ == "__main__":
    cli.run(define_flags, main)
