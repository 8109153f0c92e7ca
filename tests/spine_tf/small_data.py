"""A tiny data set on disk, made without scans: crops that carry identity, level and grade."""

import collections
import json
import os

import numpy as np

from spine_tf import files, gradings, levels
from spine_tf.data import crops, records, schema, slice_schema, splits

GRADINGS = ("disc_degeneration", "disc_bulging")


def make(
    folder,
    num_visits=(2, 2, 2, 3, 2, 2, 1, 1, 1, 1),
    *,
    num_folds=0,
    seed=0,
    vertebra_names=("L1", "L4"),
    disc_names=("L1-L2", "L4-L5"),
    family_of=None,
    disc_pairs=False,
    slices=False,
    train_percents=(),
):
    """Writes a data set at crop scale 0.5, one subject per number of visits; returns its path.

    `family_of` is the family of each subject, by default its own. `slices` adds a 2-D image with a
    label map of 1 and 2 per visit.
    """
    folder = str(folder)
    os.makedirs(folder)
    rng = np.random.default_rng(seed)
    found = {schema.VERTEBRA_PAIRS: [], schema.DISC: []}
    found |= {schema.DISC_PAIRS: []} if disc_pairs else {}
    found |= {schema.SLICE: []} if slices else {}
    for subject, count in enumerate(num_visits):
        identity = {
            "subject": f"s{subject:02d}",
            "family": f"f{(family_of or range(99))[subject]:02d}",
        }
        for kind, names in (
            (schema.VERTEBRA_PAIRS, vertebra_names),
            (schema.DISC_PAIRS, disc_names),
        ):
            if kind in found:
                found[kind] += [_visits(rng, identity, kind, name, count) for name in names]
        for visit in range(count):
            if slices:
                found[schema.SLICE].append(_slice(rng, identity, visit))
            for name in disc_names:
                found[schema.DISC].append(_disc(rng, identity, name, visit))
    kinds = {kind: _write(folder, kind, examples) for kind, examples in found.items()}
    visits = [
        (row["family"], row["subject"], visit)
        for row in kinds[schema.VERTEBRA_PAIRS]["rows"]
        for visit in row["visit"]
    ]
    families = splits.families_of(visits)
    made = splits.make_splits(families, seed=seed, num_folds=num_folds)
    if slices:
        made["protocols"][splits.SUBJECTS] = splits.by_subject(
            families, seed=seed, held_out_fraction=0.2
        )
    num_subjects = collections.Counter(family for family, _ in {visit[:2] for visit in visits})
    made["protocols"] |= splits.parts(
        made["protocols"], num_subjects, seed=seed, percents=train_percents
    )
    files.write_json(os.path.join(folder, records.SPLITS), made)
    manifest = {
        "schema_version": schema.SCHEMA_VERSION,
        "source": "test",
        "settings": {"crop_scale": 0.5},
        "kinds": {kind: {"files": part["files"]} for kind, part in kinds.items()},
        "splits_sha256": files.sha256(os.path.join(folder, records.SPLITS)),
    }
    files.write_json(os.path.join(folder, records.MANIFEST), manifest)
    return folder


def add_protocol(folder, name):
    """Adds a protocol that is the grading one under another name."""
    splits_path, manifest_path = (
        os.path.join(folder, file) for file in (records.SPLITS, records.MANIFEST)
    )
    with open(splits_path, encoding="utf-8") as file:
        content = json.load(file)
    content["protocols"][name] = content["protocols"]["grading"]
    files.write_json(splits_path, content)
    with open(manifest_path, encoding="utf-8") as file:
        manifest = json.load(file)
    files.write_json(manifest_path, manifest | {"splits_sha256": files.sha256(splits_path)})


def crop(kind, image, **fields):
    """A `schema.Crop` of `kind` around an image, valid everywhere."""
    shape = schema.CROP_KINDS[kind].stored_shape(0.5)
    defaults = {
        "subject": "s00",
        "family": "f00",
        "scan": "scan",
        "visit": 0,
        "days": 0,
        "field_strength_t": 1.0,
        "level": "L1" if kind == schema.VERTEBRA_PAIRS else "L1-L2",
        "slice_is_valid": np.ones(shape[0], bool),
        "pixel_is_valid": np.ones(shape[1:], bool),
        "spacing_mm": np.array([4.0, 0.6, 0.9]),
        "slice_pitch_mm": 4.0,
        "width_mm": 35.0,
        "angle_deg": 3.0,
        "median": 250.0,
        "corners_mm": np.array([[0, 0, 8], [0, 35, 8], [0, 35, 0], [0, 0, 0]], float),
    }
    return schema.Crop(image=np.clip(image, 0, 2), **(defaults | fields))


def _slice(rng, identity, visit):
    """A noisy image of 48x40 pixels with two bright squares, labels 1 and 2."""
    labels = np.zeros((48, 40), np.uint8)
    for label, corner in enumerate(rng.integers(4, 28, (2, 2)), 1):
        labels[corner[0] : corner[0] + 8, corner[1] : corner[1] + 8] = label
    image = np.clip(labels[..., None] + rng.normal(1, 0.2, (48, 40, 1)), 0.01, 4)
    one = slice_schema.Slice(
        **identity,
        scan=f"{identity['subject']}v{visit}",
        visit=visit,
        days=400 * visit,
        image=image,
        low=np.zeros(1),
        high=np.full(1, 4.0),
        mean=image.mean((0, 1)),
        std=image.std((0, 1)),
        background=np.zeros(1),
        inside=(0, 0, 48, 40),
        spacing_mm=np.ones(3),
        label="ab"[visit % 2],
        label_map=labels,
    )
    return slice_schema.encode(one)


def _visits(rng, identity, kind, name, count):
    """All visits of one body or disc: its own coarse pattern, plus noise of each visit."""
    slices, rows, columns = schema.CROP_KINDS[kind].stored_shape(0.5)
    pattern = np.kron(rng.uniform(0.3, 0.7, (8, 8)), np.ones((rows // 8, columns // 8)))
    pattern[: rows // 2] *= 1 + 0.05 * levels.VertebraLevel(name.split("-")[0]).order
    examples = []
    for visit in range(count):
        image = pattern + rng.normal(0, 0.05, (slices, 1, 1)) + rng.normal(0, 0.02, (rows, columns))
        fields = identity | {
            "level": name,
            "visit": visit,
            "scan": f"{identity['subject']}-{visit}",
            "days": 3500 * visit,
            "field_strength_t": 1.5 if visit else 1.0,
        }
        examples.append(schema.encode(kind, crop(kind, image, **fields)))
    return schema.merge_visits(examples)


def _disc(rng, identity, name, visit):
    """A disc whose signal falls with its grade."""
    shape = crops.DISC.stored_shape(0.5)
    grade = int(rng.integers(1, 5))
    image = np.full(shape, 0.5) + rng.normal(0, 0.05, shape)
    middle = (slice(None), slice(40, 56), slice(52, 108))
    image[middle] = 1.2 - 0.25 * grade + rng.normal(0, 0.08) + rng.normal(0, 0.05, (15, 16, 56))
    fields = identity | {
        "level": name,
        "visit": visit,
        "scan": f"{identity['subject']}-{visit}",
        "days": 3500 * visit,
        "field_strength_t": 1.5 if visit else 1.0,
        "grades": {"disc_degeneration": grade, "disc_bulging": int(grade > 2)},
    }
    return schema.encode(schema.DISC, crop(schema.DISC, image, **fields))


def _write(folder, kind, examples, num_shards=2):
    examples = sorted(examples, key=lambda e: e.features.feature["key"].bytes_list.value[0])
    described, rows = [], []
    for shard in range(num_shards):
        name = records.shard_name(kind, shard, num_shards)
        mine = examples[shard::num_shards]
        path = os.path.join(folder, name)
        spans = records.write_shard(path, [example.SerializeToString() for example in mine])
        described.append({"name": name, "size": os.path.getsize(path)})
        for example, (offset, length) in zip(mine, spans, strict=True):
            rows.append(schema.facts(example) | {"file": name, "offset": offset, "length": length})
    with open(os.path.join(folder, records.index_name(kind)), "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return {"files": described, "rows": rows}


def num_classes(name):
    """Number of classes of a grading."""
    return gradings.GRADINGS[name].num_classes
