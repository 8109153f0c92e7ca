"""Marks, TensorFlow's environment, and the rule that every skip is printed and must be allowed."""

import fnmatch
import os
import pathlib

import pytest

_ALLOWED_SKIPS = pathlib.Path(__file__).with_name("allowed_skips.txt")
_REAL_DATA = pathlib.Path(__file__).parents[2] / "shared" / "data"
_REAL_DATA_REASON = "../shared/data is absent"

# Set before any test imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores instead of fighting for them
    for _name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(_name, "1")


def pytest_configure(config):
    config.pluginmanager.register(SkipRule(config), "spine_tf_skip_rule")


def pytest_collection_modifyitems(items):
    if not _REAL_DATA.is_dir():
        for item in items:
            if item.get_closest_marker("real_data"):
                item.add_marker(pytest.mark.skip(reason=_REAL_DATA_REASON))


@pytest.fixture
def untraced():
    """Runs tf.functions as plain Python, where making the graph of a single step takes longest.

    That the same code can be traced is seen by other tests.
    """
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


class SkipRule:
    """Prints all skips at the end; one that allowed_skips.txt does not allow fails the run."""

    def __init__(self, config):
        self.config = config
        self.skips = set()  # (node id, reason)

    def pytest_runtest_logreport(self, report):
        self._note(report)

    def pytest_collectreport(self, report):
        self._note(report)

    def _note(self, report):
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self.skips.add((report.nodeid, str(reason).removeprefix("Skipped: ")))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        output = getattr(node, "workeroutput", {})
        self.skips.update(tuple(skip) for skip in output.get("skips", []))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        if hasattr(self.config, "workeroutput"):  # this process is an xdist worker
            self.config.workeroutput["skips"] = sorted(self.skips)
        elif self._forbidden() and session.exitstatus in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        forbidden = self._forbidden()
        for title, skips in (
            ("skips, allowed", self.skips - forbidden),
            ("skips that tests/allowed_skips.txt does not allow: they fail the run", forbidden),
        ):
            if skips:
                terminalreporter.section(title)
                for node_id, reason in sorted(skips):
                    terminalreporter.line(f"{node_id} | {reason}")

    def _forbidden(self):
        patterns = allowed_skips(_ALLOWED_SKIPS.read_text(encoding="utf-8"))
        return {
            (node_id, reason)
            for node_id, reason in self.skips
            if not any(
                fnmatch.fnmatchcase(node_id, node_pattern)
                and fnmatch.fnmatchcase(reason, reason_pattern)
                for node_pattern, reason_pattern in patterns
            )
        }


def allowed_skips(text):
    """Parses allowed_skips.txt to [(node id pattern, reason pattern)]."""
    patterns = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            node_pattern, separator, reason_pattern = line.partition(" | ")
            if not separator:
                raise ValueError(f"`allowed_skips.txt` must hold `test | reason`, got {line!r}.")
            patterns.append((node_pattern.strip(), reason_pattern.strip()))
    return patterns
