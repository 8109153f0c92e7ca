"""Settings of `check-model`; no heavy import, so that --help answers at once."""

import dataclasses

from spine_tf import flag_field


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a version may cost. Each field is a flag of `check-model`."""

    max_latency_ms: float = flag_field.option(
        5000.0, "Most that the median request of one disc, and of one scan, may take."
    )
    max_size_mb: float = flag_field.option(1000.0, "Largest size of the version's folder.")
    repeats: int = flag_field.option(5, "Requests of a kind whose time is taken.")
    batch_size: int = flag_field.option(16, "Records per request when accuracy is measured.")
    timeout_seconds: float = flag_field.option(
        300.0, "Longest wait for an answer of the C library."
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(
                    f"`{field.name}` must be above 0, got {getattr(self, field.name)!r}."
                )
