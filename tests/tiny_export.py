"""A generated study, a data set of it and an untrained model, for tests of serving and export."""

import dataclasses
import json
import os

import numpy as np
import tensorflow as tf
from scipy import special

from data_prep import convert_dicom_lib, dataset_lib, dicom_writer, settings
from spine_tf import (
    calibrated,
    config,
    files,
    gradings,
    levels,
    reference,
    serving,
    vertebrae,
    volume,
)
from spine_tf.data import crops, records
from spine_tf.tasks.downstream import grading
from spine_tf.tasks.pretext import longitudinal
from spine_tf.training import model_folder

MODEL = config.ModelConfig(crop_scale=0.5, width=1 / 32, fc6=16, fc7=8, conv4_padding=1)
GRADED = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
NAMES = [level.value for level in levels.LUMBAR_VERTEBRAE]


def make_annotation(series_uid="1.2.3.4", names=NAMES):
    """Bodies of 36 x 26 mm, 36 mm apart, on a gently curved and slightly tilted column."""
    found = []
    for name in names:
        i = NAMES.index(name)
        angle = np.radians(6 * (i - 3))
        back = np.array([0.02, np.cos(angle), np.sin(angle)])
        foot = np.array([0.03, np.sin(angle), -np.cos(angle)])
        centre = np.array([1.5 - 0.8 * i, 4.0 * abs(i - 3), -36.0 * (i - 3)])
        corners_mm = [centre + 18 * b * back + 13 * f * foot for b, f in _CORNERS]
        found.append(vertebrae.Vertebra(levels.VertebraLevel(name), np.array(corners_mm)))
    return vertebrae.Annotation(tuple(found), series_instance_uid=series_uid)


_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def make_volume(seed=0):
    """Smooth noise around a brighter column, [11, 230, 110] at 5 x 1.25 x 1.1 mm."""
    rng = np.random.default_rng(seed)
    shape = (11, 230, 110)
    coarse = rng.uniform(100, 900, (shape[0], shape[1] // 5, shape[2] // 5))
    array = np.repeat(np.repeat(coarse, 5, 1), 5, 2).astype(np.uint16)
    affine = np.diag([5.0, -1.25, 1.1, 1.0])
    affine = affine[:, [0, 2, 1, 3]]  # rows run along z, columns along y
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = (5.0, 0, 0), (0, 0, -1.25), (0, 1.1, 0)
    affine[:3, 3] = (-25.0, -55.0, 143.0)
    return volume.Volume.from_array(array, affine)


def write_study(folder, seed=0, echo_time_ms=100.0, series_uid="1.2.3.4"):
    """Writes a study with one sagittal series, vertebrae.json and gradings.csv into `folder`."""
    scan = make_volume(seed)
    header = dicom_writer.SeriesHeader(
        patient_id="Somebody^Known",
        study_instance_uid="1.2.3",
        series_instance_uid=series_uid,
        frame_of_reference_uid="1.2.3.5",
        study_date="20200131",
        series_number=3,
        series_description="sag <T2>",
        repetition_time_ms=3000.0,
        echo_time_ms=echo_time_ms,
        inversion_time_ms=None,
        field_strength_t=1.5,
        slice_thickness_mm=4.0,
    )
    dicom_writer.write_series(os.path.join(folder, "T2"), scan.as_uint16(), scan.affine, header)
    with open(os.path.join(folder, "vertebrae.json"), "w", encoding="utf-8") as file:
        json.dump(vertebrae.to_json(make_annotation(series_uid)), file)
    with open(os.path.join(folder, "gradings.csv"), "w", encoding="utf-8") as file:
        file.write("study_instance_uid,disc,grading,value\n")
        file.writelines(f"1.2.3,{disc},pfirrmann,{i + 1}\n" for i, disc in enumerate(GRADED))
    return folder


def write_data(study_dir, output_dir, crop_scale=0.5, num_shards=2):
    """Converts a study that `write_study` wrote."""
    chosen = settings.Settings(crop_scale=crop_scale, num_shards=num_shards)
    plan = convert_dicom_lib.plan(convert_dicom_lib.Inputs(study_dir), b"key")
    dataset_lib.convert(plan.requests, convert_dicom_lib.load, chosen, output_dir, source="dicom")
    return output_dir


def describe_model_folder(path, task=None, crop_scale=0.5, model=MODEL):
    """Returns a model folder that is not written."""
    task = task or grading.Grading(("pfirrmann", "spondylolisthesis"))
    return model_folder.ModelFolder(
        path=str(path),
        task=task,
        model_config=model,
        train_config=config.TrainConfig(),
        statistics=records.Statistics(
            class_counts={"pfirrmann": [1] * 5, "spondylolisthesis": [3, 2], "level": [1] * 7},
            graded_levels={"pfirrmann": GRADED, "spondylolisthesis": ("L4-L5",)},
            slice_means=[0.3] * crops.STORED_SLICES,
        ),
        protocol=task.protocol,
        data={
            "manifest_sha256": "a" * 64,
            "splits_sha256": "b" * 64,
            "source": "test",
            "crop_scale": crop_scale,
        },
        versions=model_folder.library_versions(),
        request={},
    )


def make_model_folder(path, task=None, crop_scale=0.5, model=MODEL):
    """Writes a model folder with random weights that tell crops apart, and returns it."""
    folder = describe_model_folder(path, task, crop_scale, model)
    model_folder.save_config(folder)
    network = folder.build()
    rng = np.random.default_rng(5)
    for layer in _layers(network):
        if layer.name.endswith("fc8"):  # else all logits are near 0
            kernel, bias = layer.get_weights()
            layer.set_weights([rng.normal(0, 1, kernel.shape), rng.normal(0, 0.1, bias.shape)])
    network.save_weights(os.path.join(folder.path, model_folder.WEIGHTS))
    return folder


def calibrate(folder):
    """Calibrates a model folder by what its network says of made-up crops, without a data set.

    Half of the crops are certain, and the limit is twice the largest distance of them.
    """
    module = serving.make_module(folder.load_model(), folder)
    observed = {n: v.numpy() for n, v in module.observe(tf.constant(_made_crops())).items()}
    watched = observed["intensity"], observed["embedding"]
    known = reference.fit(*watched, validation=watched)
    known = dataclasses.replace(known, limit=np.float32(2 * known.limit))
    names, count = folder.task.gradings, len(watched[0])
    rows = {
        "features": known.features(*watched).numpy(),
        "level": reference.text_array(np.resize(GRADED, count)),
        "scanner": reference.text_array(np.resize(["1.5 T", "3 T"], count)),
    }
    for name in names:
        first = gradings.from_name(name).first_grade
        rows[f"grade_{name}"] = (first + observed[f"{name}_logits"].argmax(1)).astype(np.int32)
    content = {
        "weights_sha256": files.sha256(os.path.join(folder.path, model_folder.WEIGHTS)),
        "error_rate": 0.1,
        "discs": {"validation": count, "training": count},
        "gradings": {name: _calibrate_grading(observed[f"{name}_logits"]) for name in names},
    }
    calibrated.save(folder.path, content, known.with_rows(rows))
    return folder


def _calibrate_grading(logits):
    confidence = special.softmax(logits / 2.0, 1).max(1)
    answered = {"discs": 12, "coverage": 0.5, "error_rate": 0.1, "error_rate_upper": 0.2}
    return {
        "temperature": 2.0,
        "threshold": float(np.median(confidence)),
        "discs": len(logits),
        "nll": {"before": 1.2, "after": 1.0},
        "ece": {"before": 0.2, "after": 0.1},
        "answered": answered,
        "reason": "",
    }


def _made_crops():
    """[24, 9, rows, columns] in [0, 2], like the crops of `make_volume` in brightness."""
    rng = np.random.default_rng(11)
    rows, columns = (size // 2 for size in crops.DISC.network_shape(1.0)[1:])
    coarse = rng.uniform(0.1, 0.9, (24, 9, rows // 8, columns // 8))
    brightness = rng.uniform(0.6, 1.4, (24, 1, 1, 1))
    fine = np.repeat(np.repeat(coarse * brightness, 8, 2), 8, 3)
    return fine.astype(np.float32)


def make_longitudinal_folder(path):
    """Writes a model folder of the longitudinal task."""
    return make_model_folder(path, longitudinal.Longitudinal(margin_unit="distance"))


def _layers(model):
    for layer in model.layers:
        yield from _layers(layer) if hasattr(layer, "layers") else [layer]
