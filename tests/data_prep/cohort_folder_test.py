import os

import pytest

from data_prep import cohort_folder


def _write(item, folder):
    with open(os.path.join(folder, "item"), "w", encoding="utf-8") as file:
        file.write(str(item))


def _folders(tmp_path, count=3):
    return {str(tmp_path / f"s{number}"): number for number in range(count)}


@pytest.mark.parametrize("num_processes", [1, 2])
def test_writes_every_folder_whole(tmp_path, num_processes):
    cohort_folder.write_missing(_write, _folders(tmp_path), num_processes)
    assert [(tmp_path / f"s{n}" / "item").read_text() for n in range(3)] == ["0", "1", "2"]
    assert len(list(tmp_path.iterdir())) == 3


def test_goes_on_with_what_is_missing(tmp_path):
    (tmp_path / "s1").mkdir()
    left = tmp_path / f"s2.tmp-{os.getpid()}"
    left.mkdir()
    (left / "old").touch()
    cohort_folder.write_missing(_write, _folders(tmp_path))
    assert not list((tmp_path / "s1").iterdir())  # kept as it was
    assert [path.name for path in (tmp_path / "s2").iterdir()] == ["item"]


def test_a_folder_belongs_to_one_cohort(tmp_path):
    for _ in range(2):
        cohort_folder.claim(str(tmp_path / "new"), "note.json", {"seed": 1, "sizes": (1, 2)})
    with pytest.raises(ValueError, match="whose note.json has other settings"):
        cohort_folder.claim(str(tmp_path / "new"), "note.json", {"seed": 2, "sizes": (1, 2)})


def test_number_of_processes(tmp_path):
    with pytest.raises(ValueError, match="`num_processes` must be at least 1, got 0"):
        cohort_folder.write_missing(_write, _folders(tmp_path), 0)
