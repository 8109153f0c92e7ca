"""Which part of the packages imports which, read from the sources with `ast`."""

import ast
import functools
import pathlib
from collections.abc import Collection, Mapping

PACKAGES = ("spine_tf", "data_prep", "export", "benchmarks")
# Of the modules that lie in spine_tf itself.
BASE, SERVED, SCRIPTS = "base modules", "other modules", "scripts"

Node = tuple[str, ...]  # parts that import one another; nearly always a single one


def parts(root: pathlib.Path) -> dict[str, str]:
    """Returns module -> its part: a package, a folder of spine_tf, BASE, SERVED or SCRIPTS.

    Args:
        root: Folder of the packages.
    """
    imported = _imported(root)
    found = {name: _folder(name, root) for name in imported}
    single = {name for name, part in found.items() if part == "spine_tf"} - {"spine_tf"}
    scripts = {name for name in single if _is_script(root, name)}
    base = single - scripts
    while wrong := {name for name in base if not imported[name] - {"spine_tf"} <= base}:
        base -= wrong
    for name in single:
        found[name] = SCRIPTS if name in scripts else BASE if name in base else SERVED
    return {name: part for name, part in found.items() if name != "spine_tf"}


def graph(root: pathlib.Path) -> dict[Node, set[Node]]:
    """Returns part -> the parts that it imports; parts that import one another are one node."""
    part_of = parts(root)
    found: dict[str, set[str]] = {part: set() for part in part_of.values()}
    for name, imported in _imported(root).items():
        if name in part_of:
            found[part_of[name]] |= {part_of[other] for other in imported if other in part_of}
    reached = {part: _reached(found, part) for part in found}
    node_of = {
        part: tuple(sorted(o for o in reached[part] | {part} if part in reached[o] | {o}))
        for part in found
    }
    nodes: dict[Node, set[Node]] = {node: set() for node in node_of.values()}
    for part, imported in found.items():
        nodes[node_of[part]] |= {node_of[other] for other in imported} - {node_of[part]}
    return nodes


def layers(found: Mapping[Node, Collection[Node]]) -> dict[Node, int]:
    """Returns node -> the length of the longest way to it from what nobody imports."""

    @functools.cache
    def depth(node):
        return 1 + max((depth(one) for one, others in found.items() if node in others), default=-1)

    return {node: depth(node) for node in found}


def reduced(found: Mapping[Node, Collection[Node]]) -> dict[Node, set[Node]]:
    """Returns the graph without the edges that a longer way implies."""
    below = {node: _reached(found, node) for node in found}
    return {
        node: {o for o in others if not any(o in below[other] for other in others)}
        for node, others in found.items()
    }


def _reached(found: Mapping, start) -> set:
    """Everything that is imported from `start` on; itself only where it is in a circle."""
    seen, todo = set(), list(found[start])
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo += found[node]
    return seen


@functools.cache
def _imported(root: pathlib.Path) -> dict[str, set[str]]:
    """Module -> the modules of the packages that it imports."""
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
    }
    return {name: _imports(path, paths) - {name} for name, path in paths.items()}


def _imports(path: pathlib.Path, known: Collection[str]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name if name in known else name.rpartition(".")[0] for name in names}
    return found & set(known)


def _folder(name: str, root: pathlib.Path) -> str:
    package, *rest = name.split(".")
    if package == "spine_tf" and rest and (root / package / rest[0]).is_dir():
        return f"{package}.{rest[0]}"
    return package


def _is_script(root: pathlib.Path, name: str) -> bool:
    path = root / f"{name.replace('.', '/')}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guards = (ast.unparse(node.test) for node in tree.body if isinstance(node, ast.If))
    if name == "spine_tf.cli":  # it runs scripts, and every script imports it
        return False
    return name.endswith("_lib") or any("__main__" in guard for guard in guards)
