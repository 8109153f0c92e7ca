import jinja2
import pytest

from data_prep import page_template


@pytest.fixture
def module_file(tmp_path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page").write_text("{% if True %}\n{{ word }}\n{% endif %}\n")
    (tmp_path / "templates" / "loud").write_text("{{ word | loud }}")
    return str(tmp_path / "module.py")


def test_html_is_escaped(module_file):
    assert page_template.load(module_file, "page").render(word="<b>") == "&lt;b&gt;\n"


def test_markdown_is_not_escaped(module_file):
    template = page_template.load(module_file, "page", is_html=False)
    assert template.render(word="<b>") == "<b>\n"


def test_a_name_that_is_not_given_is_an_error(module_file):
    with pytest.raises(jinja2.UndefinedError, match="'word' is undefined"):
        page_template.load(module_file, "page").render()


def test_filters(module_file):
    assert page_template.load(module_file, "loud", loud=str.upper).render(word="a") == "A"
