"""Makes synthetic fetal ultrasound planes or abdominal CT, with known truth.

    spine-tf make-organs --kind=planes --num_subjects=120 --output_dir=planes

writes the images of 120 examinations: for each subject 13 standard planes and one image of
background (112x144 PNG), and images.csv, which says of each its subject and its plane.

    spine-tf make-organs --kind=abdomen --num_subjects=60 --output_dir=abdomen

writes 60 CT-like volumes (ct.nii.gz, in HU) with label maps of five organs (organs.nii.gz): left
and right kidney, pancreas, liver, spleen; and labels.json, the names of the labels. In one case
of five the scan is short, in one of six an organ was removed.

Either ends with the command that makes records of the files: convert-images takes them as it takes
any other images. Add flags of your own to it, such as --folds=5 or --train_percents=50,25.

The same kind, number of subjects and seed give the same pixels, in any number of processes. A run
that was stopped goes on where it was. Nothing here is of a patient, and results on phantoms say
nothing about patients. docs/organ_phantom.md says what is modelled and how hard it is.
"""

from absl import flags

from spine_tf import cli, flag_field

_KINDS = ("planes", "abdomen")


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_enum("kind", None, _KINDS, "What to make; see above.")
    flags.DEFINE_integer(
        "num_subjects", 40, "Examinations (14 images each) or cases (one volume).", lower_bound=1
    )
    flags.DEFINE_integer("seed", 0, "Seed; another seed, other subjects.", lower_bound=0)
    flags.DEFINE_integer("num_processes", 1, "Worker processes.", lower_bound=1)
    flags.DEFINE_string("output_dir", None, "Folder of the files; made if missing.")
    flags.DEFINE_bool("dry_run", False, flag_field.DRY_RUN)
    cli.required("kind", "output_dir")


def main(argv: list[str]) -> int:
    """Makes the files and prints the next command; returns the exit status."""
    del argv
    from data_prep import make_organs_lib

    values = flags.FLAGS
    cohort = make_organs_lib.Cohort(values.kind, values.num_subjects, values.seed)
    if values.dry_run:
        print(make_organs_lib.planned(cohort, values.output_dir))
        return cli.EXIT_DONE
    make_organs_lib.write(cohort, values.output_dir, values.num_processes)
    print(f"{values.output_dir}: {values.num_subjects} subjects. To make records of them:")
    print(f"  {make_organs_lib.next_command(values.kind, values.output_dir)}")
    return cli.EXIT_DONE


if __name__ == "__main__":
    cli.run(define_flags, main)
