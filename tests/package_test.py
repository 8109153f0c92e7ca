"""Tests of the package itself: lazy names, supported stacks, metadata, lock files."""

import pathlib
import re
import subprocess
import sys

import pytest

import spine_tf

_ROOT = pathlib.Path(__file__).parents[1]


def test_importing_does_not_import_tensorflow():
    code = (
        "import sys, spine_tf\n"
        "spine_tf.Volume, spine_tf.DiscLevel, spine_tf.geometry\n"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=_ROOT).returncode == 0


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Vertebrae'"):
        _ = spine_tf.Vertebrae


def test_names_are_listed():
    assert {"Volume", "DiscLevel", "tasks", "__version__"} <= set(dir(spine_tf))
    assert spine_tf.Volume.__name__ == "Volume"


@pytest.mark.parametrize(
    "tensorflow, keras, supported",
    [
        ("2.21.0", "3.15.1", True),
        ("2.16.2", "3.0.0", True),
        ("3.0.0", "3.20.0", True),
        ("2.22.0rc0", "3.15.1", True),
        ("2.15.1", "2.15.0", True),
        ("2.15.1", "3.15.1", False),
        ("2.21.0", "2.15.0", False),
        ("2.14.0", "2.14.0", False),
        ("2.21.0", "", False),
        ("", "3.15.1", False),
    ],
)
def test_supported_stacks(tensorflow, keras, supported):
    assert spine_tf.is_supported(tensorflow, keras) is supported


def test_an_unsupported_stack_is_named_with_the_remedy(monkeypatch):
    versions = {"tensorflow": "2.15.1", "keras": "3.15.1"}
    monkeypatch.delitem(vars(spine_tf), "tasks", raising=False)  # another test may have loaded it
    monkeypatch.setattr(spine_tf, "_installed_version", versions.get)
    with pytest.raises(ImportError, match=r"pip install .*, got tensorflow 2.15.1, keras 3.15.1"):
        _ = spine_tf.tasks


def test_this_stack_is_supported():
    spine_tf.check_stack()


@pytest.mark.parametrize("name", ["current", "addons"])
def test_lock_files_name_versions_only(name):
    lines = (_ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.strip().startswith("#")]
    wrong = [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .*)?", pin)]
    assert pins and not wrong
    assert not [line for line in lines if re.search(r"https?:|file:|--|@ |/\w+/", line)]


def test_every_requirement_is_locked():
    text = (_ROOT / "setup.py").read_text(encoding="utf-8")
    required = {name.lower() for name in re.findall(r'^ {4,8}"([\w-]+)(?:>=|==|<)', text, re.M)}
    addons = {"tensorflow-addons", "tensorflow-io", "setuptools"}
    docs = {"ipykernel", "mkdocs-material", "mkdocstrings-python", "nbclient"}
    for name, extra in (("current", docs), ("addons", addons)):
        lock = (_ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, re.M))
        missing = (required - addons - docs | extra) - pinned
        assert not missing, f"run `make lock`: requirements/{name}.txt lacks {sorted(missing)}"


def test_files_that_are_not_python_are_packaged():
    # setup.py: package_data={"": ["templates/*", "*.json", "weights/**"]}
    found = {
        path.relative_to(_ROOT)
        for package in ("spine_tf", "data_prep", "export")
        for path in (_ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    packaged = {
        path
        for path in found
        if (path.suffix == ".json" and (_ROOT / path.parent / "__init__.py").exists())
        or (
            path.parent.name == "templates"
            and (_ROOT / path.parent.parent / "__init__.py").exists()
        )
        or any(
            folder.name == "weights" and (_ROOT / folder.parent / "__init__.py").exists()
            for folder in path.parents
        )
    }
    assert found == packaged, "put it into templates/ or weights/, or extend package_data"
