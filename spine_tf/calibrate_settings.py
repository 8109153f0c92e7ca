"""Settings of a calibration. No TensorFlow here: they are flags of `calibrate`."""

import dataclasses

from spine_tf import flag_field


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a model is calibrated. Each field is a flag of `calibrate`."""

    error_rate: float = flag_field.option(
        0.1, "Largest share of wrong grades among the discs that are not called uncertain."
    )
    batch_size: int = flag_field.option(32, "Discs per step.")
    seed: int = flag_field.option(
        0, "Seed of the choice of training discs that travel with the model."
    )

    def __post_init__(self):
        if not 0 <= self.error_rate < 1:
            raise ValueError(f"`error_rate` must be in [0, 1), got {self.error_rate!r}.")
        if self.batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1, got {self.batch_size!r}.")
