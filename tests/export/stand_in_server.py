"""A stand-in for TF Serving over an export: PredictionService and the REST predict route.

It follows what TF Serving documents, with the graph that TF Serving would run, but it is not TF
Serving. Failures that were asked for come before answers.
"""

import base64
import collections
import concurrent.futures
import contextlib
import http.server
import json
import threading
import time

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from export import saved_model

NAME = "spine_grading"
VERSION = 1
LIMIT_BYTES = 16 * 2**20
_HTTP = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504}


class Refused(Exception):
    """What the server answers instead of outputs."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Model:
    """What both interfaces ask.

    Attributes:
        loaded: The export.
        failures: Codes to answer with first, such as "UNAVAILABLE"; "sleep" is a second.
        sizes: Items of every request that reached the model.
        versions: Version that every request asked for; None is any.
    """

    def __init__(self, export_dir):
        self.loaded = saved_model.load(export_dir)
        self.forget()

    def forget(self):
        """Forgets what was asked for and seen."""
        self.failures = collections.deque()
        self.sizes, self.versions = [], []

    def predict(self, name, version, signature, inputs):
        """Answers, or raises Refused."""
        if self.failures:
            code = self.failures.popleft()
            if code != "sleep":
                raise Refused(code, "as was asked for")
            time.sleep(1.0)
        self.versions.append(version)
        if name != NAME or version not in (None, VERSION):
            raise Refused("NOT_FOUND", f"Servable not found for request: {name}, {version}")
        if signature not in self.loaded.signatures:
            raise Refused("INVALID_ARGUMENT", f"Serving signature name: {signature!r} not found")
        self.sizes.append(max(len(value) for value in inputs.values()))
        try:
            return self.loaded.run(signature, **inputs)
        except saved_model.InputError as error:
            message = f"assertion failed: [{error}]\n\t [[{{{{node Assert}}}}]]"
            raise Refused("INVALID_ARGUMENT", message) from None


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model):
        self._model = model

    def Predict(self, request, context):  # noqa: N802, the protocol's name
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        try:
            found = self._model.predict(spec.name, version, spec.signature_name, inputs)
        except Refused as error:
            context.abort(getattr(grpc.StatusCode, error.code), str(error))
        answer = predict_pb2.PredictResponse()
        answer.model_spec.CopyFrom(spec)
        answer.model_spec.version.value = VERSION
        for name, value in found.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return answer


@contextlib.contextmanager
def serve_grpc(model):
    """Serves on a free port; yields host:port."""
    pool = concurrent.futures.ThreadPoolExecutor(2)
    options = [("grpc.max_receive_message_length", LIMIT_BYTES)]
    server = grpc.server(pool, options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Service(model), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()
        pool.shutdown()


@contextlib.contextmanager
def serve_rest(model):
    """Serves on a free port; yields host:port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802, the library's name
            content = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = _rest(model, self.path, json.loads(content))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):  # the client may have left
                self.wfile.write(body)

        def log_message(self, *_):
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _rest(model, path, content):
    """Answers /v1/models/NAME[/versions/N]:predict in the columnar form."""
    parts = path.removesuffix(":predict").split("/")
    version = int(parts[5]) if parts[4:5] == ["versions"] else None
    inputs = {name: _array(name, value) for name, value in content["inputs"].items()}
    try:
        found = model.predict(parts[3], version, content["signature_name"], inputs)
    except Refused as error:
        return _HTTP[error.code], {"error": str(error)}
    return 200, {"outputs": {name: _json(value) for name, value in found.items()}}


def _array(name, value):
    """TF Serving takes the type from the signature."""
    types = {"volume": np.uint16, "affine": np.float64, "corners_mm": np.float64}
    if name in types:
        return np.array(value, types[name])
    return np.array([base64.b64decode(item["b64"]) for item in value], object)


def _json(value):
    is_text = value.dtype.kind == "O"
    return [item.decode() for item in value] if is_text else value.tolist()
