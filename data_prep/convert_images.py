"""Converts images that are not DICOM series to records: plain 2-D images, and volumes.

    spine-tf convert-images --images_csv=images.csv --image_dir=images --output_dir=data
    spine-tf convert-images --images_csv=images.csv --image_dir=images --kinds=slice
        --image_rows=224 --image_columns=288 --output_dir=data
    spine-tf convert-images --layout=brats --input_dir=brats --output_dir=data
    spine-tf convert-images --layout=spider --input_dir=spider --folds=3 --output_dir=data
    spine-tf convert-images --layout=volumes --input_dir=ct --channels=ct --label_names=labels.json
        --window_hu=-200,300 --spacing_mm=4 --resample=isotropic
        --views=axial,coronal,sagittal --output_dir=data

Layout `images`, the default: 2-D images, such as radiographs or ultrasound. The table says whose
image it is and what it shows, one row per image:

    image     path of a PNG, TIFF, JPEG or single-frame DICOM file, relative to --image_dir
    subject   who, or which examination, it is of
    label     what it shows: a view, a landmark, a class; may be empty
    days      when: a whole number of days since any fixed date; only pairs need it
    family    optional; subjects of one family never stand on two sides of a split

Of --kinds=image_pairs, images of one subject and label at several times are one record, from which
pairs are made. An image is converted to grey, normalised so that the median of what is not 0 is
0.5, and fitted whole into the size of a record, which is an eighth larger than the network's input.
Of --kinds=slice each image is a record with its class, its grey values as they are, fitted into
--image_rows x --image_columns.

Other layouts: volumes (NIfTI, MHA, NRRD) with label maps; each slice is a record.

    brats     files CASE_t1, CASE_t1ce, CASE_t2, CASE_flair, CASE_seg; the four are channels
    spider    SPIDER's images/ and masks/; vertebra, canal and disc
    volumes   files that end in --channels and --label_ending; --label_names names the labels

Records hold pseudonyms. KEEP THE KEY (--key_file, or else OUTPUT_DIR.key), and do not share it:
with it later images of the same subjects get the same pseudonyms.
"""

import dataclasses

from absl import flags

from data_prep import settings
from spine_tf import cli, dataclass_flags, header_facts

_SKIP_IMAGES = ("disc_pairs",)
_SHARED = tuple(field.name for field in dataclasses.fields(settings.Settings))
_SKIP_VOLUMES = ("disc_pairs", "crop_scale", "labels", "channels")
_INPUT_OF_IMAGES = ("images_csv", "image_dir")
_INPUT_OF_VOLUMES = ("input_dir", "label_ending", "label_names", "series", "cases_csv")


def define_flags() -> None:
    """Defines the flags of this script."""
    layouts = (settings.IMAGES, settings.BRATS, settings.SPIDER, settings.VOLUMES)
    flags.DEFINE_enum("layout", settings.IMAGES, layouts, "What the input is; see above.")
    flags.DEFINE_string("images_csv", None, "Table of 2-D images; see above.")
    flags.DEFINE_string("image_dir", None, "Folder that the table's paths are relative to.")
    flags.DEFINE_string("input_dir", None, "Folder of volumes.")
    flags.DEFINE_string(
        "label_ending", "seg", "Ending of the names of label maps; empty: there are none."
    )
    flags.DEFINE_string(
        "label_names",
        None,
        'JSON of names of labels: {"1": "liver", "5-9,12": "rib"} or {"labels": {"liver": 1}};'
        " brats and spider have their own.",
    )
    flags.DEFINE_list(
        "series", ["t2", "t2_SPACE"], "SPIDER's series to use, the preferred first; one a patient."
    )
    flags.DEFINE_string(
        "cases_csv",
        None,
        "Table of whose a case is: case,subject and optional family,days; without it each case is"
        " another subject.",
    )
    flags.DEFINE_string("output_dir", None, "Folder of the data set; made if missing.")
    cli.required("output_dir")
    flags.DEFINE_string(
        "key_file",
        None,
        "Key of the pseudonyms, made on first use; OUTPUT_DIR.key by default.",
    )
    dataclass_flags.define(settings.ImageSettings, _SKIP_IMAGES)
    dataclass_flags.define(settings.VolumeSettings, (*_SHARED, "labels"))


def main(argv: list[str]) -> int:
    """Runs the conversion; returns the exit status."""
    del argv
    from data_prep import deidentify

    values = flags.FLAGS
    is_of_images = values.layout == settings.IMAGES
    _check_flags(is_of_images)
    key_file = deidentify.choose_key_file(values.key_file, values.output_dir)
    report = (_convert_images if is_of_images else _convert_volumes)(key_file)
    print(report)
    if not values.dry_run:
        print(deidentify.keep_message(key_file))
    return report.exit_status


def _check_flags(is_of_images: bool) -> None:
    """Refuses flags of the other layouts, and missing ones."""
    values = flags.FLAGS
    own = {
        True: (*_INPUT_OF_IMAGES, *_names(settings.ImageSettings), "crop_scale"),
        False: (*_INPUT_OF_VOLUMES, *_names(settings.VolumeSettings)),
    }
    wrong = [name for name in own[not is_of_images] if name in values and values[name].present]
    if wrong:
        raise cli.UsageError(f"--{wrong[0]} is no flag of --layout={values.layout}")
    needed = _INPUT_OF_IMAGES if is_of_images else ("input_dir",)
    if values.layout == settings.VOLUMES:
        needed += ("channels", *(("label_names",) if values.label_ending else ()))
    missing = [f"--{name}" for name in needed if not values[name].value]
    if missing:
        raise cli.UsageError(f"{' and '.join(missing)} must be given.")


def _names(cls: type) -> list[str]:
    """The flags that a layout adds to what all converters have."""
    return [field.name for field in dataclasses.fields(cls) if field.name not in _SHARED]


def _convert_images(key_file: str):
    """Converts 2-D images; returns the report."""
    from data_prep import convert_images_lib, dataset_lib, deidentify, listed
    from spine_tf.data import crops

    values = flags.FLAGS
    chosen = dataclass_flags.make(settings.ImageSettings, _SKIP_IMAGES)
    if settings.PAIRS in chosen.kinds:
        try:
            crops.image_kind(chosen.image_rows, chosen.image_columns)
        except ValueError as error:
            raise cli.UsageError(str(error)) from error
    inputs = convert_images_lib.Inputs(
        values.images_csv,
        values.image_dir,
        header_facts.parse_names(chosen.header_facts),
        chosen.kinds,
        chosen.classes,
    )
    key = deidentify.load_or_make_key(key_file, keep=not chosen.dry_run)
    plan = convert_images_lib.plan(inputs, key)
    print("".join(f"{line}\n" for line in plan.lines), end="")
    has_slices = settings.SLICES in chosen.kinds
    protocols = listed.protocols_of_slices(plan.requests, chosen) if has_slices else {}
    return dataset_lib.convert(
        plan.requests,
        convert_images_lib.load,
        chosen,
        values.output_dir,
        source="images",
        key=key,
        encode=convert_images_lib.encode,
        rejections=plan.rejections,
        protocols=protocols,
    )


def _convert_volumes(key_file: str):
    """Converts volumes; returns the report."""
    from data_prep import convert_volumes_lib, dataset_lib, deidentify, label_names, listed

    values = flags.FLAGS
    labels = {settings.BRATS: label_names.BRATS, settings.SPIDER: label_names.SPIDER}
    labels = labels.get(values.layout, {})
    if values.label_names:
        labels = label_names.read(values.label_names)
    channels = values.channels or convert_volumes_lib.CHANNELS[values.layout]
    chosen = dataclass_flags.make(
        settings.VolumeSettings, _SKIP_VOLUMES, labels=labels, channels=channels
    )
    inputs = convert_volumes_lib.Inputs(
        values.layout,
        values.input_dir,
        channels,
        values.label_ending,
        tuple(values.series),
        values.cases_csv,
    )
    key = deidentify.load_or_make_key(key_file, keep=not chosen.dry_run)
    plan = convert_volumes_lib.plan(inputs, key)
    return dataset_lib.convert(
        plan.requests,
        convert_volumes_lib.load,
        chosen,
        values.output_dir,
        source=values.layout,
        key=key,
        encode=convert_volumes_lib.encode,
        rejections=plan.rejections,
        not_needed=plan.not_needed,
        protocols=listed.protocols_of_slices(plan.requests, chosen),
    )


if __name__ == "__main__":
    cli.run(define_flags, main)
