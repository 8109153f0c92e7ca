"""Packs a trained vertebra detector as one small file, with its model card beside it.

    spine-tf pack-detector --model_dir=detector --output_file=detector.npz

The file holds the weights as float16 and goes wherever --detector is asked for. With
--output_file=spine_tf/detection/weights/detector.npz it becomes the detector of the package, which
--detector=builtin takes. The card, OUTPUT_FILE with the ending .json, says what the detector was
trained on and under which licence, how, and what was measured.
"""

from absl import flags

from spine_tf import cli


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("model_dir", None, "Model folder of `train --task=detection`.")
    flags.DEFINE_string("output_file", None, "The file, NAME.npz.")
    cli.required("model_dir", "output_file")
    flags.DEFINE_enum(
        "status", "preliminary", ["preliminary", "final"], "What the card says it is."
    )
    flags.DEFINE_multi_string("command", [], "A command that made the model; may be repeated.")
    flags.DEFINE_multi_string("note", [], "What a reader of the card should know; may be repeated.")
    flags.DEFINE_string(
        "results", None, "JSON of measured numbers for the card, such as detection_folds.json."
    )


def main(argv: list[str]) -> None:
    """Packs the detector and prints where it is."""
    del argv
    from spine_tf import pack_detector_lib

    values = flags.FLAGS
    said = pack_detector_lib.Said(values.status, values.command, values.note, values.results)
    card = pack_detector_lib.pack(values.model_dir, values.output_file, said)
    print(
        f"{values.output_file}: {card['bytes']} bytes, {card['status']}; its card lies beside it."
    )


if __name__ == "__main__":
    cli.run(define_flags, main)
