"""Self-supervised learning and grading of lumbar spine MRI.

Importing this package does not import TensorFlow. The names below are loaded when first asked for:

    import spine_tf

    data = spine_tf.open_data("data")
    task = spine_tf.tasks.make("grading")
    spine_tf.train_model(
        spine_tf.Request(
            task=task,
            model_config=spine_tf.PRESETS["tiny"],
            train_config=spine_tf.TrainConfig(epochs=5),
            data=data,
            protocol=task.protocol,
            model_dir="model",
        )
    )
    folder = spine_tf.load_model("model")
"""

import importlib
from typing import Any

__version__ = "0.1.0.dev0"

# Public name -> where it is; "module:name", or a module. Modules are imported when first asked for.
_PLAIN = {
    "Annotation": "vertebrae:Annotation",
    "DiscLevel": "levels:DiscLevel",
    "ModelConfig": "config:ModelConfig",
    "PRESETS": "config:PRESETS",
    "TrainConfig": "config:TrainConfig",
    "Vertebra": "vertebrae:Vertebra",
    "VertebraLevel": "levels:VertebraLevel",
    "Volume": "volume:Volume",
    "config": "config",
    "geometry": "geometry",
    "gradings": "gradings",
    "levels": "levels",
    "vertebrae": "vertebrae",
}
_NEEDS_TENSORFLOW = {
    "Request": "training.loop:Request",  # what train_model takes
    "Task": "tasks.task:Task",
    "evaluate_model": "evaluation.run:evaluate",
    "load_model": "training.model_folder:load",
    "open_data": "data.records:open_folder",
    "train_model": "training.loop:train",
    "data": "data",
    "evaluation": "evaluation",
    "losses": "losses",
    "metrics": "metrics",
    "models": "models",
    "serving": "serving",
    "tasks": "tasks",
    "training": "training",
}

__all__ = ["__version__", *_PLAIN, *_NEEDS_TENSORFLOW]


def __getattr__(name: str) -> Any:
    if name in _NEEDS_TENSORFLOW:
        check_stack()
    elif name not in _PLAIN:
        raise AttributeError(f"module 'spine_tf' has no attribute {name!r}")
    owner, _, attribute = (_PLAIN | _NEEDS_TENSORFLOW)[name].partition(":")
    module = importlib.import_module(f"spine_tf.{owner}")
    return getattr(module, attribute) if attribute else module


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def check_stack() -> None:
    """Checks that the installed TensorFlow and Keras are one of the two supported stacks.

    Raises:
        ImportError: If they are not; the message says what to install.
    """
    versions = {name: _installed_version(name) for name in ("tensorflow", "keras")}
    if not is_supported(**versions):
        found = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
        raise ImportError(
            "spine_tf needs TensorFlow 2.16 or newer with Keras 3 (pip install spine-tf), or"
            " TensorFlow 2.15 with Keras 2.15 (pip install 'spine-tf[addons]', Python 3.10 or"
            f" 3.11), got {found}."
        )


def is_supported(tensorflow: str, keras: str) -> bool:
    """Says whether two versions belong together; "" stands for missing."""
    if not tensorflow or not keras:
        return False
    number = tuple(int(part) for part in tensorflow.split(".")[:2])
    keras_major = int(keras.split(".")[0])
    return keras_major == 2 if number == (2, 15) else number > (2, 15) and keras_major == 3


def _installed_version(name: str) -> str:
    try:
        return getattr(importlib.import_module(name), "__version__", "")
    except ModuleNotFoundError:
        return ""
