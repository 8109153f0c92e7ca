import pytest

from export import score_columns, score_files

COLUMNS = {
    "key": score_columns.TEXT,
    "visit": score_columns.INTEGER,
    "distance": score_columns.NUMBER,
    "is_outlier": score_columns.FLAG,
    "error": score_columns.TEXT,
}
ROWS = [
    {"key": "a", "visit": 0, "distance": 0.25, "is_outlier": False},
    {"key": "b", "error": 'no, "not" this\none'},
    {"key": "ü", "visit": 12, "distance": 1.000001, "is_outlier": True},
]
BATCHES = [ROWS[:2], [], ROWS[2:]]


@pytest.mark.parametrize("ending", score_files.ENDINGS)
def test_what_is_written_is_read(tmp_path, ending):
    path = str(tmp_path / f"scores{ending}")
    score_files.write(path, COLUMNS, iter(BATCHES))
    first = (tmp_path / f"scores{ending}").read_bytes()
    assert score_files.column_names(path) == list(COLUMNS)
    found = score_files.read(path, COLUMNS).to_pylist()
    assert found == [{name: row.get(name) for name in COLUMNS} for row in ROWS]
    some = score_files.read(path, {"distance": score_columns.NUMBER})
    assert some.to_pydict() == {"distance": [0.25, None, 1.000001]}
    score_files.write(path, COLUMNS, iter(BATCHES))
    assert (tmp_path / f"scores{ending}").read_bytes() == first
    with pytest.raises(ValueError, match=f"{path}: must have the column 'other'"):
        score_files.read(path, {"key": score_columns.TEXT, "other": score_columns.NUMBER})


def test_csv_as_a_person_sees_it(tmp_path):
    path = tmp_path / "scores.csv"
    score_files.write(str(path), COLUMNS, iter(BATCHES))
    assert path.read_text(encoding="utf-8") == (
        "key,visit,distance,is_outlier,error\n"
        "a,0,0.250000,0,\n"
        'b,,,,"no, ""not"" this\none"\n'
        "ü,12,1.000001,1,\n"
    )


@pytest.mark.parametrize("ending", score_files.ENDINGS)
def test_no_rows(tmp_path, ending):
    path = str(tmp_path / f"scores{ending}")
    score_files.write(path, COLUMNS, [])
    assert score_files.read(path, COLUMNS).num_rows == 0


def test_another_ending_and_no_table(tmp_path):
    with pytest.raises(ValueError, match="must end with .csv, .parquet, .jsonl, got scores.txt"):
        score_files.write("scores.txt", COLUMNS, [])
    path = tmp_path / "broken.parquet"
    path.write_text("no parquet")
    with pytest.raises(ValueError, match="broken.parquet: cannot be read as scores"):
        score_files.read(str(path), COLUMNS)
