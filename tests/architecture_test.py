"""House rules, read from the sources with `ast`. docs/architecture.md gives the reasons."""

import ast
import functools
import pathlib
import re

import pytest

_ROOT = pathlib.Path(__file__).parents[1]
_BASE = {
    "allocator",
    "commands",
    "config",
    "files",
    "lock",
    "flag_field",
    "flag_help",
    "quiet",
    "geometry",
    "gradings",
    "header_facts",
    "json_fields",
    "levels",
    "vertebrae",
    "volume",
}
_SCRIPTS = {
    "calibrate",
    "completion",
    "train",
    "evaluate",
    "tune",
    "demo",
    "pack_detector",
}  # in spine_tf; elsewhere a script is seen by its guard
_COMMAND_LINE = ("spine_tf/cli.py", "spine_tf/dataclass_flags.py")

# Part of spine_tf -> the parts that it may import, besides the base modules and itself.
_NETWORKS = {"data", "models", "losses", "metrics"}
_TASKS = _NETWORKS | {"detection"}
_SERVED = {"calibration", "calibrated", "reference"}
_RUNNING = _TASKS | _SERVED | {"tasks", "training", "evaluation", "serving"}
_MAY_IMPORT = {
    "base": set(),
    "cli": set(),
    "dataclass_flags": {"cli"},
    "data": set(),
    "phantom": {"data"},
    "organ_phantom": {"phantom"},
    "models": _NETWORKS,
    "losses": _NETWORKS,
    "metrics": _NETWORKS,
    "detection": _NETWORKS,
    "tasks": _TASKS,
    "calibration": set(),
    "reference": {"data"},
    "calibrated": {"reference"},
    "training": _RUNNING,
    "evaluation": _RUNNING,
    "serving": _RUNNING,
    "run_config": _TASKS | {"tasks"},
    "search": _RUNNING | {"run_config"},
    "calibrate_settings": set(),
    "lib": _RUNNING | {"phantom", "calibrate_settings"},  # train_lib.py: the work under train.py
    "script": _RUNNING
    | {"phantom", "lib", "cli", "dataclass_flags", "run_config", "search"}
    | {"calibrate_settings"},
}
_PACKAGES = {
    "spine_tf": {"spine_tf"},
    "data_prep": {"spine_tf", "data_prep"},
    "export": {"spine_tf", "data_prep", "export"},
    "benchmarks": {"spine_tf", "data_prep", "export", "benchmarks"},
}
_PRIVATE = r"keras\.(src|ops)|tensorflow\.python|tensorflow\.compiler|tensorflow\.keras|.*\._(?!_)"


# Methods whose signature is the framework's.
_OVERRIDES = {"build", "call", "compute_output_shape", "get_config", "result", "update_state"}


def _paths(*folders):
    return sorted(path for folder in folders for path in (_ROOT / folder).rglob("*.py"))


def _name(path):
    return path.relative_to(_ROOT).as_posix()


def _is_script(tree):
    guards = (node.test for node in tree.body if isinstance(node, ast.If))
    return any("__name__" in ast.unparse(guard) for guard in guards)


def _part(name, tree):
    """The part of spine_tf that a file or module name belongs to."""
    part = re.split(r"[/.]", name)[1]
    if part in _SCRIPTS or (tree and part != "cli" and _is_script(tree)):
        return "script"
    if part.endswith("_lib"):
        return "lib"
    return "base" if part in _BASE else part


def _imports(tree):
    """All module names that a file imports, `from a import b` as `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)


@functools.cache
def _sources():
    """[(file name, syntax tree)] of everything that is not a test."""
    paths = _paths(*_PACKAGES)
    return [(_name(path), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def _report(problems, lesson):
    if problems:
        pytest.fail("\n".join([lesson, *(f"  {problem}" for problem in problems)]), pytrace=False)


def test_packages_point_one_way():
    problems = []
    for name, tree in _sources():
        allowed = _PACKAGES[name.split("/")[0]]
        for module in _imports(tree):
            package = module.split(".")[0]
            if module.startswith(".") or (package in {*_PACKAGES, "tests"} - allowed):
                problems.append(f"{name} imports {module}")
    _report(problems, "Imports are absolute and go spine_tf <- data_prep <- export; move the code.")


def test_parts_of_spine_tf_point_one_way():
    problems = []
    for name, tree in _sources():
        if not name.startswith("spine_tf/") or name == "spine_tf/__init__.py":
            continue
        part = _part(name.removesuffix(".py"), tree)
        if part not in _MAY_IMPORT:
            problems.append(f"{name}: `{part}` has no place in _MAY_IMPORT yet")
            continue
        for module in _imports(tree):
            if module.startswith("spine_tf."):
                other = _part(module, None)
                if other not in {"base", part} | _MAY_IMPORT[part]:
                    problems.append(f"{name} imports {module}")
    _report(
        problems,
        "Inside spine_tf: base modules <- data <- models, losses, metrics <- tasks <- training,"
        " evaluation, serving <- scripts. The phantom sees only base modules and data. Move what"
        " is shared to the lower side, or pass it as an argument.",
    )


def test_only_scripts_see_the_command_line():
    problems = [
        f"{name} imports {module}"
        for name, tree in _sources()
        if name not in _COMMAND_LINE and not _is_script(tree)
        for module in _imports(tree)
        if re.match(r"absl\.(flags|app)|spine_tf\.cli", module)
    ]
    _report(problems, "Flags are read in scripts only: take values or a frozen dataclass instead.")


def test_a_task_never_imports_another_task():
    problems = [
        f"{name} imports {module}"
        for name, tree in _sources()
        if re.match(r"spine_tf/tasks/(pretext|downstream)/", name)
        for module in _imports(tree)
        if re.match(r"spine_tf\.tasks(?!\.(\w+_)?task(\.|$))", module)
    ]
    _report(
        problems,
        "A task may import spine_tf.tasks.task and *_task only; move what is shared into one.",
    )


def test_pydicom_stays_in_the_converters():
    problems = [
        name
        for name, tree in _sources()
        if name.startswith("spine_tf/")
        if any(re.match(r"pydicom\b", module) for module in _imports(tree))
    ]
    _report(problems, "pydicom belongs to data_prep and export; spine_tf takes a Volume.")


def test_no_private_modules():
    problems = []
    for name, tree in _sources():
        names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        used = {n.replace("tf.", "tensorflow.", 1) if n.startswith("tf.") else n for n in names}
        modules = set(_imports(tree)) | {n for n in used if re.match(r"keras\.|tensorflow\.", n)}
        problems += [f"{name} uses {module}" for module in modules if re.match(_PRIVATE, module)]
    _report(
        problems, "No private modules and no keras.ops or tf.keras: they differ between stacks."
    )


def test_no_assert_outside_tests():
    problems = [
        f"{name}:{node.lineno}"
        for name, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]
    _report(problems, "`python -O` drops asserts: raise ValueError with the rule and the value.")


def test_public_functions_are_annotated():
    problems = []
    for name, tree in _sources():
        classes = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name[0] != "_")
        bodies = [tree.body, *(node.body for node in classes)]
        for node in (node for body in bodies for node in body):
            if isinstance(node, ast.FunctionDef) and node.name[0] != "_":
                if node.name not in _OVERRIDES:
                    problems += [f"{name}:{node.lineno} {node.name}: {x}" for x in _bare(node)]
    _report(problems, "Public functions are annotated in full; shapes go into the docstring.")


def _bare(function):
    """The arguments of a function that have no annotation, and "return" if it has none."""
    arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    names = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
    return names if function.returns else [*names, "return"]


def test_test_files_are_collected():
    problems = []
    for path in _paths("tests"):
        if not (path.parent / "__init__.py").exists():
            problems.append(f"{_name(path.parent)}/ has no __init__.py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        has_tests = any(re.match(r"test|Test", name) for name in names)
        if has_tests != path.name.endswith("_test.py"):
            problems.append(f"{_name(path)} {'has tests' if has_tests else 'has no test'}")
    _report(problems, "Tests are in files named *_test.py, in folders with an __init__.py.")


def test_test_files_mirror_the_packages():
    problems = [
        _name(path)
        for path in _paths(*(f"tests/{package}" for package in _PACKAGES))
        if path.name.endswith("_test.py")
        if not (_ROOT / re.sub(r"^tests/(.*)_test\.py$", r"\1.py", _name(path))).exists()
    ]
    _report(problems, "tests/a/b_test.py tests a/b.py; name the test file after what it tests.")


def test_files_and_functions_stay_small():
    problems = []
    for name, tree in _sources():
        lines = len((_ROOT / name).read_text(encoding="utf-8").splitlines())
        if lines > 400:
            problems.append(f"{name} has {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 70:
                problems.append(f"{name}:{node.lineno} {node.name} is over 70 lines")
    _report(problems, "Files have at most 400 lines and functions 70: split along a concept.")
