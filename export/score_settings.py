"""Settings of `score`; no heavy import, so that --help answers at once."""

import dataclasses


def _option(default, text: str):
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class Settings:
    """How records are scored. Each field is a flag of `score`."""

    batch_size: int = _option(32, "Discs that the model sees at once.")
    num_processes: int = _option(1, "Worker processes.")

    def __post_init__(self):
        for name in ("batch_size", "num_processes"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)!r}.")
