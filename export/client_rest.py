"""The predict route of TF Serving over HTTP: one attempt of one request."""

import base64
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import numpy as np

from export import client_errors, client_settings, saved_model

_REFUSALS = range(400, 500)
_NOT_READY = (502, 503)
_LATE = (408, 504)


class Transport:
    """One server; a connection per request."""

    def __init__(self, settings: client_settings.Settings):
        """Remembers where it is; the server is first asked by `predict`."""
        self._settings = settings
        scheme = "https" if settings.use_tls else "http"
        self._base = f"{scheme}://{settings.address}/v1/models/{settings.model}"

    @staticmethod
    def item_bytes(item: bytes) -> int:
        """Returns the size of a text in a message: base64."""
        return 4 * -(-len(item) // 3)

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], version: int | None
    ) -> tuple[dict[str, np.ndarray], int | None]:
        """Asks once; see `client_grpc.Transport.predict`. HTTP does not say which version answered.

        Numbers come back as float32 and int64, because JSON has no types.
        """
        part = "" if version is None else f"/versions/{version}"
        content = {
            "signature_name": signature,
            "inputs": {name: _to_json(np.asarray(value)) for name, value in inputs.items()},
        }
        body = json.dumps(content).encode()
        self._settings.check_size(len(body))
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._base}{part}:predict", body, headers)
        return _outputs(self._ask(request), self._settings), version

    def close(self) -> None:
        """Nothing is kept open."""

    def _ask(self, request: urllib.request.Request) -> bytes:
        deadline_seconds = self._settings.deadline_seconds
        late = client_errors.LateError(f"no answer within {deadline_seconds:g} s.")
        try:
            with urllib.request.urlopen(request, timeout=deadline_seconds) as answer:
                content = answer.read(self._settings.max_answer_bytes + 1)
        except urllib.error.HTTPError as error:
            raise _translated(error, late, self._settings) from None
        except TimeoutError:
            raise late from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError | socket.timeout):
                raise late from None
            raise client_errors.UnavailableError(f"it is not available ({error.reason}).") from None
        except OSError as error:  # the connection broke while it was read
            raise client_errors.UnavailableError(f"it is not available ({error}).") from None
        if len(content) > self._settings.max_answer_bytes:
            raise client_errors.UnreachableError(
                f"{self._settings.where}: the answer is larger than `max_answer_mb`,"
                f" {self._settings.max_answer_mb:g}. Raise it."
            )
        return content


def _translated(
    error: urllib.error.HTTPError, late: Exception, settings: client_settings.Settings
) -> Exception:
    with error:
        content = error.read()
    try:
        details = str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        details = f"HTTP status {error.code}"
    if error.code in _NOT_READY:
        return client_errors.UnavailableError(f"it is not available ({details}).")
    if error.code in _LATE:
        return late
    if error.code in _REFUSALS:
        return client_errors.RefusedError(f"{settings.where}: {saved_model.reason(details)}")
    return client_errors.UnreachableError(f"{settings.where}: {details}")


def _to_json(value: np.ndarray) -> Any:
    if value.dtype.kind not in "OS":
        return value.tolist()
    return [{"b64": base64.b64encode(text).decode()} for text in value.tolist()]


def _outputs(content: bytes, settings: client_settings.Settings) -> dict[str, np.ndarray]:
    try:
        found = json.loads(content)["outputs"]
        return {name: _from_json(value) for name, value in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise client_errors.UnreachableError(
            f"{settings.where}: the answer is not that of a model server ({error}). Is the address"
            " the one of its REST interface?"
        ) from None


def _from_json(value: Any) -> np.ndarray:
    found = np.array(value)
    if found.dtype.kind == "U":
        return np.array([text.encode() for text in found.flat], object).reshape(found.shape)
    return found.astype(np.float32) if found.dtype.kind == "f" else found
