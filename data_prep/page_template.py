"""Pages from the templates beside the code: every name must be given."""

import os

import jinja2


def load(module_file: str, name: str, *, is_html: bool = True, **filters) -> jinja2.Template:
    """Returns a template of the folder `templates` beside a module.

    Args:
        module_file: `__file__` of the module.
        name: File name of the template.
        is_html: Whether values are escaped; False is for Markdown, of this library's own values.
        **filters: Filters of the template by name.
    """
    folder = os.path.join(os.path.dirname(module_file), "templates")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=is_html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not is_html,
    )
    environment.filters |= filters
    return environment.get_template(name)
