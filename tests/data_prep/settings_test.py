import dataclasses
import subprocess
import sys

import pytest

from data_prep import settings


def test_defaults_are_settings():
    assert settings.Settings().num_processes == 1
    assert all(field.metadata["help"] for field in dataclasses.fields(settings.Settings))


@pytest.mark.parametrize(
    "values",
    [
        {"crop_scale": 0.25},
        {"num_shards": 0},
        {"num_processes": 0},
        {"folds": 1},
        {"folds": -2},
        {"held_out_fraction": 0.0},
        {"held_out_fraction": 0.5},
    ],
)
def test_settings_that_cannot_be(values):
    (name, value), *_ = values.items()
    with pytest.raises(ValueError, match=f"`{name}` must be .*, got {value!r}"):
        settings.Settings(**values)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (settings.Settings, {"train_percents": (101,)}),
        (settings.Settings, {"train_subjects": (4, 0)}),
        (settings.ImageSettings, {"kinds": ()}),
        (settings.ImageSettings, {"kinds": ("slice", "disc")}),
        (settings.ImageSettings, {"kinds": ("slice",), "header_facts": "sex"}),
        (settings.ImageSettings, {"kinds": ("slice",), "image_rows": 0}),
        (settings.ImageSettings, {"keep_box": (1, 1, 0, 5)}),
        (settings.VolumeSettings, {"views": ("native", "native")}),
        (settings.VolumeSettings, {"views": ("oblique",)}),
        (settings.VolumeSettings, {"spacing_mm": -1.0}),
        (settings.VolumeSettings, {"window_hu": (300.0, -200.0)}),
        (settings.VolumeSettings, {"label_map_shift_mm": (3.0,)}),
    ],
)
def test_settings_of_images_and_volumes_that_cannot_be(kind, values):
    *_, name = values
    with pytest.raises(ValueError, match=f"`{name}` must .*, got "):
        kind(**values)


def test_nothing_heavy_is_imported():
    code = (
        "import sys, data_prep.settings;"
        "sys.exit(bool({'tensorflow', 'apache_beam', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
