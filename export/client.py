"""A client of a served grading model, over gRPC or REST.

    from export import client, client_settings

    with client.Client(client_settings.Settings("server:8500")) as grader:
        grades = grader.grade_crops(crops)

Crops travel as uint16, half of float32; batches are split so that every message stays below
`max_message_mb`. A request is sent again, after a wait that doubles, if the server is unavailable
or late, and for no other reason. docs/client.md has more.
"""

import functools
import types
from collections.abc import Mapping, Sequence

import numpy as np

from export import client_batches, client_errors, client_settings
from spine_tf.data import crops as crop_rules
from spine_tf.data import schema

_INSTALL = "tensorflow-serving-api must be installed for gRPC: pip install 'spine-tf[serving]'."
_TOLERANCE = 1e-3  # the same as in the graph

Answer = dict[str, np.ndarray]


class Client:
    """Asks one model on one server. May be shared by threads.

    What its methods raise:
        client_errors.UnreachableError: If no server answers in time, after all attempts.
        client_errors.RefusedError: If the model or the server refuses the request.
        ValueError: If the request is wrong or too large before it is sent.
    """

    def __init__(self, settings: client_settings.Settings):
        """Makes a client; the server is first asked when something is graded.

        Raises:
            ImportError: If tensorflow-serving-api is not installed, for gRPC.
        """
        self._settings = settings
        self._transport = _transport(settings)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def grade_crops(self, crops: np.ndarray) -> Answer:
        """Grades crops.

        Args:
            crops: [n, slices, rows, columns] in [0, 2], as `serving_default` takes them.

        Returns:
            What the signature `packed` gives, see `spine_tf.serving`: of all crops, in their order.
        """
        crops = np.asarray(crops, np.float32)
        if crops.ndim != 4:
            raise ValueError(
                f"`crops` must be [n, slices, rows, columns], got shape {crops.shape}."
            )
        if crops.size and not (
            crops.min() >= -_TOLERANCE and crops.max() <= crop_rules.MAX_INTENSITY + _TOLERANCE
        ):
            raise ValueError(
                "`crops` must lie in [0, 2], with a median of 0.5 inside the vertebral bodies, got"
                f" {crops.min()} to {crops.max()}."
            )
        inside = np.clip(crops, 0, crop_rules.MAX_INTENSITY)  # uint16 has no other
        return self._in_parts("packed", "crops", [schema.encode_pixels(one) for one in inside])

    def grade_records(self, serialized: Sequence[bytes]) -> Answer:
        """Grades `disc` records.

        Args:
            serialized: Serialized tf.train.Example, at the crop scale of the training data.

        Returns:
            What the signature `examples` gives, of all records, in their order.
        """
        return self._in_parts("examples", "examples", serialized)

    def grade_scan(
        self,
        volume: np.ndarray,
        affine: np.ndarray,
        corners_mm: np.ndarray,
        levels: Sequence[str],
    ) -> Answer:
        """Grades the discs of an annotated scan, in one request.

        Args:
            volume: [slices, rows, columns] uint16, canonical sagittal.
            affine: [4, 4] index to DICOM patient mm (LPS).
            corners_mm: [vertebrae, 4, 3] LPS, `vertebrae.CORNER_ORDER`.
            levels: [vertebrae] published names.

        Returns:
            What the signature `scan` gives.
        """
        inputs: dict[str, np.ndarray] = {
            "volume": np.asarray(volume, np.uint16),
            "affine": np.asarray(affine, np.float64),
            "corners_mm": np.asarray(corners_mm, np.float64),
            "levels": np.array([name.encode() for name in levels], object),
        }
        return self._ask("scan", inputs, self._settings.version)[0]

    def _in_parts(self, signature: str, name: str, items: Sequence[bytes]) -> Answer:
        """Asks for all items; later parts ask the version that answered the first one."""
        sizes = [self._transport.item_bytes(item) for item in items]
        settings, version, found = self._settings, self._settings.version, []
        for part in client_batches.split(
            sizes, settings.max_message_bytes, settings.max_batch_size
        ):
            inputs = {name: np.array(items[part], object)}
            answer, version = self._ask(signature, inputs, version)
            found.append(answer)
        return client_batches.join(found)

    def _ask(
        self, signature: str, inputs: Mapping[str, np.ndarray], version: int | None
    ) -> tuple[Answer, int | None]:
        settings = self._settings
        attempt = functools.partial(self._transport.predict, signature, inputs, version)
        return client_errors.with_retries(
            attempt, settings.where, settings.attempts, settings.backoff_seconds
        )


def _transport(settings: client_settings.Settings):
    if settings.transport == client_settings.REST:
        from export import client_rest

        return client_rest.Transport(settings)
    try:
        from export import client_grpc
    except ImportError as error:
        raise ImportError(f"{_INSTALL} ({error})") from error
    return client_grpc.Transport(settings)
