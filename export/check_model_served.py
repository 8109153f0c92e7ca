"""A version as a server sees it: its signatures, asked through the C API."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.core.protobuf import saved_model_pb2

from export import c_api, c_api_process

_GRAPH = "saved_model.pb"
_INTERNAL = "__saved_model_init_op"


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or output of a signature.

    Attributes:
        tensor: Its name in the graph.
        type: TensorFlow's number of its type; 0 is none.
        shape: Sizes, None where any; or None if the rank is not known.
    """

    tensor: str
    type: int
    shape: tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature.

    Attributes:
        inputs: Name -> tensor.
        outputs: Name -> tensor.
    """

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


def read_signatures(version: str) -> dict[str, Signature]:
    """Returns name -> signature of the graph on disk.

    Raises:
        FileNotFoundError: If there is no graph.
        ValueError: If it cannot be read.
    """
    path = os.path.join(version, _GRAPH)
    with open(path, "rb") as file:
        content = file.read()
    try:
        graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]
    except Exception as error:  # protobuf's own class differs between its versions
        raise ValueError(f"{path}: cannot be read as a SavedModel ({error}).") from None
    return {
        name: Signature(_tensors(found.inputs), _tensors(found.outputs))
        for name, found in graph.signature_def.items()
        if name != _INTERNAL
    }


def _tensors(found) -> dict[str, Tensor]:
    return {name: Tensor(info.name, info.dtype, _shape(info)) for name, info in found.items()}


def _shape(info) -> tuple[int | None, ...] | None:
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(None if d.size < 0 else d.size for d in info.tensor_shape.dim)


class Served:
    """One version behind the C API.

    Attributes:
        signatures: Name -> signature.
        facts: See `c_api_process.Process`.
    """

    def __init__(self, version: str, timeout_seconds: float):
        """Loads it; raises what `read_signatures` and `c_api_process.Process` raise."""
        self.signatures = read_signatures(version)
        self._process = c_api_process.Process(version, timeout_seconds)
        self.facts: dict[str, Any] = self._process.facts

    def ask(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Runs a signature.

        Raises:
            c_api.Error: If the graph refuses the inputs, or has no such signature or input.
            c_api_process.CrashError: If the process ends or takes too long.
        """
        return self.ask_timed(signature, **inputs)[0]

    def ask_timed(
        self, signature: str, **inputs: np.ndarray
    ) -> tuple[dict[str, np.ndarray], float]:
        """The same, and the seconds that the library took."""
        found = self.signatures.get(signature)
        if found is None or set(found.inputs) != set(inputs):
            taken = sorted(found.inputs) if found else "no such signature"
            raise c_api.Error("NOT_FOUND", f"{signature} takes {taken}, got {sorted(inputs)}")
        fed = {found.inputs[name].tensor: value for name, value in inputs.items()}
        names = list(found.outputs)
        values, seconds = self._process.run(fed, [found.outputs[name].tensor for name in names])
        return dict(zip(names, values, strict=True)), seconds

    def close(self) -> None:
        """Ends the process."""
        self._process.close()
