import pytest

from export import c_api


def test_the_installed_wheel_has_every_function():
    handle = c_api.library()
    assert handle.TF_Version().decode().startswith("2.")
    assert handle.TF_StringInit.restype is None


def test_a_missing_tensorflow_is_told(monkeypatch):
    monkeypatch.setattr(c_api.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="tensorflow must be installed"):
        c_api.library.__wrapped__()


def test_an_error_reads_as_code_and_message():
    assert str(c_api.Error("DATA_LOSS", "cut short")) == "DATA_LOSS: cut short"
