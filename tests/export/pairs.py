"""A study graded beside an earlier one, with everything that can be asked for."""

from export import grade_earlier, grade_lib
from tests import tiny_export


def write_earlier(folder):
    """An earlier study: other images, under another series UID."""
    return tiny_export.write_study(str(folder), seed=1, series_uid="1.2.8")


def grade(study_dir, earlier_dir, model, output_dir, judge=None):
    """Grades with saliency and an earlier study."""
    earlier = grade_earlier.Earlier(str(earlier_dir), judge)
    options = grade_lib.Options(saliency=True, earlier=earlier)
    return grade_lib.grade(study_dir, None, model, str(output_dir), options=options)
