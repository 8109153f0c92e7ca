"""Runs BUILD with stub rules: every script and every test file must be in it.

Where a Bazel is installed it reads BUILD, too (`make bazel-query`; docs/building.md).
"""

import ast
import pathlib
import shutil
import subprocess

import pytest

from spine_tf import commands

_ROOT = pathlib.Path(__file__).parents[1]
_FOLDERS = ("spine_tf", "data_prep", "export")

# rules_python and the packages of the lock file, as far as BUILD names them: nothing is downloaded.
# py_test is no test here, because a test of Bazel 4 needs coverage tools from the network.
_RULES = """
def _nothing(ctx):
    return []

_ATTRS = {
    "data": attr.label_list(allow_files = True),
    "deps": attr.label_list(),
    "imports": attr.string_list(),
    "main": attr.label(allow_single_file = True),
    "srcs": attr.label_list(allow_files = [".py"]),
}

py_library = rule(implementation = _nothing, attrs = _ATTRS)
py_binary = rule(implementation = _nothing, attrs = _ATTRS, executable = True)
py_test = py_binary
"""
_STAND_INS = {
    "rules_python/WORKSPACE": "",
    "rules_python/python/BUILD": "",
    "rules_python/python/defs.bzl": _RULES,
    "pypi/WORKSPACE": "",
    "pypi/BUILD": "",
    "pypi/requirements.bzl": "all_requirements = []\n",
}


def _glob(include, exclude=(), allow_empty=False):
    include = [f"{pattern}/*" if pattern.endswith("**") else pattern for pattern in include]
    found = {path for pattern in include for path in _ROOT.glob(pattern) if path.is_file()}
    endings = [pattern.removeprefix("**/") for pattern in exclude]
    found = {path for path in found if not any(path.match(ending) for ending in endings)}
    paths = sorted(path.relative_to(_ROOT).as_posix() for path in found)
    if not paths and not allow_empty:
        raise ValueError(f"glob({include}) matches nothing; Bazel would refuse it.")
    return paths


@pytest.fixture(name="targets", scope="module")
def _targets():
    """Rule name -> list of the arguments of its targets."""
    targets = {"py_binary": [], "py_library": [], "py_test": []}
    loaded = {}

    def rule(name):
        return lambda **values: targets[name].append(values)

    stubs = {name: rule(name) for name in targets}

    def load(label, *names):
        loaded.update({name: label for name in names})
        scope.update({name: stubs.get(name, []) for name in names})

    scope = {
        "load": load,
        "glob": _glob,
        "package": lambda **_: None,
        "exports_files": lambda _: None,
    }
    exec(compile((_ROOT / "BUILD").read_text(encoding="utf-8"), "BUILD", "exec"), scope)
    for name in targets:  # Bazel 9 knows no Python rules that are not loaded
        assert loaded[name] == "@rules_python//python:defs.bzl"
    return targets


def _is_script(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            return True
    return False


def _sources(*folders):
    paths = (path for folder in folders for path in (_ROOT / folder).rglob("*.py"))
    return {path.relative_to(_ROOT).as_posix() for path in paths}


def test_every_script_is_a_binary(targets):
    scripts = {path for path in _sources(*_FOLDERS) if _is_script(_ROOT / path)}
    binaries = {target["main"] for target in targets["py_binary"]}
    assert scripts <= binaries, f"add to SCRIPTS in BUILD: {sorted(scripts - binaries)}"
    assert binaries <= scripts, f"take out of SCRIPTS in BUILD: {sorted(binaries - scripts)}"


def test_every_command_is_a_binary(targets):
    names = {target["name"].replace("/", ".") for target in targets["py_binary"]}
    assert {module for module, _ in commands.COMMANDS.values()} <= names


def test_every_test_file_is_a_test(targets):
    tests = {path for path in _sources("tests") if path.endswith("_test.py")}
    assert tests == {target["args"][0] for target in targets["py_test"]}


def test_every_source_is_in_a_library(targets):
    in_libraries = {path for target in targets["py_library"] for path in target["srcs"]}
    assert _sources(*_FOLDERS, "tests") <= in_libraries


def test_names_are_unique(targets):
    names = [target["name"] for rule in targets.values() for target in rule]
    assert len(names) == len(set(names))


def test_what_targets_name_exists(targets):
    paths = {p for rule in targets.values() for t in rule for p in t["srcs"] + t.get("data", [])}
    missing = sorted(path for path in paths if not (_ROOT / path).is_file())
    assert not missing


def test_dependencies_point_one_way(targets):
    deps = {target["name"]: target["deps"] for target in targets["py_library"]}
    assert deps["spine_tf"] == []  # here: only the stub of all_requirements
    assert deps["data_prep"] == [":spine_tf"]
    assert deps["export"] == [":data_prep"]


@pytest.fixture(name="query", scope="module")
def _query(tmp_path_factory):
    """Asks the installed Bazel, of a folder with links to this tree and an empty WORKSPACE."""
    if not shutil.which("bazel"):
        pytest.skip("bazel is not installed")
    tmp = tmp_path_factory.mktemp("bazel")
    for name, text in {**_STAND_INS, "tree/WORKSPACE": ""}.items():
        (tmp / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp / name).write_text(text)
    for path in _ROOT.iterdir():
        if not path.name.startswith((".", "MODULE")):
            (tmp / "tree" / path.name).symlink_to(path)

    def ask(question):
        stand_ins = [
            f"--override_repository={name}={tmp / name}" for name in ("rules_python", "pypi")
        ]
        options = ["--batch", f"--output_user_root={tmp / 'out'}"]
        done = subprocess.run(
            ["bazel", *options, "query", *stand_ins, question],
            cwd=tmp / "tree",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    return ask


@pytest.mark.slow
def test_bazel_finds_every_target(targets, query):
    names = {f"//:{target['name']}" for rule in targets.values() for target in rule}
    assert query("//...") == names


@pytest.mark.slow
def test_bazel_finds_every_dependency(targets, query):
    sources = {f"//:{p}" for rule in targets.values() for t in rule for p in t["srcs"]}
    found = query("deps(//...)")
    assert sources <= found
