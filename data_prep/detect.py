"""Finds and names the vertebrae of lumbar MR scans.

    spine-tf detect --input_dir=studies --output_dir=found

--input_dir holds DICOM studies, or volumes (.mha, .mhd, .nii, .nii.gz, .nrrd), at any depth, or is
one volume. Of a study the sagittal T2 series is taken. OUTPUT_DIR then holds for each study, NAME
being its SeriesInstanceUID, or for each volume, NAME being its path with dashes:

    NAME.vertebrae.json   `vertebrae/1`: corners, level and probability of every vertebra; `status`
                          is answered, or unknown, with the reason
    NAME.png              the mid-sagittal slice with what was found

convert-dicom and grade take these files as --vertebrae. What is no sagittal T2 of a lumbar spine is
never named. Everything that is unknown or cannot be used is listed in
OUTPUT_DIR/local/rejects.jsonl; then the exit status is 3. Research only, not a medical device.
"""

from absl import flags

from spine_tf import cli, flag_field


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("input_dir", None, "Folder with DICOM studies or volumes, or one volume.")
    flags.DEFINE_string("output_dir", None, "Folder of the results; made if missing.")
    cli.required("input_dir", "output_dir")
    flags.DEFINE_string(
        "detector",
        "builtin",
        "builtin, that of the package; or a file of pack-detector; or a model folder.",
    )
    flags.DEFINE_bool("dry_run", False, flag_field.DRY_RUN)


def main(argv: list[str]) -> int:
    """Finds the vertebrae of every scan; returns the exit status."""
    del argv
    values = flags.FLAGS
    cli.check_exist("input_dir")
    from data_prep import detect_lib

    if values.dry_run:
        print(detect_lib.planned(values.input_dir, values.output_dir))
        return cli.EXIT_DONE
    report = detect_lib.detect(values.input_dir, values.output_dir, values.detector)
    print(report)
    return report.exit_status


if __name__ == "__main__":
    cli.run(define_flags, main)
