import dataclasses

import pytest

from spine_tf import config


def test_presets_as_documented():
    # width, FC6, FC7, norm, conv4 padding, crop scale: the table of docs/architecture.md.
    table = {
        "paper": (1, 4096, 1024, "lrn", 0, 1.0),
        "full": (1, 4096, 1024, "batch", 0, 1.0),
        "small": (1 / 4, 512, 256, "batch", 1, 0.5),
        "tiny": (1 / 8, 256, 128, "batch", 1, 0.5),
    }
    fields = ("width", "fc6", "fc7", "norm", "conv4_padding", "crop_scale")
    found = {
        name: tuple(getattr(preset, field) for field in fields)
        for name, preset in config.PRESETS.items()
        if preset.network == config.VGG_M
    }
    assert found == table


def test_presets_of_2d_networks():
    names = [name for name in config.PRESETS if config.PRESETS[name].network != config.VGG_M]
    assert names == [
        f"{network}-{filters}"
        for network in ("sononet", "sononet-6", "unet")
        for filters in (64, 32, 16)
    ]
    assert config.preset("unet-32") == config.ModelConfig(network="unet", width=0.5, fc6=1024)
    with pytest.raises(ValueError, match="`network` must be one of vgg-m, sononet"):
        config.ModelConfig(network="resnet")


def test_filters_are_those_of_vgg_m_times_the_width():
    assert config.preset("paper").filters == (96, 256, 512, 512, 512)
    assert config.preset("tiny").filters == (12, 32, 64, 64, 64)
    assert config.ModelConfig(width=1 / 64).filters == (2, 4, 8, 8, 8)
    assert config.ModelConfig(width=1 / 1000).filters == (1, 1, 1, 1, 1)


def test_an_unknown_preset_is_told_the_choices():
    with pytest.raises(ValueError, match="must be one of paper, full, small, tiny, .*, got 'huge'"):
        config.preset("huge")


@pytest.mark.parametrize(
    "values",
    [
        {"crop_scale": 0.25},
        {"width": 0},
        {"width": -1.0},
        {"norm": "group"},
        {"conv4_padding": 2},
        {"fc6": 0},
    ],
)
def test_models_that_cannot_be(values):
    (name, value), *_ = values.items()
    with pytest.raises(ValueError, match=f"`{name}` must be .*, got {value!r}"):
        config.ModelConfig(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"patience": 0},
        {"keep_checkpoints": 0},
        {"steps_per_epoch": -1},
        {"checkpoint_steps": -1},
        {"max_drops": -1},
        {"feature_draws": -1},
        {"reestimate_batches": -1},
        {"weight_decay": -0.1},
        {"learning_rate": 0.0},
        {"augment_strength": 0.0},
        {"augment_strength": 1.5},
        {"learning_rate": float("nan")},
        {"strategy": "two"},
        {"augment_on": "gpu"},
    ],
)
def test_settings_that_cannot_be(values):
    (name, value), *_ = values.items()
    with pytest.raises(ValueError, match=f"`{name}` must .*, got {value!r}"):
        config.TrainConfig(**values)


@pytest.mark.parametrize("cls", [config.ModelConfig, config.TrainConfig])
def test_configurations_do_not_change(cls):
    with pytest.raises(dataclasses.FrozenInstanceError):
        cls().seed = 1


def test_every_setting_is_explained():
    assert all(field.metadata["help"] for field in dataclasses.fields(config.TrainConfig))
