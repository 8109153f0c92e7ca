"""What a rule of the gate is, and what it is judged on."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from export import check_model_served, check_model_settings, check_model_trained, warmup


class NotRunError(Exception):
    """A rule cannot be judged, because another one does not hold, which says what to do."""


class Verdict(NamedTuple):
    """Whether a rule is kept, and what was measured; ready for JSON."""

    passed: bool
    measured: Any


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is judged.

    Attributes:
        version: Folder of the version.
        info: Content of its model.json.
        served: The version behind the C API; None if it cannot be loaded.
        trained: The training side.
        requests: Its warmup requests.
        data_dir: Data set for the accuracy; empty is none.
        settings: Limits.
    """

    version: str
    info: Mapping[str, Any]
    served: check_model_served.Served | None
    trained: check_model_trained.Trained
    requests: Sequence[warmup.Request]
    data_dir: str
    settings: check_model_settings.Settings

    @property
    def loaded(self) -> check_model_served.Served:
        """The version behind the C API.

        Raises:
            ValueError: If it cannot be loaded.
        """
        if self.served is None:
            raise ValueError("the version cannot be loaded")
        return self.served

    def inputs_of(self, signature: str) -> Mapping[str, Any]:
        """Returns the largest warmup request of a signature.

        Raises:
            NotRunError: If there is none, which the rule `warmup` says.
        """
        found = [one.inputs for one in self.requests if one.signature == signature]
        if not found:
            of = f" of the signature {signature}" if self.requests else ""
            raise NotRunError(f"no warmup request{of}")
        return max(found, key=lambda inputs: max(len(value) for value in inputs.values()))

    @property
    def crops(self) -> Any:
        """Crops [n, slices, rows, columns] float32 of the largest request of serving_default."""
        return self.inputs_of("serving_default")["crops"]


@dataclasses.dataclass(frozen=True)
class Rule:
    """One thing that must hold.

    Attributes:
        name: Short name.
        wanted: What must hold; {fields} are those of the settings.
        remedy: What a person does if it does not.
        judge: Measures it. An exception means that it does not hold; `NotRunError` that it was not
            judged.
        needs_served: Whether it asks the loaded version.
    """

    name: str
    wanted: str
    remedy: str
    judge: Callable[[Subject], Verdict]
    needs_served: bool = True


@dataclasses.dataclass(frozen=True)
class Check:
    """A rule that was judged.

    Attributes:
        name: Its name.
        passed: Whether it holds.
        measured: What was found.
        wanted: What must hold.
        remedy: What to do if it does not; "" if it was not run.
        was_run: Whether it was judged; if not it has not passed, and `measured` says why.
    """

    name: str
    passed: bool
    measured: Any
    wanted: str
    remedy: str
    was_run: bool = True

    def __str__(self) -> str:
        if self.passed:
            return f"ok      {self.name}: {_short(self.measured)}"
        if not self.was_run:
            return f"not run {self.name}: {self.measured}"
        return (
            f"FAILED  {self.name}: wanted {self.wanted}; got {_short(self.measured)}. {self.remedy}"
        )


def _short(measured: Any) -> str:
    if isinstance(measured, Mapping | list) and not measured:
        return "none"
    if isinstance(measured, Mapping):
        return ", ".join(f"{name} {_short(value)}" for name, value in measured.items())
    if isinstance(measured, list):
        return "; ".join(map(_short, measured))
    return f"{measured:.4g}" if isinstance(measured, float) else str(measured)
