import numpy as np
import pytest

from export import saved_model, score_columns, score_files

COLUMNS = {
    "key": score_columns.TEXT,
    "visit": score_columns.INTEGER,
    "chance": score_columns.NUMBER,
    "distance": score_columns.MEASURED,
    "is_outlier": score_columns.FLAG,
    "error": score_columns.TEXT,
}
ROWS = [
    {"key": "a", "visit": 0, "chance": 0.25, "distance": 0.5, "is_outlier": False},
    {"key": "b", "error": 'no, "not" this\none'},
    {"key": "ü", "visit": 12, "chance": 0.000001, "distance": 2.5e-8, "is_outlier": True},
]
BATCHES = [ROWS[:2], [], ROWS[2:]]


@pytest.mark.parametrize("ending", score_files.ENDINGS)
def test_what_is_written_is_read(tmp_path, ending):
    path = str(tmp_path / f"scores{ending}")
    score_files.write(path, COLUMNS, iter(BATCHES))
    first = (tmp_path / f"scores{ending}").read_bytes()
    assert score_files.column_names(path) == list(COLUMNS)
    found = score_files.read(path, COLUMNS).to_pylist()
    rows = [
        row | {"distance": np.float32(d)} if (d := row.get("distance")) else row for row in ROWS
    ]
    assert found == [{name: row.get(name) for name in COLUMNS} for row in rows]
    some = score_files.read(path, {"chance": score_columns.NUMBER})
    assert some.to_pydict() == {"chance": [0.25, None, 0.000001]}
    score_files.write(path, COLUMNS, iter(BATCHES))
    assert (tmp_path / f"scores{ending}").read_bytes() == first
    with pytest.raises(ValueError, match=f"{path}: must have the column 'other'"):
        score_files.read(path, {"key": score_columns.TEXT, "other": score_columns.NUMBER})


def test_csv_as_a_person_sees_it(tmp_path):
    path = tmp_path / "scores.csv"
    score_files.write(str(path), COLUMNS, iter(BATCHES))
    assert path.read_text(encoding="utf-8") == (
        "key,visit,chance,distance,is_outlier,error\n"
        "a,0,0.250000,0.5,0,\n"
        'b,,,,,"no, ""not"" this\none"\n'
        "ü,12,0.000001,2.5e-08,1,\n"
    )


@pytest.mark.parametrize("ending", score_files.ENDINGS)
def test_what_is_measured_is_read_as_it_was(tmp_path, ending):
    path = str(tmp_path / f"scores{ending}")
    values = np.float32(10) ** np.random.default_rng(0).uniform(-30, 30, 2000).astype(np.float32)
    info = {"gradings": [], "reference": {"features": ["embedding_0"]}}
    model = saved_model.Exported("m/1", info, {})
    outputs = {"distance": values, "is_outlier": values > 1, "features": values[:, None]}
    columns = {"distance": score_columns.MEASURED, "embedding_0": score_columns.MEASURED}
    rows = [score_columns.cells_of(model, outputs, i) for i in range(len(values))]
    score_files.write(path, columns, [rows])
    found = score_files.read(path, columns)
    for name in columns:
        np.testing.assert_array_equal(found[name].to_numpy(), values)


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
