"""One small data set and untrained models of it, made once for the folder's tests."""

import pytest

from tests.spine_tf import small_data, untrained


@pytest.fixture(scope="package")
def data_dir(tmp_path_factory):
    visits = (2,) * 9 + (3,) + (1,) * 8
    return small_data.make(tmp_path_factory.mktemp("data") / "set", visits, num_folds=2)


@pytest.fixture(scope="package")
def longitudinal_dir(data_dir, tmp_path_factory):
    return untrained.save(tmp_path_factory.mktemp("longitudinal"), data_dir, "longitudinal")


@pytest.fixture(scope="package")
def grading_dir(data_dir, tmp_path_factory):
    return untrained.save(tmp_path_factory.mktemp("grading"), data_dir, "grading")


@pytest.fixture(scope="package")
def longitudinal_folds_dir(data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("longitudinal_folds")
    return untrained.save_folds(folder, data_dir, "longitudinal", 2)


@pytest.fixture(scope="package")
def grading_folds_dir(data_dir, tmp_path_factory):
    return untrained.save_folds(tmp_path_factory.mktemp("grading_folds"), data_dir, "grading", 2)
