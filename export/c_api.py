"""A SavedModel run through TensorFlow's C API: the loader of TF Serving, none of its Python.

`ctypes` over the libraries inside the installed tensorflow wheel. This file imports NumPy alone, so
that a process of it holds no Python graph code; `c_api_process` gives it a process of its own.
"""

import ctypes
import functools
import importlib.util
import os
from collections.abc import Mapping, Sequence

import numpy as np

_LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")
_TAG = b"serve"
_STRING = 7
_STRING_BYTES = 24  # of one TF_TString
# TF_DataType of NumPy's types that signatures have.
_TYPES = {
    1: np.float32,
    2: np.float64,
    3: np.int32,
    4: np.uint8,
    9: np.int64,
    10: np.bool_,
    17: np.uint16,
    19: np.float16,
}
_CODES = {np.dtype(kind): code for code, kind in _TYPES.items()}
_CODE_NAMES = {
    **dict(enumerate(("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED"))),
    **{5: "NOT_FOUND", 8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 11: "OUT_OF_RANGE"},
    **{12: "UNIMPLEMENTED", 13: "INTERNAL", 14: "UNAVAILABLE", 15: "DATA_LOSS"},
}


class Error(Exception):
    """What the C library refused.

    Attributes:
        code: Name of its TF_Code, such as INVALID_ARGUMENT.
    """

    def __init__(self, code: str, message: str):
        super().__init__(code, message)
        self.code = code

    def __str__(self) -> str:
        return f"{self.code}: {self.args[1]}"


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


_Pointer, _Int, _Size, _Text = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p
_Outputs, _Pointers = ctypes.POINTER(_Output), ctypes.POINTER(ctypes.c_void_p)
_Shape = ctypes.POINTER(ctypes.c_int64)
_SESSION_RUN = (
    *(_Pointer, _Pointer, _Outputs, _Pointers, _Int, _Outputs, _Pointers, _Int),
    *(_Pointers, _Int, _Pointer, _Pointer),
)
# Name -> (type of the result, types of the arguments), from c_api.h, tf_tensor.h and tf_tstring.h.
_FUNCTIONS = {
    "TF_Version": (_Text, ()),
    "TF_NewStatus": (_Pointer, ()),
    "TF_DeleteStatus": (None, (_Pointer,)),
    "TF_GetCode": (_Int, (_Pointer,)),
    "TF_Message": (_Text, (_Pointer,)),
    "TF_NewGraph": (_Pointer, ()),
    "TF_DeleteGraph": (None, (_Pointer,)),
    "TF_GraphOperationByName": (_Pointer, (_Pointer, _Text)),
    "TF_NewSessionOptions": (_Pointer, ()),
    "TF_DeleteSessionOptions": (None, (_Pointer,)),
    "TF_LoadSessionFromSavedModel": (
        _Pointer,
        (_Pointer, _Pointer, _Text, ctypes.POINTER(_Text), _Int, _Pointer, _Pointer, _Pointer),
    ),
    "TF_SessionRun": (None, _SESSION_RUN),
    "TF_CloseSession": (None, (_Pointer, _Pointer)),
    "TF_DeleteSession": (None, (_Pointer, _Pointer)),
    "TF_AllocateTensor": (_Pointer, (_Int, _Shape, _Int, _Size)),
    "TF_DeleteTensor": (None, (_Pointer,)),
    "TF_TensorType": (_Int, (_Pointer,)),
    "TF_NumDims": (_Int, (_Pointer,)),
    "TF_Dim": (ctypes.c_int64, (_Pointer, _Int)),
    "TF_TensorByteSize": (_Size, (_Pointer,)),
    "TF_TensorData": (_Pointer, (_Pointer,)),
    "TF_StringInit": (None, (_Pointer,)),
    "TF_StringCopy": (None, (_Pointer, _Text, _Size)),
    "TF_StringGetDataPointer": (_Pointer, (_Pointer,)),
    "TF_StringGetSize": (_Size, (_Pointer,)),
    "TF_StringDealloc": (None, (_Pointer,)),
}


@functools.cache
def library() -> ctypes.CDLL:
    """Returns TensorFlow's C library with its functions typed, without importing TensorFlow.

    Raises:
        ImportError: If tensorflow is not installed or its wheel has no such library or function.
    """
    found = importlib.util.find_spec("tensorflow")
    folders = list(found.submodule_search_locations or ()) if found else []
    paths = [os.path.join(folder, name) for folder in folders for name in _LIBRARIES]
    present = [path for path in paths if os.path.exists(path)]
    if not present:
        raise ImportError(f"tensorflow must be installed with one of {', '.join(_LIBRARIES)}.")
    handle = ctypes.CDLL(present[0], mode=ctypes.RTLD_GLOBAL)  # brings the other one
    for name, (result, arguments) in _FUNCTIONS.items():
        try:
            function = getattr(handle, name)
        except AttributeError as error:
            raise ImportError(f"{present[0]}: has no function {name} ({error}).") from None
        function.restype, function.argtypes = result, arguments
    return handle


class Session:
    """One loaded SavedModel. Not for several threads at once."""

    def __init__(self, path: str):
        """Loads the graph that is tagged "serve", and its weights.

        Args:
            path: Folder of the version.

        Raises:
            Error: If the library cannot load it.
        """
        self._library = library()
        self._graph = self._library.TF_NewGraph()
        options = self._library.TF_NewSessionOptions()
        tags = (ctypes.c_char_p * 1)(_TAG)
        try:
            self._session = self._call(
                self._library.TF_LoadSessionFromSavedModel,
                *(options, None, os.fsencode(path), tags, 1, self._graph, None),
            )
        except Error:
            self._library.TF_DeleteGraph(self._graph)
            raise
        finally:
            self._library.TF_DeleteSessionOptions(options)

    @property
    def version(self) -> str:
        """Version of the C library."""
        return self._library.TF_Version().decode()

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """Runs the graph.

        Args:
            inputs: Name of a tensor, such as "serving_default_crops:0", -> array; of objects for
                bytes.
            outputs: Names of tensors.

        Returns:
            The outputs, in the order of their names.

        Raises:
            Error: If the graph refuses the inputs, or has no such tensor.
            TypeError: If an array has a type that no signature has.
        """
        made, results = [], (ctypes.c_void_p * len(outputs))()
        try:
            for value in inputs.values():
                made.append(self._to_tensor(np.asarray(value)))
            self._call(
                *(self._library.TF_SessionRun, self._session, None),
                *(self._places(inputs), (ctypes.c_void_p * len(made))(*made), len(made)),
                *(self._places(outputs), results, len(outputs), None, 0, None),
            )
            return [self._to_array(tensor) for tensor in results]
        finally:
            for tensor in (*made, *results):
                if tensor:
                    self._library.TF_DeleteTensor(tensor)

    def close(self) -> None:
        """Frees the session and its graph."""
        self._call(self._library.TF_CloseSession, self._session)
        self._call(self._library.TF_DeleteSession, self._session)
        self._library.TF_DeleteGraph(self._graph)

    def _call(self, function, *arguments):
        """Calls a function whose last argument is a status."""
        status = self._library.TF_NewStatus()
        try:
            result = function(*arguments, status)
            code = self._library.TF_GetCode(status)
            if code:
                message = self._library.TF_Message(status).decode(errors="replace")
                raise Error(_CODE_NAMES.get(code, str(code)), message)
            return result
        finally:
            self._library.TF_DeleteStatus(status)

    def _places(self, names):
        """The outputs of operations that tensors are called after."""
        found = []
        for name in names:
            operation, _, index = name.partition(":")
            pointer = self._library.TF_GraphOperationByName(self._graph, operation.encode())
            if not pointer:
                raise Error("NOT_FOUND", f"the graph has no operation {operation!r}.")
            found.append(_Output(pointer, int(index or 0)))
        return (_Output * len(found))(*found)

    # === Tensors ===

    def _to_tensor(self, value: np.ndarray) -> int:
        is_text = value.dtype.kind in "OS"
        if not is_text and value.dtype not in _CODES:
            raise TypeError(f"an input must be of a type among {list(_CODES)}, got {value.dtype}.")
        code = _STRING if is_text else _CODES[value.dtype]
        size = _STRING_BYTES * value.size if is_text else value.nbytes
        shape = (ctypes.c_int64 * value.ndim)(*value.shape)
        tensor = self._library.TF_AllocateTensor(code, shape, value.ndim, size)
        data = self._library.TF_TensorData(tensor)
        if is_text:
            for place, text in zip(_places_of_text(data, value.size), value.flat, strict=True):
                self._library.TF_StringInit(place)
                self._library.TF_StringCopy(place, bytes(text), len(text))
        elif size:
            ctypes.memmove(data, np.ascontiguousarray(value).ctypes.data, size)
        return tensor

    def _to_array(self, tensor: int | None) -> np.ndarray:
        if not tensor:
            raise Error("INTERNAL", "an output was not made.")
        count = self._library.TF_NumDims(tensor)
        shape = [self._library.TF_Dim(tensor, i) for i in range(count)]
        code = self._library.TF_TensorType(tensor)
        data = self._library.TF_TensorData(tensor)
        if code == _STRING:
            size = int(np.prod(shape))
            texts = [self._to_bytes(place) for place in _places_of_text(data, size)]
            return np.array(texts, object).reshape(shape)
        if code not in _TYPES:
            raise TypeError(f"an output must be of a type among {list(_CODES)}, got {code}.")
        content = ctypes.string_at(data, self._library.TF_TensorByteSize(tensor)) if data else b""
        return np.frombuffer(content, _TYPES[code]).reshape(shape).copy()

    def _to_bytes(self, place: int) -> bytes:
        size = self._library.TF_StringGetSize(place)
        return ctypes.string_at(self._library.TF_StringGetDataPointer(place), size)


def _places_of_text(data: int, count: int) -> list[int]:
    return [data + _STRING_BYTES * number for number in range(count)]
