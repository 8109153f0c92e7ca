import os

from spine_tf.training import journal


def test_no_file_has_no_rows(tmp_path):
    assert journal.read(str(tmp_path)) == []


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


def test_tensorboard_gets_a_file(tmp_path):
    journal.write(str(tmp_path), 0, {"loss": 1.0})
    assert [name for name in os.listdir(tmp_path / "logs") if "tfevents" in name]


def test_the_line_leaves_out_the_losses_of_outputs():
    values = {"loss": 0.5, "val_level/loss": 2.0, "val_level/auc": 0.98765}
    assert journal.line(0, 30, values) == "epoch 1/30: loss 0.5, val_level/auc 0.9877"


def test_the_bar_begins_where_the_epoch_stands():
    with journal.bar(total=10, done=4, epoch=0, epochs=2) as bar:
        assert (bar.total, bar.n) == (10, 4)
