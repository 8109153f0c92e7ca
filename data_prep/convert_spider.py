"""Converts the SPIDER data set to records.

    spine-tf convert-spider --input_dir=spider --output_dir=data --folds=5

--input_dir is SPIDER as downloaded from Zenodo (record 10159290): images/ and masks/ with .mha or
.nii.gz files, and radiological_gradings.csv. One T2 scan per patient is taken. Vertebral bodies
are found in the masks. SPIDER does not label the sacrum: S1 comes from --sacrum, else the L5-S1
disc comes from its own mask.
"""

from absl import flags

from data_prep import settings
from spine_tf import cli, dataclass_flags


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("input_dir", None, "SPIDER's folder.")
    flags.DEFINE_string("output_dir", None, "Folder of the data set; made if missing.")
    cli.required("input_dir", "output_dir")
    flags.DEFINE_string(
        "sacrum",
        None,
        "File or folder with `vertebrae/1` objects that hold S1 and name their `image`; without"
        " it sacrum.json of --input_dir is used, if there is one.",
    )
    flags.DEFINE_list(
        "series", ["t2", "t2_SPACE"], "Series to use, the preferred first; one scan per patient."
    )
    flags.DEFINE_string(
        "key_file",
        None,
        "Key of the pseudonyms, made on first use; OUTPUT_DIR.key by default.",
    )
    dataclass_flags.define(settings.Settings)


def main(argv: list[str]) -> int:
    """Runs the conversion; returns the exit status."""
    del argv
    cli.check_exist("input_dir", "sacrum")
    from data_prep import convert_spider_lib, dataset_lib, deidentify

    values = flags.FLAGS
    chosen = dataclass_flags.make(settings.Settings)
    inputs = convert_spider_lib.Inputs(values.input_dir, values.sacrum, tuple(values.series))
    key_file = deidentify.choose_key_file(values.key_file, values.output_dir)
    key = deidentify.load_or_make_key(key_file, keep=not chosen.dry_run)
    plan = convert_spider_lib.plan(inputs, key)
    report = dataset_lib.convert(
        plan.requests,
        convert_spider_lib.load,
        chosen,
        values.output_dir,
        source="spider",
        key=key,
        rejections=plan.rejections,
        not_needed=plan.not_needed,
    )
    print(report)
    if not chosen.dry_run:
        print(deidentify.keep_message(key_file))
    return report.exit_status


if __name__ == "__main__":
    cli.run(define_flags, main)
