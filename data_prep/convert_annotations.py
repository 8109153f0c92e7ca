"""Converts annotations of other tools to `vertebrae/1`.

    spine-tf convert-annotations --format=totalspineseg --input_dir=label_maps \\
        --dicom_dir=studies --output=studies/vertebrae.json

    spider, totalspineseg   label maps (NIfTI, MHA, NRRD)
    spineps                 `*_seg-vert_*` label maps, each with its `*_seg-spine_*` beside it
    spinenet                CSV files of `save_vert_dicts_to_csv`; needs --dicom_dir
    seg                     DICOM segmentations; needs `pip install 'spine-tf[seg]'`

A file is named after its series (SERIES_INSTANCE_UID.nii.gz, anything after a `_` does not count),
or --series_csv says of which series it is. A DICOM SEG says it itself.
"""

from absl import flags

from spine_tf import cli, flag_field, levels

_FORMATS = (*levels.LABEL_MAPS, "spinenet", "seg")


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_enum("format", None, _FORMATS, "Which tool wrote the files.")
    flags.DEFINE_string("input_dir", None, "Folder with the files, at any depth.")
    flags.DEFINE_string("output", None, "JSON file to write.")
    cli.required("format", "input_dir", "output")
    flags.DEFINE_string("dicom_dir", "", "The studies; quads outside their images are rejected.")
    flags.DEFINE_string("series_csv", "", "Table file,series_instance_uid.")
    flags.DEFINE_bool("dry_run", False, flag_field.DRY_RUN)


def main(argv: list[str]) -> int:
    """Converts; returns the exit status."""
    del argv
    cli.check_exist("input_dir", "dicom_dir", "series_csv")
    from data_prep import convert_annotations_lib, other_annotations

    values = flags.FLAGS
    if values.format == other_annotations.SPINENET and not values.dicom_dir:
        raise cli.UsageError("`dicom_dir` must be given with --format=spinenet.")
    report = convert_annotations_lib.convert(
        values.input_dir,
        values.format,
        values.output,
        values.dicom_dir,
        values.series_csv,
        values.dry_run,
    )
    print(report)
    return report.exit_status


if __name__ == "__main__":
    cli.run(define_flags, main)
