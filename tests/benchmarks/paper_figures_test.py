"""The figures of Jamaludin 2017: what is drawn, and the files."""

import json
import pathlib
import re

import keras
import numpy as np
import pytest
from PIL import Image

from benchmarks import paper_figures
from benchmarks.figures import (
    across_time,
    architecture,
    curve,
    distances,
    extraction,
    grades,
    layers,
    models,
    pairs,
    scans,
    sheet,
)
from spine_tf import cli, config, levels
from spine_tf.data import crops
from spine_tf.phantom import cohort

PHANTOMS = cohort.CohortConfig(num_subjects=60, seed=0, matrices=(96,))
L4_L5 = levels.DiscLevel("L4-L5")
NETWORK = config.preset("tiny")
MAX_BYTES = 400_000
DOCS = pathlib.Path(__file__).parents[2] / "docs"

EVALUATION = {
    "task": "longitudinal",
    "model_data": {"source": "phantom"},
    "results": {
        "counts": {"positives": 9, "negatives": 90, "subjects": 4},
        "model": {"auc": {"value": 0.875, "low": 0.75, "high": 0.95}},
        "histogram": {"edges": [0, 1, 2], "same": [0.75, 0.25], "different": [0.25, 0.75]},
    },
}


def _point(regime, subjects, scans_, mean):
    return {
        "regime": regime,
        "subjects": subjects,
        "scans": scans_,
        "mean": mean,
        "low": mean - 0.03,
        "high": mean + 0.02,
        "seeds": 3,
    }


CURVE = {
    "points": [
        _point("scratch", 670, 976, 0.65),
        _point("scratch", 240, 444, 0.6),
        _point("strong", 240, 444, 0.7),
    ],
    "not_run": [],
}


def _written(tmp_path, content):
    path = tmp_path / "input.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def _words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


# === From phantoms ===


def test_extraction_shows_and_names_every_crop():
    figure = extraction.draw(PHANTOMS)
    names = [level.value for level in (*levels.LUMBAR_VERTEBRAE, *levels.LUMBAR_DISCS)]
    words = _words(figure)
    assert all(words.count(name) == 2 for name in names)  # on the slice and beside the crop
    assert len([axes for axes in figure.axes if axes.images]) == 1 + 7 + 6
    assert {"7 VBs\n9×224×224", "6 IVDs\n9×112×224"} <= set(words)


def test_crops_are_those_networks_see():
    found = scans.render(PHANTOMS, 0, 0)
    corners_mm = np.stack([vertebra.corners_mm for vertebra in found.annotation.vertebrae])
    voxels = found.volume.array, found.volume.affine
    options = {"scale": 1.0, "stored": False}
    bodies = crops.crop_vertebrae(*voxels, corners_mm, **options)["image"].numpy()
    discs = crops.crop_discs(*voxels, corners_mm[:-1], corners_mm[1:], **options)["image"].numpy()
    assert bodies.shape == (7, 9, 224, 224) and discs.shape == (6, 9, 112, 224)
    np.testing.assert_allclose(np.stack([*found.bodies.values()]), bodies[:, 4], atol=1e-4)
    np.testing.assert_allclose(np.stack([*found.discs.values()]), discs[:, 4], atol=1e-4)


def test_outline_of_a_disc_lies_about_the_middle_of_its_crop():
    corners = scans.render(PHANTOMS, 0, 0).disc_outline(L4_L5)
    np.testing.assert_allclose(corners.mean(0), [111.5, 55.5], atol=0.01)
    upper, lower = corners[1] - corners[0], corners[2] - corners[3]
    assert np.mean([np.linalg.norm(upper), np.linalg.norm(lower)]) == pytest.approx(113.5, abs=0.01)
    assert corners[2:, 1].min() > corners[:2, 1].max()  # the foot is below


def test_across_time_has_a_slip_and_discs_that_degenerate():
    slip = scans.slipping(PHANTOMS)
    assert scans.grades(PHANTOMS, slip, "spondylolisthesis")[:2] == [0, 1]
    ageing = scans.degenerating(PHANTOMS, 3)
    assert len({cohort.family_index(case.index) for case in ageing}) == 3
    for case in ageing:
        before, after = scans.grades(PHANTOMS, case, "disc_degeneration")[:2]
        assert after > before
        assert not any(scans.grades(PHANTOMS, case, "spondylolisthesis")[:2])


def test_across_time_draws_both_visits():
    figure = across_time.draw(PHANTOMS, num_ageing=1)
    assert len([axes for axes in figure.axes if axes.images]) == 2 * 4
    words = _words(figure)
    assert "slip 0 → 1" in words
    assert words.count("t₀") == words.count("t₀ + τ") == 2


def test_pairs_are_across_time():
    figure = pairs.draw(PHANTOMS)
    arrows = [patch for patch in figure.axes[0].patches if patch.get_arrowstyle()]
    positive, negative = (sheet.POSITIVE, sheet.NEGATIVE)
    colors = [_hex(arrow) for arrow in arrows]
    assert colors.count(positive) == colors.count(negative) == 2 + 1  # and the key
    first, second = scans.followed(PHANTOMS, 2)
    assert cohort.family_index(first) != cohort.family_index(second)


def _hex(patch):
    return "#" + "".join(f"{round(255 * part):02x}" for part in patch.get_edgecolor()[:3])


def test_grades_are_those_of_the_reader():
    figure = grades.draw(PHANTOMS, discs=(L4_L5,))
    assert [f"grade {n}" in _words(figure) for n in (1, 2, 3, 4)] == [True] * 4
    for grade in (1, 2, 3, 4):
        case = scans.typical(PHANTOMS, L4_L5, grade)
        assert scans.grades(PHANTOMS, case, "disc_degeneration")[0] == grade


def test_a_cohort_that_is_too_small():
    once = cohort.CohortConfig(num_subjects=1, one_visit_percent=100, three_visits_percent=0)
    for choose in (
        lambda: scans.slipping(once),
        lambda: scans.degenerating(once, 1),
        lambda: scans.followed(once, 1),
        lambda: scans.typical(once, L4_L5, 1),
    ):
        with pytest.raises(ValueError, match="`num_subjects` must be large enough .* got 1"):
            choose()


# === From the model ===


def _convolutions(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _convolutions(layer)
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.Conv3D):
            yield layer


@pytest.mark.parametrize(
    "draw, branch",
    [
        (architecture.draw_siamese, models.siamese),
        (architecture.draw_classifier, models.classifier),
    ],
)
def test_every_convolution_is_drawn_as_the_model_has_it(monkeypatch, draw, branch):
    built = []
    build = models.model_folder.build_model
    monkeypatch.setattr(
        models.model_folder,
        "build_model",
        lambda *a, **k: built.append(build(*a, **k)) or built[-1],
    )
    branch(NETWORK)
    figure = draw(NETWORK, PHANTOMS)
    columns = {}
    for text in figure.axes[0].texts:
        columns.setdefault(round(text.get_position()[0], 3), []).append(text.get_text())
    by_name = {words[i]: words[i:] for words in columns.values() for i in range(len(words))}
    found = list(_convolutions(built[0]))
    assert [layer.name for layer in found] == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    for layer in found:
        *plane, channels = layer.output.shape[1:]
        name, kernel, stride, _, output, units = by_name[layer.name][:6]
        assert kernel == "×".join(map(str, layer.kernel_size))
        assert stride == "×".join(map(str, layer.strides))
        assert output == "×".join(map(str, plane))
        assert units == str(channels)


def test_siamese_names_both_losses_and_the_shared_weights():
    words = " ".join(_words(architecture.draw_siamese(NETWORK, PHANTOMS)))
    assert "0.6 million weights, shared by both branches" in words  # 636,247, methods 1.3
    assert "contrastive loss of same subject" in words
    assert "balanced cross entropy loss of level" in words


def test_classifier_takes_over_and_freezes_the_convolutions_only():
    source, target = models.siamese(NETWORK), models.classifier(NETWORK)
    copied = models.transferred(source, target)
    assert copied == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    trained = [block.name for block in target.blocks if block.is_trained]
    assert trained == [f"disc_degeneration_fc{number}" for number in (6, 7, 8)]
    words = _words(architecture.draw_classifier(NETWORK, PHANTOMS))
    assert {"weights of the Siamese network, frozen", "new weights, trained"} <= set(words)


def test_weights_that_do_not_fit():
    with pytest.raises(ValueError, match="`conv1` must have weights"):
        models.transferred(models.siamese(NETWORK), models.classifier(config.preset("small")))


def test_walk_gives_padding_and_what_follows():
    inputs = keras.Input((9, 20, 20, 1))
    x = keras.layers.ZeroPadding3D((1, 2, 2))(inputs)
    x = keras.layers.Conv3D(4, (3, 5, 5), (1, 2, 2), name="a")(x)
    x = keras.layers.Activation("relu")(x)
    (block,) = layers.walk(keras.Model(inputs, x).layers)
    assert (block.name, block.padding, block.then) == ("a", (1, 2, 2), ("relu",))
    assert block.output == (9, 10, 10, 4)
    assert block.weights == ((3, 5, 5, 1, 4), (4,))


# === From results ===


def test_distances_show_area_and_interval(tmp_path, monkeypatch):
    given = {}
    roc_curves = distances.plots.roc_curves
    monkeypatch.setattr(
        distances.plots, "roc_curves", lambda *a: given.update(a[0]) or roc_curves(*a)
    )
    figure = distances.draw(_written(tmp_path, EVALUATION))
    (((false_rate, true_rate), area),) = given.values()
    np.testing.assert_allclose(false_rate, [0, 0.25, 1])
    np.testing.assert_allclose(true_rate, [0, 0.75, 1])
    assert area["value"] == 0.875
    assert sheet.PHANTOM in _words(figure)


@pytest.mark.parametrize(
    "change",
    [
        {"task": "grading"},
        {"results": EVALUATION["results"] | {"histogram": None}},
        {
            "results": EVALUATION["results"]
            | {"histogram": {"edges": [0, 1], "same": [1.0], "different": [0.0]}}
        },
    ],
)
def test_an_evaluation_without_pairs(tmp_path, change):
    with pytest.raises(ValueError, match="`evaluation` must be .* longitudinal model"):
        distances.draw(_written(tmp_path, EVALUATION | change))


def test_learning_curve_has_a_line_per_regime(tmp_path):
    figure = curve.draw(_written(tmp_path, CURVE))
    axes = figure.axes[1]
    lines = {container.get_label(): container.lines[0] for container in axes.containers}
    assert {name: len(line.get_xdata()) for name, line in lines.items()} == {
        "from scratch": 2,
        "strongly supervised": 1,
    }
    np.testing.assert_allclose(lines["from scratch"].get_ydata(), [60, 65])
    (low, high) = axes.containers[-1].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == (pytest.approx(57), pytest.approx(62))
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [
        "444\n(240 subjects)",
        "976\n(670 subjects)",
    ]


def test_learning_curve_names_what_was_not_run(tmp_path):
    words = " ".join(_words(curve.draw(_written(tmp_path, CURVE))))
    assert "strongly supervised at 361, 670; " in words
    assert "from scratch at 361; random, frozen." in words


@pytest.mark.parametrize("points, got", [([], "none"), ([_point("other", 1, 1, 0.5)], "other")])
def test_learning_curve_without_known_points(tmp_path, points, got):
    with pytest.raises(ValueError, match=f"`learning_curve` must hold points .* got {got}"):
        curve.draw(_written(tmp_path, {"points": points}))


# === The script ===


def _run(*arguments):
    return cli.call(paper_figures.define_flags, paper_figures.main, arguments)


def test_script_writes_small_equal_files(tmp_path):
    flags = [
        "--figures=4,6,8",
        "--preset=tiny",
        f"--evaluation={_written(tmp_path, EVALUATION)}",
        f"--output_dir={tmp_path}/out",
        "--num_subjects=12",
    ]
    (tmp_path / "curve.json").write_text(json.dumps(CURVE), encoding="utf-8")
    flags.append(f"--learning_curve={tmp_path}/curve.json")
    contents = []
    for _ in range(2):
        assert _run(*flags) == 0
        paths = sorted((tmp_path / "out").iterdir())
        contents.append([path.read_bytes() for path in paths])
    assert [path.name for path in paths] == [
        "figure_4_siamese.png",
        "figure_6_distances.png",
        "figure_8_learning_curve.png",
    ]
    assert contents[0] == contents[1]
    for path in paths:
        assert path.stat().st_size < MAX_BYTES
        with Image.open(path) as image:
            assert 700 < image.width < 1300


def test_script_without_the_input_of_a_figure(tmp_path, capsys):
    assert _run("--figures=6", f"--output_dir={tmp_path}") == 2
    assert "figure 6 needs --evaluation" in capsys.readouterr().err


def test_script_with_an_unknown_figure(tmp_path, capsys):
    assert _run("--figures=9", f"--output_dir={tmp_path}") == 2
    assert "--figures must be among 1, 2" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_page_shows_every_committed_figure():
    page = (DOCS / "figures.md").read_text(encoding="utf-8")
    shown = re.findall(r"\(images/(figure_[^)]+)\)", page)
    committed = sorted(path.name for path in (DOCS / "images").glob("figure_*.png"))
    assert sorted(shown) == committed
    assert {name.split("_")[1] for name in committed} >= set("123457")
    assert all((DOCS / "images" / name).stat().st_size < MAX_BYTES for name in committed)
