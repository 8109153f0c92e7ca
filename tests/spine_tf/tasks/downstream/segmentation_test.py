import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from spine_tf import config
from spine_tf.data import augmentation, records, slice_schema
from spine_tf.models import networks
from spine_tf.tasks.downstream import segmentation

UNET = config.ModelConfig(width=1 / 32, network=config.UNET)
INPUTS = augmentation.InputConfig(1.0, 1.0)


@pytest.fixture(autouse=True)
def _data_folder(monkeypatch):
    """Opens instead of the folder that records are of."""
    names = {"vertebra": [1], "canal": [100], "disc": [201]}
    manifest = {"source": "volumes", "settings": {"labels": names}}
    monkeypatch.setattr(records, "open_folder", lambda path: records.DataFolder("", manifest, {}))


def _index(maps, sizes=(20, 20)):
    rows = [
        {
            **{"rows": sizes[0], "columns": sizes[1], "label_pixels": m},
            **{"foreground_pixels": 5, "visit": [0]},
        }
        for m in maps
    ]
    return records.Index("", "slice", 1.0, tuple(rows), slice_schema.SliceKind(2))


def _made(**options):
    made = segmentation.Segmentation(**options)
    return made.configure(_index([{"1": 3, "201": 4}, {"100": 9}, None]))


def _example():
    """Label 100 in rows 5 to 9 of columns 5 to 9, label 1 in one pixel far away."""
    labels = np.zeros((20, 20), np.int32)
    labels[5:10, 5:10] = 100
    labels[18, 18] = 1
    return {
        "image": tf.ones([20, 20, 2]),
        "valid": tf.ones([20, 20], tf.bool),
        "foreground": tf.ones([20, 20], tf.bool),
        "label_map": tf.constant(labels),
        "mean": tf.zeros([2]),
        "std": tf.ones([2]),
    }


def test_classes_are_the_labels_of_the_records_in_order():
    made = _made()
    assert made.labels == (1, 100, 201)
    assert made.label_names == ("vertebra", "canal", "disc")
    np.testing.assert_array_equal(made.class_map(tf.constant([0, 201, 1, 100, 7])), [0, 3, 1, 2, 0])
    assert made.class_counts(_index([{"1": 3, "201": 4}, {"201": 9}])) == {"labels": [3, 0, 13]}
    assert made.region_labels == {"1": (1,), "100": (100,), "201": (201,)}


def test_slices_without_a_label_map_are_not_planned():
    plan = _made().plan(_index([None, {}, {"1": 2}]), 2, 0)
    assert sorted(plan[0, :, 0].tolist()) == [1, 2] and plan.shape == (1, 2, 2)


def test_half_the_middles_of_patches_are_on_labels_and_a_quarter_each_on_borders_and_anywhere():
    made, example = _made(patch_size=4), _example()
    rows, columns = np.mgrid[:20, :20].astype(np.float32)
    is_body = rows < 15
    example |= {"image": tf.stack([rows, columns], -1), "foreground": tf.constant(is_body)}
    preprocess = tf.function(lambda seed: made.preprocess(example, INPUTS, seed)["image"])
    seeds = tf.stack([tf.range(600), tf.fill([600], 5)], 1)
    images = tf.map_fn(preprocess, seeds, fn_output_signature=tf.float32).numpy()
    drawn = np.zeros((20, 20))
    np.add.at(drawn, tuple(images[:, 0, 2, 2].astype(int).T), 1 / 600)
    is_label = example["label_map"].numpy() > 0
    is_near = segmentation.near_border(made.class_map(example["label_map"])).numpy()
    places = ((0.5, is_label), (0.25, is_near), (0.25, is_body))
    expected = sum(share * place / place.sum() for share, place in places)
    for part in (is_label, is_near & ~is_label, is_body & ~is_near & ~is_label):
        assert drawn[part].sum() == pytest.approx(expected[part].sum(), abs=0.07)  # 3.4 sd or more
    assert not drawn[expected == 0].any()


def test_borders_are_where_a_window_shows_several_classes():
    rng = np.random.default_rng(0)
    classes = np.kron(rng.integers(0, 3, (4, 5)), np.ones((6, 7), int)).astype(np.int32)
    highest, lowest = (
        found(classes, 5, mode="nearest")
        for found in (ndimage.maximum_filter, ndimage.minimum_filter)
    )
    found = segmentation.near_border(tf.constant(classes)).numpy()
    np.testing.assert_array_equal(found, highest > lowest)
    assert 0.2 < found.mean() < 0.95
    assert not segmentation.near_border(tf.ones([3, 4], tf.int32)).numpy().any()


def test_an_augmented_label_map_goes_with_its_image():
    made = _made(augment=True)
    inputs = augmentation.InputConfig(1.0, 1.0, made.augment_ranges)
    example = _example()
    labels = tf.cast(example["label_map"], tf.float32)[..., None]
    example |= {"image": tf.concat([labels, labels], -1)}
    preprocess = tf.function(lambda seed: made.preprocess(example, inputs, seed))
    seen = set()
    for number in range(10):
        found = preprocess(tf.constant([number, 0]))
        is_label = found["classes"].numpy() == 2
        image = found["image"].numpy()[..., 0]
        # Well inside the square of 25 pixels the image is bright, far from it dark.
        assert np.median(image[is_label]) > 60 > np.abs(np.median(image[~is_label]))
        seen.add(tuple(np.argwhere(is_label[0])[0]))
    assert len(seen) > 3


def test_a_batch_goes_through_the_network_at_any_size():
    made = _made(patch_size=32)
    item = made.preprocess(_example(), INPUTS, tf.constant([0, 0]))
    batch = made.prepare_batch(
        {name: tf.stack([value, value]) for name, value in item.items()}, True, None
    )
    assert batch.inputs["image"].shape == (2, 32, 32, 2)
    shape = made.encoder_shape(UNET)
    model = made.build(networks.build_encoder(UNET, shape, slice_means=[], seed=0), UNET, 0)
    logits = model(batch.inputs)["labels"]
    assert logits.shape == (2, 32, 32, 4)
    assert made.losses(None)["labels"](batch.labels["labels"], logits).shape == (2,)
    assert model({"image": tf.zeros([1, 48, 16, 2])})["labels"].shape == (1, 48, 16, 4)
    (metric,) = made.metrics()["labels"]
    metric.update_state(batch.labels["labels"], logits)
    assert 0 <= float(metric.result()) <= 1


def test_regions_are_unions():
    made = _made(regions=("bone=1", "all=1+100+201"))
    assert made.region_labels == {"bone": (1,), "all": (1, 100, 201)}
    for texts in (("a",), ("a=",), ("a=1", "a=2"), ("=1",), ("a=0",), ("a=1+x",)):
        with pytest.raises(ValueError, match="`regions` must be of the form NAME=LABEL"):
            segmentation.Segmentation(regions=texts)
    with pytest.raises(ValueError, match=r"`regions` must be of the labels .* got \[5\]"):
        _made(regions=("a=5",))


@pytest.mark.parametrize(
    "source, maps, regions",
    [
        ("brats", [{"1": 3, "2": 9}, {"4": 1}], {"whole": (1, 2, 4), "core": (1, 4)}),
        ("brats", [{"1": 3, "4": 9}], {"1": (1,)}),  # no oedema to learn
        ("volumes", [{"1": 3, "2": 9, "4": 1}], {"1": (1,), "2": (2,)}),
    ],
)
def test_brats_has_its_regions(monkeypatch, source, maps, regions):
    folder = records.DataFolder("", {"source": source, "settings": {}}, {})
    monkeypatch.setattr(records, "open_folder", lambda path: folder)
    made = segmentation.Segmentation().configure(_index(maps))
    assert made.region_labels == regions | {"enhancing" if "core" in regions else "4": (4,)}
    given = segmentation.Segmentation(regions=("mine=4",)).configure(_index(maps))
    assert given.region_labels == {"mine": (4,)}


def test_labels_are_those_of_the_data_set():
    made = segmentation.Segmentation(labels=(201, 1)).configure(_index([{"1": 3}]))
    assert made.labels == (201, 1) and made.label_names == ("disc", "vertebra")  # none shows 201
    with pytest.raises(ValueError, match=r"`labels` must be .*201 \(disc\), got \[1, 200\]"):
        segmentation.Segmentation(labels=(1, 200)).configure(_index([{"1": 3}]))


def test_what_cannot_be():
    with pytest.raises(ValueError, match="`anatomy` must be slice, got 'disc'"):
        segmentation.Segmentation(anatomy="disc")
    with pytest.raises(ValueError, match="must hold label maps for segmentation, got none"):
        segmentation.Segmentation().configure(_index([None]))
    with pytest.raises(ValueError, match="`preset` must be a U-Net for segmentation"):
        _made().encoder_shape(config.preset("sononet-16"))
