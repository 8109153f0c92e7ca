"""Writes a trained model as a SavedModel for TF Serving.

    spine-tf export --model_dir=model --export_dir=export

Each run adds a version: EXPORT_DIR/1, 2, ... The folder's path is printed. A version loads without
Keras and without this library, and holds no custom operation. Signatures of a grading model:

    serving_default  crops [n, 9, rows, columns] float32 in [0, 2]
    packed           the same crops, each as the bytes of its uint16 pixels
    embed            the same crops, to an embedding
    examples         examples [n] string, serialized `disc` records
    scan             volume [slices, rows, columns] uint16, affine [4, 4] float64 (index to LPS mm),
                     corners_mm [vertebrae, 4, 3] float64, levels [vertebrae] string

A model of the longitudinal task has serving_default alone. In assets.extra: model.json says what
the model is, model_card.json and model_card.md also how good it is, tf_serving_warmup_requests what
a server runs first. A model that `spine-tf calibrate` calibrated can call a grade uncertain.
batching.config and models.config for TF Serving are written beside the versions, once. See
docs/serving.md.
"""

import sys

from absl import flags

from export import export_settings
from spine_tf import cli, dataclass_flags


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("model_dir", None, "Model folder, the --model_dir of spine-tf train.")
    flags.DEFINE_string("export_dir", None, "Folder of the numbered versions; made if missing.")
    cli.required("model_dir", "export_dir")
    dataclass_flags.define(export_settings.Settings)


def main(argv: list[str]) -> None:
    """Runs the export."""
    del argv
    from export import export_lib

    values = flags.FLAGS
    chosen = dataclass_flags.make(export_settings.Settings)
    print(export_lib.export(values.model_dir, values.export_dir, chosen, _say))


def _say(note: str) -> None:
    print(f"note: {note}.", file=sys.stderr)


if __name__ == "__main__":
    cli.run(define_flags, main)
