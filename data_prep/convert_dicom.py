"""Converts DICOM studies to records.

    spine-tf convert-dicom --input_dir=studies --output_dir=data

Every file below --input_dir is looked at; it may also be a DICOMDIR, a zip file, a DICOMweb server
or, with tensorflow-io, an address such as s3://BUCKET/FOLDER. Without --num_processes there are as
many as cores, if the work is worth it. Killed and started again with the same command, it goes on.
One sagittal T2 series per study is chosen by its headers; OUTPUT_DIR/local/choices.txt says which,
and the tags that decided. Annotations are matched by UID:

    vertebrae   `vertebrae/1` JSON, by series_instance_uid; without it the detector finds them,
                keeps its scores in OUTPUT_DIR/local/vertebrae, and rejects what it cannot name
    gradings    CSV: study_instance_uid, disc, grading, value
    families    CSV: patient_id, family

Records hold pseudonyms, no PatientID. KEEP THE KEY: with it later studies of the same patients get
the same pseudonyms. Whoever has it can find out who is who. It is the file --key_file, or the
environment variable SPINE_TF_PSEUDONYM_KEY, or OUTPUT_DIR.key; never in the data set.
"""

import dataclasses
import functools
import os
from collections.abc import Sequence

from absl import flags

from data_prep import settings
from spine_tf import cli, dataclass_flags, header_facts

_SKIP = ("num_processes",)  # whose default here is no number
_CHOICES = "choices.txt"
_SCANS_PER_PROCESS = 16  # a process that converts fewer is not worth starting
_MOST_SHOWN = 3  # studies whose choice is printed


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string(
        "input_dir",
        None,
        "DICOM studies: a folder, at any depth, a DICOMDIR, a zip file, a DICOMweb server"
        " (https://...), or an address that tensorflow-io opens (s3://...).",
    )
    flags.DEFINE_string("output_dir", None, "Folder of the data set; made if missing.")
    cli.required("input_dir", "output_dir")
    beside = "A file or a folder; without it the files {} below --input_dir are used."
    for name in ("vertebrae.json", "gradings.csv", "families.csv"):
        flags.DEFINE_string(os.path.splitext(name)[0], None, beside.format(name))
    flags.DEFINE_string(
        "key_file",
        None,
        "Key of the pseudonyms, made on first use; OUTPUT_DIR.key by default."
        " Keep it: without it later studies of the same patients cannot be joined.",
    )
    flags.DEFINE_integer(
        "max_visits",
        20,
        "Most studies of one PatientID; with more they are quarantined, as of several patients.",
        lower_bound=1,
    )
    flags.DEFINE_string(
        "detector",
        "builtin",
        "Finds the vertebrae of studies without annotation: builtin, that of the package; a file of"
        " pack-detector; a model folder; or none, then such studies are rejected.",
    )
    flags.DEFINE_string(
        "decoder",
        "pydicom",
        "Decodes the pixels: pydicom, or tfio, tensorflow-io of the addons stack. Both give the"
        " same.",
    )
    dataclass_flags.define(settings.DicomSettings, _SKIP)
    flags.DEFINE_integer(
        "num_processes",
        None,
        "Worker processes; if not given as many as the work is worth. Any number gives the same"
        " records.",
        lower_bound=1,
    )
    flags.DEFINE_string("runner", "DirectRunner", "Beam runner; docs/data_preparation.md, Scale.")
    flags.DEFINE_string("beam_options", "", "Beam's own options for it, in one text.")


def main(argv: list[str]) -> int:
    """Runs the conversion; returns the exit status."""
    del argv
    cli.check_exist("input_dir", "vertebrae", "gradings", "families")
    from data_prep import (
        beam_runner,
        convert_dicom_lib,
        dataset_lib,
        deidentify,
        remote_files,
        tfio_pixels,
    )

    values = flags.FLAGS
    tfio_pixels.check(values.decoder)
    remote_files.check_is_local("output_dir", values.output_dir)
    runner = beam_runner.parse_runner(values.runner, values.beam_options)
    given = values.num_processes
    chosen = dataclass_flags.make(settings.DicomSettings, num_processes=given or 1)
    inputs = convert_dicom_lib.Inputs(
        values.input_dir,
        values.vertebrae,
        values.gradings,
        values.families,
        header_facts.parse_names(chosen.header_facts),
        values.max_visits,
        given or 0,
        values.detector,
    )
    dataset_lib.check_is_not_whole(values.output_dir, chosen)
    key_file = deidentify.choose_key_file(values.key_file, values.output_dir)
    key = deidentify.load_or_make_key(key_file, keep=not chosen.dry_run)
    plan = convert_dicom_lib.plan(inputs, key)
    _say(plan.lines, len(plan.requests), "" if chosen.dry_run else values.output_dir)
    if not given:
        worth = beam_runner.worthwhile_processes(len(plan.requests), _SCANS_PER_PROCESS)
        chosen = dataclasses.replace(chosen, num_processes=worth)
    report = dataset_lib.convert(
        plan.requests,
        functools.partial(
            convert_dicom_lib.load, output_dir=values.output_dir, decoder=values.decoder
        ),
        chosen,
        values.output_dir,
        source="dicom",
        key=key,
        rejections=plan.rejections,
        not_needed=plan.not_needed,
        runner=runner,
        found=plan.files,
    )
    print("\n".join([*plan.remarks(), str(report)]))
    if not chosen.dry_run:
        print(deidentify.keep_message(key_file))
    return report.exit_status


def _say(lines: Sequence[str], num_scans: int, output_dir: str) -> None:
    """Prints how the series were chosen, or of a large tree where that stands."""
    from data_prep import local_files

    if output_dir:
        with local_files.opened(output_dir, _CHOICES) as file:
            file.writelines(f"{line}\n" for line in lines)
    if num_scans <= _MOST_SHOWN or not output_dir:
        print("\n".join(lines))
    else:
        path = os.path.join(output_dir, local_files.LOCAL, _CHOICES)
        print(f"{num_scans} scans: {path} says which series was chosen and by which tags.")


if __name__ == "__main__":
    cli.run(define_flags, main)
