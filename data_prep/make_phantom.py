"""Makes a synthetic longitudinal lumbar cohort.

    spine-tf make-phantom --output_dir=cohort --num_subjects=40
    spine-tf convert-dicom --input_dir=cohort --output_dir=data

writes DICOM studies (sagittal T2, sagittal T1, a localizer) to cohort/studies, and beside them
vertebrae.json, gradings.csv and families.csv, where convert-dicom finds them. A run that was
stopped goes on where it was.

    spine-tf make-phantom --output_dir=data --num_subjects=1000 --direct_records

writes the records that convert-dicom would write, without DICOM on the way.

    spine-tf make-phantom --output_dir=data --cohort=paper --direct_records

writes the cohort of Jamaludin 2017: 1016 subjects, 423 with a follow-up, and its protocols.

    spine-tf make-phantom --calibrate --num_subjects=240

measures how hard the phantom is, and prints it; with --output_dir it also saves calibration.json.
"""

import os

from absl import flags

from spine_tf import cli, dataclass_flags


def define_flags() -> None:
    """Defines the flags of this script."""
    from data_prep import settings

    flags.DEFINE_string("output_dir", None, "Folder of the cohort, or of the data set.")
    flags.DEFINE_enum(
        "cohort", "plain", ["plain", "paper"], "paper fixes the subjects; with --direct_records."
    )
    flags.DEFINE_integer("num_subjects", 40, "Number of subjects.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed; another seed, another cohort.", lower_bound=0)
    flags.DEFINE_integer("one_visit_percent", 25, "Share of subjects that come once.")
    flags.DEFINE_integer("three_visits_percent", 15, "Share of subjects that come three times.")
    flags.DEFINE_bool("direct_records", False, "Write records, not DICOM.")
    flags.DEFINE_bool("calibrate", False, "Measure how hard the phantom is; writes no cohort.")
    flags.DEFINE_string(
        "key_file",
        None,
        "Key of the pseudonyms with --direct_records, made on first use;"
        " OUTPUT_DIR.key by default.",
    )
    dataclass_flags.define(settings.Settings)


def main(argv: list[str]) -> int:
    """Makes or measures a cohort; returns the exit status."""
    del argv
    from spine_tf.phantom import cohort

    values = flags.FLAGS
    if values.cohort == "paper" and (values.calibrate or not values.direct_records):
        raise cli.UsageError("--cohort=paper needs --direct_records.")
    config = cohort.CohortConfig(
        num_subjects=values.num_subjects,
        seed=values.seed,
        one_visit_percent=values.one_visit_percent,
        three_visits_percent=values.three_visits_percent,
    )
    if values.calibrate and values.dry_run:
        raise cli.UsageError("--calibrate and --dry_run cannot both be given.")
    if values.calibrate:
        return _calibrate(config, values.output_dir, values.num_processes)
    if not values.output_dir:
        raise cli.UsageError("--output_dir must be given.")
    if values.direct_records:
        return _write_records(config, values)
    from data_prep import make_phantom_lib

    if values.dry_run:
        count = sum(1 for _ in make_phantom_lib.studies(config))
        told = f"{config.num_subjects} subjects, {count} studies. Nothing was written."
        print(f"{values.output_dir} would hold {told}")
        return cli.EXIT_DONE
    count = make_phantom_lib.write_cohort(config, values.output_dir, values.num_processes)
    print(f"{values.output_dir}: {config.num_subjects} subjects, {count} studies.")
    return cli.EXIT_DONE


def _write_records(config, values) -> int:
    from data_prep import deidentify, make_phantom_lib, settings

    key_file = deidentify.choose_key_file(values.key_file, values.output_dir)
    chosen = dataclass_flags.make(settings.Settings)
    where = (values.output_dir, chosen, key_file)
    if values.cohort == "paper":
        report = make_phantom_lib.write_paper_records(values.seed, *where)
    else:
        report = make_phantom_lib.write_records(config, *where)
    print(report)
    return report.exit_status


def _calibrate(config, output_dir: str | None, num_processes: int) -> int:
    from spine_tf import files
    from spine_tf.phantom import calibration

    measured = calibration.measure(config, num_processes)
    print(calibration.table(measured))
    if output_dir:
        os.makedirs(output_dir, exist_ok=True)
        files.write_json(os.path.join(output_dir, "calibration.json"), measured)
    return cli.EXIT_DONE


if __name__ == "__main__":
    cli.run(define_flags, main)
