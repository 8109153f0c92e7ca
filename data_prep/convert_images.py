"""Converts plain 2-D images, such as radiographs, to records.

    spine-tf convert-images --images_csv=images.csv --image_dir=images --output_dir=data

The table says whose image it is and when it was made, one row per image:

    image     path of a PNG, TIFF, JPEG or single-frame DICOM file, relative to --image_dir
    subject   who it is of
    days      when: a whole number of days since any fixed date
    label     what it shows: a view or a landmark; may be empty
    family    optional; subjects of one family never stand on two sides of a split

Images of one subject and label at several times are one record, from which pairs are made. An
image is converted to grey, normalised so that the median of what is not 0 is 0.5, and fitted whole
into the size of a record, which is an eighth larger than the network's input. Records hold
pseudonyms. KEEP THE KEY FILE: with it later images of the same subjects get the same pseudonyms. It
is in OUTPUT_DIR/local, which must not be shared.
"""

import os

from absl import flags

from data_prep import settings
from spine_tf import cli, header_facts

_SKIP = ("disc_pairs",)


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("images_csv", None, "Table of the images; see above.")
    flags.DEFINE_string("image_dir", None, "Folder that the table's paths are relative to.")
    flags.DEFINE_string("output_dir", None, "Folder of the data set; made if missing.")
    cli.required("images_csv", "image_dir", "output_dir")
    flags.DEFINE_string(
        "key_file",
        None,
        "Key of the pseudonyms, made on first use; OUTPUT_DIR/local/pseudonym.key by default.",
    )
    cli.define_dataclass_flags(settings.ImageSettings, _SKIP)


def main(argv: list[str]) -> int:
    """Runs the conversion; returns the exit status."""
    del argv
    from data_prep import convert_images_lib, dataset_lib, deidentify
    from spine_tf.data import crops

    values = flags.FLAGS
    chosen = cli.dataclass_from_flags(settings.ImageSettings, _SKIP)
    try:
        crops.image_kind(chosen.image_rows, chosen.image_columns)
    except ValueError as error:
        raise cli.UsageError(str(error)) from error
    inputs = convert_images_lib.Inputs(
        values.images_csv, values.image_dir, header_facts.parse_names(chosen.header_facts)
    )
    key_file = values.key_file or os.path.join(values.output_dir, deidentify.KEY_FILE)
    plan = convert_images_lib.plan(inputs, deidentify.load_or_make_key(key_file))
    print("".join(f"{line}\n" for line in plan.lines), end="")
    report = dataset_lib.convert(
        plan.requests,
        convert_images_lib.load,
        chosen,
        values.output_dir,
        source="images",
        encode=convert_images_lib.encode,
        rejections=plan.rejections,
    )
    print(report)
    print(f"Keep {key_file}, and do not share it: it is the key of the pseudonyms.")
    return report.exit_status


if __name__ == "__main__":
    cli.run(define_flags, main)
