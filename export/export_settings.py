"""Settings of `export`; no heavy import, so that --help answers at once."""

import dataclasses
import re

from spine_tf import flag_field

_INTENDED_USE = (
    "Research on lumbar spine MRI: grades of intervertebral discs on sagittal T2-weighted scans of"
    " adults. Not a medical device; grades are to be read by a person who can see the images."
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a model is exported. Each field is a flag of `export`."""

    name: str = flag_field.option("spine_grading", "Name of the model on a server.")
    data_dir: str = flag_field.option(
        "",
        "Data set whose crops become the warmup requests; they then travel with the model, without"
        " keys. Empty: crops of a phantom.",
    )
    evaluation: str = flag_field.option(
        "",
        "evaluation.json of `spine-tf evaluate` for the model card. Empty:"
        " MODEL_DIR/evaluation/evaluation.json, where there is one.",
    )
    intended_use: str = flag_field.option(
        _INTENDED_USE, "What the model card says the model is for."
    )
    licence: str = flag_field.option(
        "Apache-2.0 for the code; weights: ask whoever trained them",
        "What the model card says of the licence.",
    )

    def __post_init__(self):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", self.name):
            raise ValueError(
                "`name` must begin with a letter and hold letters, digits, '_', '.' and '-' only,"
                f" got {self.name!r}."
            )
