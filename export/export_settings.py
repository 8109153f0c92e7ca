"""Settings of `export`; no heavy import, so that --help answers at once."""

import dataclasses
import re

_INTENDED_USE = (
    "Research on lumbar spine MRI: grades of intervertebral discs on sagittal T2-weighted scans of"
    " adults. Not a medical device; grades are to be read by a person who can see the images."
)


def _option(default, text: str):
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a model is exported. Each field is a flag of `export`."""

    name: str = _option("spine_grading", "Name of the model on a server.")
    data_dir: str = _option(
        "",
        "Data set whose crops become the warmup requests; they then travel with the model, without"
        " keys. Empty: crops of a phantom.",
    )
    evaluation: str = _option(
        "",
        "evaluation.json of `spine-tf evaluate` for the model card. Empty:"
        " MODEL_DIR/evaluation/evaluation.json, where there is one.",
    )
    intended_use: str = _option(_INTENDED_USE, "What the model card says the model is for.")
    licence: str = _option(
        "Apache-2.0 for the code; weights: ask whoever trained them",
        "What the model card says of the licence.",
    )

    def __post_init__(self):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", self.name):
            raise ValueError(
                "`name` must begin with a letter and hold letters, digits, '_', '.' and '-' only,"
                f" got {self.name!r}."
            )
