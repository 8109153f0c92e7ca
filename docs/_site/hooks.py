"""Hooks of MkDocs: pages from docstrings, the notebook as a page, prose as GitHub shows it."""

import ast
import base64
import json
import pathlib
import re

from mkdocs.structure import files

_ROOT = pathlib.Path(__file__).parents[2]
_LIBRARY = ("spine_tf", "data_prep", "export")
_PACKAGES = (*_LIBRARY, "benchmarks")
_MODULE = """---
search: {{exclude: true}}
---
# {0}

::: {0}
"""  # every name of the code would drown the prose; modules/index.md is found
_LIST = re.compile(r"(?:[-*]|1\.) ")


def on_files(found, config):
    """Adds a page per module, and one per notebook with its pictures."""
    for name, _ in _modules(_LIBRARY):
        found.append(_page(config, f"modules/{name}.md", _MODULE.format(name)))
    found.append(_page(config, "modules/index.md", _module_table()))
    for path in sorted((_ROOT / "docs" / "notebooks").glob("*.ipynb")):
        _add_notebook(found, config, path)
    return found


def on_page_markdown(markdown, page, config, files):
    """Lets lists begin without an empty line, links pages that are named; tags are no links."""
    lines, in_code, previous = [], False, ""
    for line in markdown.split("\n"):
        in_code ^= line.startswith("```")
        if not in_code and line[:4].strip():  # neither fenced nor indented
            if _LIST.match(line) and previous.strip() and not _in_list(previous):
                lines.append("")
            line = re.sub(r"\] (?=\[)", r"] \\", line)  # [paper] [derived] is no link
            line = re.sub(r"(?<![`\w/(\[])docs/(\w+)\.md", _link(page, files), line)
        lines.append(line)
        previous = line
    return "\n".join(lines).replace(".ipynb)", ".md)")


def _in_list(line):
    return re.match(r"(?:[-*]|\d+\.)? ", line)


def _link(page, found):
    """Returns what makes a link of `docs/NAME.md` where that is a page beside this one."""
    is_beside = "/" not in page.file.src_uri

    def replace(match):
        is_page = is_beside and found.get_file_from_path(f"{match[1]}.md")
        return f"[{match[1]}]({match[1]}.md)" if is_page else match[0]

    return replace


def _page(config, uri, content):
    return files.File.generated(config, uri, content=content)


def _modules(packages):
    """(dotted name, path) of every module."""
    for package in packages:
        for path in sorted((_ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(_ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def _module_table():
    lines = [
        "# Modules",
        "",
        "Every file with its first line; of the library, a page from its docstrings.",
    ]
    for package in _PACKAGES:
        lines += ["", f"## {package}", "", "| module | what |", "| --- | --- |"]
        for name, path in _modules([package]):
            summary = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]
            shown = f"[{name}]({name}.md)" if package in _LIBRARY else name
            if summary:
                lines.append(f"| {shown} | {summary} |".replace("[n]", "`[n]`"))
    return "\n".join(lines)


def _add_notebook(found, config, path):
    """Markdown stays, code and printed lines become blocks, pictures files."""
    parts, folder = [], f"notebooks/{path.stem}_files"
    for number, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                continue
            text, data = "".join(output.get("text", [])), output.get("data", {})
            if "image/png" in data:
                name = f"{folder}/{number}.png"
                content = base64.b64decode("".join(data["image/png"]))
                found.append(files.File.generated(config, name, content=content))
                parts.append(f"![Output of the cell above]({path.stem}_files/{number}.png)")
            elif text or "text/plain" in data:
                parts.append(f"```text\n{(text or ''.join(data['text/plain'])).rstrip()}\n```")
    found.append(_page(config, f"notebooks/{path.stem}.md", "\n\n".join(parts)))
