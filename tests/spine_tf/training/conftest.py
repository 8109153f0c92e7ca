"""One small data set for the folder's tests."""

import pytest

from tests.spine_tf import tiny_runs


@pytest.fixture(scope="package")
def data_dir(tmp_path_factory):
    return tiny_runs.make_data(tmp_path_factory.mktemp("training") / "set")
