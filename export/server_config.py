"""Settings of TF Serving that lie beside the versions: batching.config and models.config.

Both are protocol buffers in text form: BatchingParameters and ModelServerConfig. They are written
once; what a person changes in them stays.
"""

import os

from spine_tf import files

BATCHING, MODELS = "batching.config", "models.config"

# A batch of 32 crops of the full network is 29 MB. A disc takes tens of ms on a CPU, so waiting
# 5 ms for others costs little.
_BATCHING_TEXT = """\
max_batch_size { value: 32 }
batch_timeout_micros { value: 5000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 2 }
"""

_MODELS_TEXT = """\
model_config_list {
  config {
    name: "%(name)s"
    base_path: "/models/%(name)s"
    model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 1 } }
  }
}
"""


def write(export_dir: str, name: str) -> None:
    """Writes what is missing of both files.

    Args:
        export_dir: Folder of the versions; a server sees it as /models/NAME.
        name: Name of the model on the server.
    """
    texts = {BATCHING: _BATCHING_TEXT, MODELS: _MODELS_TEXT % {"name": name}}
    for file_name, text in texts.items():
        path = os.path.join(export_dir, file_name)
        if not os.path.exists(path):
            with files.atomic_write(path) as file:
                file.write(text)
