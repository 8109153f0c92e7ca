"""What `benchmarks.serving` compares: ways to grade crops, each in a process of its own."""

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

from spine_tf import config

GRADINGS = ("pfirrmann", "disc_narrowing")
_Contender = tuple[Callable[[], Any], dict]


# === What is measured on ===


def make_export(
    work_dir: str, preset: str, precision: str = "float32", record_scale: float = 0
) -> tuple[str, str]:
    """Writes a model folder with first weights and an export of it.

    Args:
        work_dir: Where they go.
        preset: Size of the network.
        precision: "float32" or "mixed_bfloat16": what the layers compute in.
        record_scale: Crop scale of the records it takes; 0 is that of its network.

    Returns:
        The model folder and the export folder.
    """
    from export import export_lib
    from spine_tf import gradings
    from spine_tf.data import crops, records
    from spine_tf.tasks.downstream import grading
    from spine_tf.training import model_folder
    from spine_tf.training import precision as precisions

    model_config, task = config.preset(preset), grading.Grading(GRADINGS)
    counts = {name: [1] * gradings.from_name(name).num_classes for name in GRADINGS}
    scale = record_scale or model_config.crop_scale
    folder = model_folder.ModelFolder(
        path=os.path.join(work_dir, f"{preset}-{precision}"),
        task=task,
        model_config=model_config,
        train_config=config.TrainConfig(precision=precision),
        statistics=records.Statistics(counts, {}, [0.3] * crops.STORED_SLICES),
        protocol=task.protocol,
        data={"crop_scale": scale, "source": "none", "manifest_sha256": "", "splits_sha256": ""},
        versions=model_folder.library_versions(),
        request={},
    )
    model_folder.save_config(folder)
    export_dir = f"{folder.path}-export"
    with precisions.policy(precision):
        folder.build().save_weights(os.path.join(folder.path, model_folder.WEIGHTS))
        export_lib.export(folder.path, export_dir)
    return folder.path, export_dir


def repeat_records(data_dir: str, work_dir: str, num_discs: int) -> str:
    """Writes a data set whose index names the same records again and again.

    Reading is then from the system's cache, as it is for the bare loop.

    Returns:
        Its folder.
    """
    from spine_tf.data import records, schema

    folder = os.path.join(work_dir, "records")
    os.makedirs(folder)
    for name in os.listdir(data_dir):
        if name.endswith(".tfrecord"):
            os.symlink(os.path.abspath(os.path.join(data_dir, name)), os.path.join(folder, name))
    for name in (records.MANIFEST, records.SPLITS):
        shutil.copy(os.path.join(data_dir, name), folder)
    rows = records.open_folder(data_dir).index(schema.DISC).rows
    with open(os.path.join(folder, records.index_name(schema.DISC)), "w") as file:
        for number in range(num_discs):
            file.write(json.dumps(rows[number % len(rows)]) + "\n")
    return folder


# === Contenders: see `contender.Contender` ===


def make_saved(export_dir: str, batch_size: int) -> _Contender:
    """The bare SavedModel, `serving_default`, on a batch in memory."""
    import tensorflow as tf

    from export import saved_model

    loaded = saved_model.load(export_dir)
    crops = tf.constant(_random_crops(loaded.info["crop"]["shape"], batch_size))
    run = loaded.signatures["serving_default"]
    return lambda: _fetch(run(crops=crops)), {}


def make_compiled(model_dir: str, batch_size: int) -> _Contender:
    """The Keras model, compiled, and its softmax, on a batch in memory."""
    import tensorflow as tf

    from spine_tf.training import model_folder
    from spine_tf.training import precision as precisions

    folder = model_folder.load(model_dir)
    with precisions.policy(folder.train_config.precision):
        model = folder.load_model()
    shape = folder.task.encoder_shape(folder.model_config)
    crops = tf.constant(_random_crops(shape, batch_size))

    @tf.function
    def predict(batch):
        found = model({"crop": batch[..., None]}, training=False)
        return {name: tf.nn.softmax(tf.cast(value, tf.float32)) for name, value in found.items()}

    parameters = sum(int(tf.size(weight)) for weight in model.trainable_weights)
    return lambda: _fetch(predict(crops)), {"parameters": parameters}


def make_loop(export_dir: str, data_dir: str, batch_size: int, num_batches: int) -> _Contender:
    """The bare SavedModel in a loop over crops of records that are in memory.

    It takes float32 crops, as a caller has them who has read and reduced them before.
    """
    import numpy as np
    import tensorflow as tf

    from export import saved_model
    from spine_tf.data import records, schema
    from spine_tf.evaluation import inference

    loaded = saved_model.load(export_dir)
    index = records.open_folder(data_dir).index(schema.DISC)
    count = min(len(index), batch_size * num_batches)
    items = np.stack([np.arange(count), np.zeros(count, int)], 1)
    options = {"crop_scale": loaded.info["crop"]["scale"], "batch_size": batch_size}
    crops = inference.map_crops(index, items, lambda batch: {"crop": batch["crop"]}, **options)
    found = np.resize(crops["crop"], (batch_size * num_batches, *crops["crop"].shape[1:]))
    batches = [tf.constant(part) for part in np.split(found, num_batches)]
    run = loaded.signatures["serving_default"]

    def loop() -> None:
        for batch in batches:
            _fetch(run(crops=batch))

    return loop, {"discs": batch_size * num_batches}


def make_scan(export_dir: str) -> _Contender:
    """One request of the signature `scan`, of a phantom's discs."""
    from export import saved_model, warmup
    from spine_tf.phantom import cohort

    loaded = saved_model.load(export_dir)
    scan = warmup.scan_inputs(*cohort.make_sagittal_t2(cohort.CohortConfig(1), 0, 0))
    discs = len(loaded.run("scan", **scan)["disc"])
    facts = {"discs": discs, "voxels": list(scan["volume"].shape)}
    return lambda: loaded.run("scan", **scan), facts


def _random_crops(shape: Any, batch_size: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).uniform(0, 1, (batch_size, *shape)).astype(np.float32)


def _fetch(outputs: Any) -> None:
    for value in outputs.values():
        value.numpy()
