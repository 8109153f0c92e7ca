import keras
import pytest


@pytest.fixture
def mixed_bfloat16():
    """Layers made in the test compute in bfloat16."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    keras.mixed_precision.set_global_policy(before)
