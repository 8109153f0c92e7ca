"""The figures of Chen 2019: what is drawn, and the files."""

import pathlib
import re
import shutil

import keras
import numpy as np
import pytest
from matplotlib import patches as shapes

from benchmarks import restoration_figures
from benchmarks.figures import (
    disordering,
    patches,
    real_images,
    restoration_models,
    restoration_network,
    restored,
)
from spine_tf import cli, config
from spine_tf.data import records, swaps, tiles
from spine_tf.tasks.pretext import context_restoration
from spine_tf.training import journal, model_folder
from tests.spine_tf import tiny_runs, untrained

MAX_BYTES = 400_000
DOCS = pathlib.Path(__file__).parents[2] / "docs"
REAL_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def _plane(rows=90, columns=72):
    image = np.random.default_rng(0).random((rows, columns)).astype(np.float32)
    return real_images.Plane("noise", image, np.ones((rows, columns), bool))


@pytest.fixture(autouse=True)
def no_files(request, monkeypatch):
    """Figures of noise, but where the real images are meant."""
    if "real_data" not in request.keywords:
        monkeypatch.setattr(real_images, "brain", lambda data_dir, view: _plane())
        monkeypatch.setattr(real_images, "ct", lambda data_dir: _plane(60))
        monkeypatch.setattr(real_images, "ultrasound", lambda data_dir: _plane(64, 80))


def _images(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def _boxes(axes):
    """(row, column, rows, columns) of every rectangle."""
    found = [one for one in axes.patches if isinstance(one, shapes.Rectangle)]
    return [
        (box.get_y() + 0.5, box.get_x() + 0.5, box.get_height(), box.get_width()) for box in found
    ]


# === Fig. 1 ===


def test_tiles_and_region_are_where_the_pretexts_take_them():
    _, original, pair, nine, removed = patches.draw("", 3).axes
    image, valid, _ = real_images.batch(_plane())
    found = tiles.relative_positions(image, valid, np.array([[3, 0]], np.int32))
    expected = [(row, column, 20, 16) for _, row, column in found.corner.numpy()[0]]
    assert _boxes(pair) == expected  # cells of 30x24, a sixth of gap and one of jitter
    assert len(_boxes(nine)) == 9 and not _boxes(original)
    ((row, column, rows, columns),) = _boxes(removed)
    shown = np.asarray(removed.images[0].get_array())
    place = np.s_[int(row) : int(row + rows), int(column) : int(column + columns)]
    assert (rows, columns) == (45, 36) and not shown[place].any()
    assert np.count_nonzero(shown == 0) == 45 * 36


# === Fig. 2 ===


def test_disordering_is_shown_swap_after_swap():
    figure = disordering.draw("", 1)
    shown = _images(figure)
    assert len(shown) == 3 * 4
    plane = _plane()
    found = real_images.disordered(plane, 1)
    np.testing.assert_array_equal(shown[0], plane.image)
    np.testing.assert_array_equal(shown[3], found.image.numpy()[0, 0, ..., 0])
    once = swaps.replay(real_images.batch(plane)[0], found.swaps[:, :1]).numpy()[0, 0, ..., 0]
    np.testing.assert_array_equal(shown[1], once)
    first, second, size = found.swaps.numpy()[0, 0]
    boxes = _boxes(figure.axes[2])
    assert boxes == [(*corner[1:], *size[1:]) for corner in (first, second)]
    moved = np.s_[first[1] : first[1] + size[1], first[2] : first[2] + size[2]]
    come = np.s_[second[1] : second[1] + size[1], second[2] : second[2] + size[2]]
    np.testing.assert_array_equal(once[moved], plane.image[come])


# === Fig. 3 ===


@pytest.mark.parametrize(
    ("preset", "num_joins"), [("unet-16", 4), ("sononet-16", 0), ("sononet-6-16", 0)]
)
def test_every_layer_of_the_model_is_a_strip(preset, num_joins):
    shape = (32, 64, 2)
    network = restoration_models.restoration(preset, shape)
    made = context_restoration.ContextRestoration("slice", image_shape=(1, *shape))
    statistics = records.Statistics({}, {}, [])
    model = model_folder.build_model(made, config.preset(preset), statistics, 0)
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.MaxPooling2D)
    for part, drawn in (
        (model_folder.find_encoder(model), network.analysis),
        (model, network.reconstruction),
    ):
        found = {one.name: one for one in part.layers if isinstance(one, kinds)}
        assert [strip.name for strip in drawn] == list(found)
        for strip in drawn:
            layer = found[strip.name]
            assert strip.output == tuple(layer.output.shape[1:])
            is_up = isinstance(layer, keras.layers.Conv2DTranspose)
            is_down = isinstance(layer, keras.layers.MaxPooling2D)
            assert strip.kind == (
                "up-sampling" if is_up else "down-sampling" if is_down else "convolution"
            )
    assert len(network.joins) == num_joins
    for source, target in network.joins:
        assert network.analysis[source].output[0] == network.reconstruction[target].output[0]
    assert network.num_weights == model.count_params()


def test_the_network_is_drawn_with_its_sizes(monkeypatch):
    build = restoration_models.restoration
    monkeypatch.setattr(
        restoration_network.restoration_models,
        "restoration",
        lambda preset, shape: build(preset.replace("64", "16"), shape),
    )
    monkeypatch.setattr(real_images, "ct", lambda data_dir: _plane(100, 110))
    page = restoration_network.draw("", 0).axes[0]
    words = [text.get_text() for text in page.texts]
    assert "conv5_1  4×4×256" in words  # of U-Net at 64x64
    assert "conv5_1  14×18×128" in words  # of SonoNet at 224x288
    assert "output  64×64×3" in words and "output  224×288×1" in words
    assert words.count("analysis part") == words.count("reconstruction part") == 3
    assert [f"up{number}" in " ".join(words) for number in (4, 5, 6)] == [True, True, False]
    arcs = [p for p in page.patches if isinstance(p, shapes.FancyArrowPatch)]
    assert len(arcs) == 3 * 2 + 4


# === Fig. 4 ===


def test_tiles_are_put_where_the_answer_says():
    tiles_ = {0: np.ones((2, 3)), 5: np.full((2, 3), 4.0)}
    mosaic = restored.mosaic(tiles_, (2, 3))
    assert mosaic.shape == (2 + 2 + 2, 3 * 3 + 2 * 2)
    np.testing.assert_array_equal(mosaic[4:, 10:], 4.0)
    assert mosaic[:2, :3].min() == 1.0 and mosaic.sum() == 6 * 4 + (6 * 13 - 6)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Untrained models of some pretexts, and their data."""
    folder = tmp_path_factory.mktemp("restored")
    data_dir = tiny_runs.make_data(folder / "data")
    for name in ("context_restoration", "autoencoder", "relative_positions", "jigsaw"):
        path = folder / f"{name}-seed0"
        untrained.save(path, data_dir, name, model=tiny_runs.UNET, anatomy="slice", patch_size=80)
    return folder


@pytest.mark.slow
def test_every_pretext_that_is_there_has_a_row(models):
    figure = restored.draw(str(models), str(models / "data"), 1)
    assert len(_images(figure)) == 4 * 3
    words = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert words.count("mean squared error") == 2
    # What each is judged by.
    assert words.count("restoration ratio") == words.count("missed variance") == 1
    assert "prediction" not in words  # there is no such model
    assert "not learned" not in words  # no epoch was validated, so nobody can tell


@pytest.mark.slow
def test_a_pretext_that_was_not_learned_is_called_so(models, tmp_path):
    shutil.copytree(models / "autoencoder-seed0", tmp_path / "one")
    (tmp_path / "one" / journal.METRICS).write_text(
        "epoch,loss,val_loss,val_restored/missed_variance\n0,1.0,1.0,0.7\n"
    )
    figure = restored.draw(str(tmp_path), str(models / "data"), 1)
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words[2:4] == ["autoencoder", "(not learned)"]


@pytest.mark.slow
def test_the_truth_is_one_image(models):
    shown = _images(restored.draw(str(models), str(models / "data"), 1))
    np.testing.assert_array_equal(shown[2], shown[5])  # of restoration and autoencoder
    np.testing.assert_array_equal(shown[3], shown[5])  # an autoencoder is given the truth


@pytest.mark.slow
def test_more_images_than_subjects(models):
    with pytest.raises(ValueError, match="`num_images` must be at most .*, got 99"):
        restored.draw(str(models), str(models / "data"), 99)


@pytest.mark.slow
def test_of_several_models_the_first_with_weights(models, tmp_path):
    for number in range(3):
        shutil.copytree(models / "jigsaw-seed0", tmp_path / f"run{number}")
    (tmp_path / "run0" / "best.weights.h5").unlink()
    assert restored.pretext_folders(str(tmp_path)) == {"jigsaw": str(tmp_path / "run1")}


def test_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="must hold a model folder of a pretext"):
        restored.draw(str(tmp_path), "", 1)


# === The script ===


def _run(*arguments):
    return cli.call(restoration_figures.define_flags, restoration_figures.main, arguments)


@pytest.mark.slow
def test_script_writes_small_equal_files(tmp_path):
    contents = []
    for name in ("one", "two"):
        assert _run("--data_dir=x", "--figures=1,2", f"--output_dir={tmp_path}/{name}") == 0
        paths = sorted((tmp_path / name).iterdir())
        contents.append([path.read_bytes() for path in paths])
    assert [path.name for path in paths] == [
        "restoration_1_patches.png",
        "restoration_2_disordering.png",
    ]
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--figures=4"], "figure 4 needs --models_dir and --records_dir"),
        (["--figures=7"], "--figures must be among 1, 2, 3, 4, got '7'"),
        ([], "--data_dir, or --models_dir and --records_dir, must be given"),
    ],
)
def test_wrong_usage(arguments, message, capsys):
    assert _run(*arguments) == cli.EXIT_USAGE
    assert message in capsys.readouterr().err


def test_the_page_shows_every_committed_figure():
    page = (DOCS / "figures_restoration.md").read_text(encoding="utf-8")
    shown = re.findall(r"\(images/(restoration_[^)]+)\)", page)
    committed = sorted(path.name for path in (DOCS / "images").glob("restoration_*.png"))
    assert sorted(shown) == committed
    assert {name.split("_")[1] for name in committed} == set("1234")
    assert all((DOCS / "images" / name).stat().st_size < MAX_BYTES for name in committed)


def test_pictures_of_real_images_are_attributed():
    text = (DOCS / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for path in (DOCS / "images").glob("restoration_*.png"):
        assert path.name in text


# === Real images ===


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["axial", "coronal", "ct", "ultrasound"])
def test_real_images(name):
    folder = str(REAL_DATA)
    made = {"ct": real_images.ct, "ultrasound": real_images.ultrasound}
    plane = made[name](folder) if name in made else real_images.brain(folder, name)
    assert plane.image.shape == plane.foreground.shape and min(plane.image.shape) > 60
    assert plane.image.min() == 0 and plane.image.max() == 1
    assert 0.3 < plane.foreground.mean() < 0.95


def test_real_images_that_are_missing(tmp_path, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError, match="is missing. Give the folder of the real data"):
        real_images.ct(str(tmp_path))
