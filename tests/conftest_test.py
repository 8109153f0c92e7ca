"""Tests of the skip rule in conftest.py, in a project of its own."""

import pathlib
import textwrap

import pytest

from tests import conftest

_TESTS = """
    import pytest

    @pytest.mark.skip(reason="no reason at all")
    def test_skipped():
        pass

    @pytest.mark.xfail(reason="known")
    def test_expected_to_fail():
        raise ValueError

    @pytest.mark.real_data
    def test_on_real_data():
        pass
"""


_SKIPPED_MODULE = """import pytest
pytest.skip("whole file", allow_module_level=True)
"""


@pytest.fixture(name="project")
def _project(pytester):
    source = pathlib.Path(conftest.__file__).read_text(encoding="utf-8")
    pytester.makeini("[pytest]\nmarkers =\n  real_data: uses data that is absent here")
    pytester.mkdir("tests")
    (pytester.path / "tests" / "conftest.py").write_text(source, encoding="utf-8")
    return pytester


def _run(project, allowed, arguments=("-p", "no:xdist")):
    tests = project.path / "tests"
    (tests / "allowed_skips.txt").write_text(allowed, encoding="utf-8")
    (tests / "test_sample.py").write_text(textwrap.dedent(_TESTS), encoding="utf-8")
    (tests / "test_whole.py").write_text(_SKIPPED_MODULE, encoding="utf-8")
    return project.runpytest(*arguments)


@pytest.mark.parametrize("arguments", [("-p", "no:xdist"), ("-n", "1")])
def test_a_skip_that_is_not_listed_fails_the_run(project, arguments):
    result = _run(project, "# nothing\n*real_data | ../shared/data*", arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*skips, allowed*",
            "tests/test_sample.py::test_on_real_data | ../shared/data is absent",
            "*does not allow*",
            "tests/test_sample.py::test_skipped | no reason at all",
            "tests/test_whole.py | whole file",
        ]
    )


def test_listed_skips_pass(project):
    allowed = "*real_data | ../shared/data*\n*::test_skipped | no reason*\n*_whole.py | whole*"
    result = _run(project, allowed)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*does not allow*")


def test_a_line_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="must hold `test | reason`"):
        conftest.allowed_skips("tests/a_test.py::test_b")
