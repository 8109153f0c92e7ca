import pytest

from export import client_settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"transport": "http"},
        {"address": "http://server:8500"},
        {"address": "server"},
        {"attempts": 0},
        {"deadline_seconds": 0.0},
        {"max_message_mb": float("nan")},
    ],
)
def test_wrong_settings_are_named(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
        client_settings.Settings(**wrong)


def test_limits_in_bytes():
    assert client_settings.Settings().max_message_bytes == 4 * 2**20
    with pytest.raises(ValueError, match="`max_message_mb` must be at least 8.00"):
        client_settings.Settings().check_size(8 * 2**20)
