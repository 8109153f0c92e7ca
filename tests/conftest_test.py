"""Tests of the skip rule in conftest.py, in a project of its own."""

import pathlib

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


@pytest.fixture(name="project")
def _project(pytester):
    source = pathlib.Path(conftest.__file__).read_text(encoding="utf-8")
    pytester.makeini("[pytest]\nmarkers =\n  real_data: uses data that is absent here")
    pytester.mkdir("tests")
    (pytester.path / "tests" / "conftest.py").write_text(source, encoding="utf-8")
    return pytester


def _run(project, allowed, tests=_TESTS, arguments=("-p", "no:xdist")):
    (project.path / "tests" / "allowed_skips.txt").write_text(allowed, encoding="utf-8")
    path = project.makepyfile(test_sample=tests)
    path.rename(project.path / "tests" / path.name)
    return project.runpytest(*arguments)


@pytest.mark.parametrize("arguments", [("-p", "no:xdist"), ("-n", "1")])
def test_a_skip_that_is_not_listed_fails_the_run(project, arguments):
    result = _run(project, "# nothing\n*real_data | ../shared/data*", arguments=arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*skips, allowed*",
            "tests/test_sample.py::test_on_real_data | ../shared/data is absent",
            "*does not allow*",
            "tests/test_sample.py::test_skipped | no reason at all",
        ]
    )


def test_listed_skips_pass(project):
    result = _run(project, "*real_data | ../shared/data*\n*::test_skipped | no reason*")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*does not allow*")


@pytest.mark.parametrize("arguments", [("-p", "no:xdist"), ("-n", "1")])
def test_a_skipped_module_counts(project, arguments):
    tests = 'import pytest\npytest.skip("whole file", allow_module_level=True)'
    result = _run(project, "", tests=tests, arguments=arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*does not allow*", "*test_sample.py | whole file"])


def test_a_line_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="must hold `test | reason`"):
        conftest.allowed_skips("tests/a_test.py::test_b")
