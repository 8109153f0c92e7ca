"""Settings of `check-model`; no heavy import, so that --help answers at once."""

import dataclasses


def _option(default, text: str):
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a version may cost. Each field is a flag of `check-model`."""

    max_latency_ms: float = _option(
        5000.0, "Most that the median request of one disc, and of one scan, may take."
    )
    max_size_mb: float = _option(1000.0, "Largest size of the version's folder.")
    repeats: int = _option(5, "Requests of a kind whose time is taken.")
    batch_size: int = _option(16, "Records per request when accuracy is measured.")
    timeout_seconds: float = _option(300.0, "Longest wait for an answer of the C library.")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(
                    f"`{field.name}` must be above 0, got {getattr(self, field.name)!r}."
                )
