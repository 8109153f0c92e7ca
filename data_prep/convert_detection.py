"""Converts annotated volumes to the slices that the detector is trained on.

    spine-tf convert-detection --spider_dir=spider --phantoms=20 --output_dir=data --folds=5
    spine-tf train --task=detection --data_dir=data --model_dir=detector --preset=unet-16

--spider_dir is SPIDER's folder; sacrum.json in it, or --sacrum, adds S1. --dicom_dir is a folder of
DICOM studies with `vertebrae/1` files. Any mixture of them and phantoms is one data set.
"""

from absl import flags

from data_prep import settings
from spine_tf import cli, dataclass_flags

_SKIP = ("crop_scale", "disc_pairs")  # of crops; slices are whole


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("spider_dir", "", "SPIDER's folder.")
    flags.DEFINE_string(
        "sacrum", None, "File or folder with S1 of SPIDER's images; sacrum.json beside them if not."
    )
    flags.DEFINE_list("series", ["t2", "t2_SPACE"], "SPIDER's series, the preferred first.")
    flags.DEFINE_string("dicom_dir", "", "Folder of DICOM studies with vertebrae.json.")
    flags.DEFINE_integer("phantoms", 0, "Synthetic subjects to add.", lower_bound=0)
    flags.DEFINE_integer("phantom_seed", 0, "Their seed.", lower_bound=0)
    flags.DEFINE_string("output_dir", None, "Folder of the data set; made if missing.")
    cli.required("output_dir")
    flags.DEFINE_string(
        "key_file",
        None,
        "Key of the pseudonyms, made on first use; OUTPUT_DIR.key by default.",
    )
    dataclass_flags.define(settings.Settings, _SKIP)


def main(argv: list[str]) -> int:
    """Runs the conversion; returns the exit status."""
    del argv
    cli.check_exist("spider_dir", "sacrum", "dicom_dir")
    from data_prep import convert_detection_lib, dataset_lib, deidentify, listed

    values = flags.FLAGS
    chosen = dataclass_flags.make(settings.Settings, _SKIP)
    inputs = convert_detection_lib.Inputs(
        spider_dir=values.spider_dir,
        sacrum=values.sacrum,
        series=tuple(values.series),
        dicom_dir=values.dicom_dir,
        phantoms=values.phantoms,
        phantom_seed=values.phantom_seed,
    )
    key_file = deidentify.choose_key_file(values.key_file, values.output_dir)
    key = deidentify.load_or_make_key(key_file, keep=not chosen.dry_run)
    plan = convert_detection_lib.plan(inputs, key)
    report = dataset_lib.convert(
        plan.requests,
        convert_detection_lib.load,
        chosen,
        values.output_dir,
        source=inputs.source,
        key=key if inputs.has_persons else None,
        encode=convert_detection_lib.encode,
        protocols=listed.protocols_of_slices(plan.requests, chosen),
        rejections=plan.rejections,
        not_needed=plan.not_needed,
    )
    print(report)
    if inputs.has_persons and not chosen.dry_run:
        print(deidentify.keep_message(key_file))
    return report.exit_status


if __name__ == "__main__":
    cli.run(define_flags, main)
