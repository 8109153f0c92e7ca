import hashlib
import json
import os
import stat

import pytest

from spine_tf import files


def test_text_and_bytes_arrive_whole(tmp_path):
    with files.atomic_write(str(tmp_path / "a.txt")) as file:
        file.write("Schmörl\n")
    with files.atomic_write(str(tmp_path / "b"), mode="wb") as file:
        file.write(b"\x00\xff")
    assert (tmp_path / "a.txt").read_bytes() == "Schmörl\n".encode()
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b"]


def test_nothing_is_there_until_the_end(tmp_path):
    path = tmp_path / "a.txt"
    with files.atomic_write(str(path)) as file:
        file.write("half")
        file.flush()
        assert not path.exists()
        assert len(os.listdir(tmp_path)) == 1  # a temporary name in the same folder
    assert path.read_text() == "half"


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        with files.atomic_write(str(path)) as file:
            file.write("new")
            raise RuntimeError("killed in the middle")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_permissions_hold_before_the_first_byte(tmp_path):
    path = tmp_path / "key"
    with files.atomic_write(str(path), mode="wb", permissions=0o600) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        file.write(b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        with files.atomic_write(str(tmp_path / "nowhere" / "a.txt")):
            pass


def test_json_is_sorted_and_ends_with_a_newline(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(str(path), {"b": [1, 2], "a": {"d": None, "c": "x"}})
    text = path.read_text()
    assert text.endswith("}\n")
    assert list(json.loads(text)) == ["a", "b"]
    assert json.loads(text) == {"a": {"c": "x", "d": None}, "b": [1, 2]}


def test_what_is_not_json_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        files.write_json(str(tmp_path / "a.json"), {"a": object()})
    assert os.listdir(tmp_path) == []


def test_a_form_is_read_again(tmp_path):
    path = str(tmp_path / "a.json")
    files.write_json(path, {"format": "mine/1", "a": 1})
    assert files.read_json(path, "mine/1") == {"format": "mine/1", "a": 1}


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "a.json: is not valid JSON"),
        ("[]", "`format` must be 'mine/1', got None."),
        ('{"format": "mine/2"}', "`format` must be 'mine/1', got 'mine/2'."),
    ],
)
def test_another_form_is_refused(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        files.read_json(str(tmp_path / "a.json"), "mine/1")


def test_sha256(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "abc").write_bytes(b"abc")
    large = bytes(range(256)) * 5000  # more than one block
    (tmp_path / "large").write_bytes(large)
    # FIPS 180-2, appendix B.1.
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256(str(tmp_path / "abc")) == abc
    assert files.sha256(str(tmp_path / "empty")).startswith("e3b0c44298fc1c14")
    assert files.sha256(str(tmp_path / "large")) == hashlib.sha256(large).hexdigest()
