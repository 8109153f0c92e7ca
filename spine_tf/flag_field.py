"""The field of a dataclass whose fields are flags. Imports nothing heavy."""

import dataclasses
from typing import Any

DRY_RUN = "Say what would be done, and write nothing."  # help of every --dry_run


def option(default: Any, text: str, **metadata: Any) -> Any:
    """Returns a dataclass field that `dataclass_flags.define` makes a flag of.

    Args:
        default: Its default.
        text: What --help says.
        **metadata: `choices`, the values that are allowed, or what else the flag's maker reads.
    """
    return dataclasses.field(default=default, metadata={"help": text, **metadata})
