import keras
import numpy as np
import pytest

from spine_tf.models import unet


def _network(width, shape, channels, **options):
    encoder = unet.build_encoder(width, shape)
    image = keras.Input(shape)
    return keras.Model(image, unet.decoder(encoder(image), channels, **options))


@pytest.mark.parametrize(
    ("width", "expected"),
    # Methods 3.7: 31.05, 7.77 and 1.95 million. To the last digit: the layout of the module's text.
    [(64, 31_050_180), (32, 7_769_316), (16, 1_945_716)],
)
def test_parameters_are_those_of_methods_3_7(width, expected):
    assert _network(width, (None, None, 4), 4).count_params() == expected


def test_parameters_of_width_1_by_hand():
    # Filters 1, 2, 4, 8, 16. Kernels of 9 per pair of channels, 4 numbers of batch norm a channel.
    # Down: 9 (1+1 + 2+4 + 8+16 + 32+64 + 128+256) + 4 * 2 (1+2+4+8+16) = 4608 + 248.
    # Up, transposed: 4 (128+32+8+2) + 8+4+2+1 = 695; after joining 16, 8, 4, 2 channels:
    # 9 (128+64 + 32+16 + 8+4 + 2+1) + 4 * 2 (8+4+2+1) = 2295 + 120. Output: 1 + 1.
    assert _network(1, (None, None, 1), 1).count_params() == 4856 + 695 + 2415 + 2
    # Without joining 8, 4, 2, 1 channels: 9 (64 + 16 + 4 + 1) fewer.
    assert _network(1, (None, None, 1), 1, skips=False).count_params() == 7968 - 765


def test_stages():
    stages = unet.build_encoder(4, (64, 96, 4)).output
    assert {name: tuple(stage.shape[1:]) for name, stage in stages.items()} == {
        "conv1": (64, 96, 4),
        "conv2": (32, 48, 8),
        "conv3": (16, 24, 16),
        "conv4": (8, 12, 32),
        "conv5": (4, 6, 64),
    }


@pytest.mark.parametrize("skips", [True, False])
def test_the_result_has_the_size_of_the_image(skips):
    model = _network(2, (None, None, 3), 5, skips=skips)
    for rows, columns in ((16, 16), (32, 48)):
        found = np.asarray(model(np.ones((2, rows, columns, 3), np.float32)))
        assert found.shape == (2, rows, columns, 5)
        assert np.all(np.isfinite(found))


def _reach(skips):
    """Largest change of the output if conv1 to conv4 change but conv5 does not."""
    encoder = unet.build_encoder(2, (32, 32, 1))
    inputs = {
        name: keras.Input(tuple(stage.shape[1:]), name=name)
        for name, stage in encoder.output.items()
    }
    model = keras.Model(inputs, unet.decoder(inputs, 1, skips=skips))
    rng = np.random.default_rng(0)
    stages = {
        name: rng.uniform(size=(1, *stage.shape[1:])).astype(np.float32)
        for name, stage in inputs.items()
    }
    other = {name: stage + (name != "conv5") for name, stage in stages.items()}
    return np.max(np.abs(np.asarray(model(stages)) - np.asarray(model(other))))


def test_without_skips_everything_passes_conv5():
    assert _reach(skips=True) > 1e-3
    assert _reach(skips=False) == 0


def test_the_result_is_float32_in_mixed_precision(mixed_bfloat16):
    model = _network(2, (None, None, 1), 4)
    assert model.get_layer("decoder_conv1_2").compute_dtype == "bfloat16"
    assert np.asarray(model(np.ones((1, 16, 16, 1), np.float32))).dtype == np.float32
