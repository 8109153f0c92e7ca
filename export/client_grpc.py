"""PredictionService of TF Serving over gRPC: one attempt of one request."""

from collections.abc import Mapping

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from export import client_errors, client_settings, saved_model

_REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.DATA_LOSS,
}


class Transport:
    """A channel to one server."""

    def __init__(self, settings: client_settings.Settings):
        """Opens the channel; the server is first asked by `predict`."""
        self._settings = settings
        options = [
            ("grpc.max_send_message_length", settings.max_message_bytes),
            ("grpc.max_receive_message_length", settings.max_answer_bytes),
            ("grpc.enable_retries", 0),  # `client_errors.with_retries` does it
        ]
        if settings.use_tls:
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.secure_channel(settings.address, credentials, options)
        else:
            self._channel = grpc.insecure_channel(settings.address, options)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    @staticmethod
    def item_bytes(item: bytes) -> int:
        """Returns the size of a text in a message."""
        return len(item)

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], version: int | None
    ) -> tuple[dict[str, np.ndarray], int | None]:
        """Asks once.

        Args:
            signature: Name of the signature.
            inputs: Name -> array.
            version: Version to ask; None is the server's choice.

        Returns:
            Outputs, and the version that answered.

        Raises:
            client_errors.UnavailableError: If there is no server, or it is not ready.
            client_errors.LateError: If the deadline has passed.
            client_errors.RefusedError: If the server refuses the request.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._settings.model
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        self._settings.check_size(request.ByteSize())
        try:
            answer = self._stub.Predict(request, timeout=self._settings.deadline_seconds)
        except grpc.RpcError as error:
            raise _translated(error, self._settings) from None
        outputs = {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}
        return outputs, answer.model_spec.version.value or None

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()


def _translated(error: grpc.RpcError, settings: client_settings.Settings) -> Exception:
    code, details = error.code(), error.details() or ""
    if code == grpc.StatusCode.UNAVAILABLE:
        return client_errors.UnavailableError(f"it is not available ({details}).")
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return client_errors.LateError(f"no answer within {settings.deadline_seconds:g} s.")
    if code in _REFUSALS:
        return client_errors.RefusedError(f"{settings.where}: {saved_model.reason(details)}")
    return client_errors.UnreachableError(f"{settings.where}: {code.name}: {details}")
