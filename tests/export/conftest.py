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


@pytest.fixture(scope="session")
def paired(model, study_dir, tmp_path_factory):
    """(Report, its folder) of the study with saliency and an earlier study that nobody checked."""
    from export import saliency
    from tests.export import pairs

    earlier_dir = pairs.write_earlier(tmp_path_factory.mktemp("earlier"))
    output_dir = str(tmp_path_factory.mktemp("paired"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saliency, "PATCHES_PER_WIDTH", 2)  # large patches are few
        return pairs.grade(study_dir, earlier_dir, model, output_dir), output_dir
