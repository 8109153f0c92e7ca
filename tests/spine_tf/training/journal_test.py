import io
import json
import math
import os
import sys

import numpy as np
import pytest

from spine_tf.training import journal
from tests.spine_tf.training import small_disk


class Terminal(io.StringIO):
    """Standard error of a person who looks."""

    encoding = "utf-8"

    def isatty(self):
        return True


# === metrics.csv ===


def test_no_file_has_no_rows(tmp_path):
    assert journal.read(str(tmp_path)) == []
    assert journal.epoch_seconds(str(tmp_path)) == 0


def test_a_row_per_epoch(tmp_path):
    journal.write(str(tmp_path), 0, {"loss": 1.25, "val_loss": 2.0})
    journal.write(str(tmp_path), 1, {"loss": 0.123456789, "val_loss": 1e-9})
    expected = "epoch,loss,val_loss\n0,1.25,2\n1,0.123457,1e-09\n"
    assert (tmp_path / journal.METRICS).read_text() == expected
    assert journal.read(str(tmp_path))[1] == {"epoch": "1", "loss": "0.123457", "val_loss": "1e-09"}


def test_an_epoch_that_is_done_again_replaces_its_row_and_the_later_ones(tmp_path):
    for epoch in range(3):
        journal.write(str(tmp_path), epoch, {"loss": epoch})
    journal.write(str(tmp_path), 1, {"loss": 9.0})
    assert [row["loss"] for row in journal.read(str(tmp_path))] == ["0", "9"]


def test_columns_that_come_later_or_are_lost_are_empty_cells(tmp_path):
    journal.write(str(tmp_path), 0, {"loss": 4, "seconds": 7})
    journal.write(str(tmp_path), 1, {"loss": 3, "probe": 0.5})
    journal.write(str(tmp_path), 2, {"loss": 2, "seconds": 9})
    expected = "epoch,loss,seconds,probe\n0,4,7,\n1,3,,0.5\n2,2,9,\n"
    assert (tmp_path / journal.METRICS).read_text() == expected
    assert journal.history(str(tmp_path))[1] == {"epoch": 1, "loss": 3, "probe": 0.5}


def test_a_column_that_only_dropped_rows_had_goes_with_them(tmp_path):
    journal.write(str(tmp_path), 0, {"loss": 4})
    journal.write(str(tmp_path), 1, {"loss": 3, "probe": 0.5})
    journal.write(str(tmp_path), 1, {"loss": 2})
    assert (tmp_path / journal.METRICS).read_text() == "epoch,loss\n0,4\n1,2\n"


def test_what_is_not_a_number_comes_back_as_it_was(tmp_path):
    journal.write(str(tmp_path), 0, {"loss": 4, "auc": math.nan})
    assert math.isnan(journal.history(str(tmp_path))[0]["auc"])


def test_a_full_disk_leaves_the_rows_that_are_there(tmp_path):
    long_name = "a" * 300
    journal.write(str(tmp_path), 0, {"loss": 4})
    before = (tmp_path / journal.METRICS).read_bytes()
    with small_disk.limit(200), pytest.raises(OSError, match="Make room") as error:
        journal.write(str(tmp_path), 1, {"loss": 3, long_name: 1})
    assert error.value.filename == str(tmp_path / journal.METRICS)
    assert "File too large; it is as it was" in error.value.strerror
    assert (tmp_path / journal.METRICS).read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["logs", journal.METRICS]
    journal.write(str(tmp_path), 1, {"loss": 3, long_name: 1})
    assert len(journal.read(str(tmp_path))) == 2


def test_tensorboard_gets_a_file(tmp_path):
    journal.write(str(tmp_path), 0, {"loss": 1.0})
    assert [name for name in os.listdir(tmp_path / "logs") if "tfevents" in name]


# === The line after an epoch ===


def test_the_line_leaves_out_the_losses_of_outputs():
    values = {"loss": 0.5, "val_level/loss": 2.0, "val_level/auc": 0.98765}
    assert journal.line(0, 30, values) == "epoch 1/30: loss 0.5, val_level/auc 0.9877"


def test_a_json_line_has_numbers_and_null():
    values = {"loss": np.float32(0.5), "val_level/auc": math.nan, "rate": math.inf, "seconds": 3}
    line = journal.json_line(np.int64(4), 30, values)
    expected = '{"epoch": 4, "epochs": 30, "loss": 0.5, "val_level/auc": null, "rate": null,'
    assert line == expected + ' "seconds": 3.0}'


def test_a_json_line_is_one_line_of_ascii():
    line = journal.json_line(0, 1, {"val_größe\n/auc": 1.0})
    assert line.isascii() and "\n" not in line
    assert json.loads(line)["val_größe\n/auc"] == 1.0


# === The progress bar ===


def test_the_bar_begins_where_the_epoch_stands():
    with journal.bar(total=10, done=4, epoch=0, epochs=2) as bar:
        assert (bar.total, bar.n) == (10, 4)


def test_the_bar_is_silent_where_nobody_looks(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with journal.bar(total=3, done=0, epoch=0, epochs=1, crops=8) as bar:
        bar.update()
    assert sys.stderr.getvalue() == ""


def test_the_bar_shows_rates_loss_and_both_times_left(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with journal.bar(total=10, done=4, epoch=1, epochs=4, crops=32, epoch_seconds=30) as bar:
        assert "4/10, left ?, run ?, ? steps/s" in str(bar)
        bar.set_postfix(loss="0.2500")
        bar.n = 6
        monkeypatch.setattr(bar, "_time", lambda: bar.start_t + 4)
        # 2 steps in 4 s; 4 steps are left: 8 s. An epoch's training takes 20 s, so validation 10,
        # and two more epochs 60.
        expected = "| 6/10 loss=0.2500, left 00:08, run 01:18, 16 crops/s, 0.5 steps/s"
        assert str(bar).startswith("epoch 2/4 |") and str(bar).endswith(expected)
    assert "epoch 2/4" in sys.stderr.getvalue()


def test_an_epoch_takes_at_least_its_training():
    options = {"rate": 2.0, "epoch_seconds": 0.0}
    assert journal.run_seconds_left(10, 10, 2, **options) == 15
    assert journal.run_seconds_left(0, 10, 0, **options) == 0


def test_an_epoch_takes_the_median_of_those_before(tmp_path):
    for epoch, seconds in enumerate((60, 10, 12)):
        journal.write(str(tmp_path), epoch, {"seconds": seconds})
    assert journal.epoch_seconds(str(tmp_path)) == 12
