"""What the tests of export share: an exported model and a study, each made once."""

import os

import pytest

from tests import tiny_export


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """An export folder with one version of a calibrated model."""
    from export import export_lib

    folder = tiny_export.make_model_folder(tmp_path_factory.mktemp("model"))
    folder = tiny_export.calibrate(folder)
    return os.path.dirname(export_lib.export(folder.path, str(tmp_path_factory.mktemp("export"))))


@pytest.fixture(scope="session")
def study_dir(tmp_path_factory):
    """A DICOM study with vertebrae.json and gradings.csv."""
    return tiny_export.write_study(str(tmp_path_factory.mktemp("study")))
