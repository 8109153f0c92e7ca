"""Settings of `score`; no heavy import, so that --help answers at once."""

import dataclasses

from spine_tf import flag_field


@dataclasses.dataclass(frozen=True)
class Settings:
    """How discs are scored. Each field is a flag of `score`."""

    batch_size: int = flag_field.option(32, "Discs that the model sees at once.")
    num_processes: int = flag_field.option(
        0,
        "Worker processes; 0 is as many as the work is worth: of scans one per core, of records one"
        " for four cores, with a thread for each.",
    )

    dry_run: bool = flag_field.option(False, flag_field.DRY_RUN)

    def __post_init__(self):
        for name, least in (("batch_size", 1), ("num_processes", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}, got {getattr(self, name)!r}.")
