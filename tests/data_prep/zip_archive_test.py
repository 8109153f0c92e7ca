import os
import stat
import zipfile

import pytest

from data_prep import rejection, zip_archive


def make_zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return str(path)


def test_members_have_names_like_paths(tmp_path):
    path = make_zip(tmp_path / "a.zip", b__two="2", a="1")
    assert zip_archive.is_zip(path)
    names = zip_archive.list_members(path)
    assert names == [f"{path}/a", f"{path}/b/two"]
    assert zip_archive.split(names[1]) == (path, "b/two")
    assert zip_archive.split(str(tmp_path / "no" / "zip")) is None
    zip_archive.extract(names[1], str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "2"


def test_what_is_no_zip(tmp_path):
    (tmp_path / "text").write_text("text")
    assert not zip_archive.is_zip(str(tmp_path / "text"))
    assert not zip_archive.is_zip(str(tmp_path))


def refused(path, target):
    with pytest.raises(rejection.RejectedInput) as caught:
        zip_archive.extract(path, str(target))
    assert caught.value.rejection.path == path
    return caught.value.rejection.reason


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "c:/evil", "a\\..\\..\\evil"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    info = zipfile.ZipInfo("x")
    info.filename = name  # ZipInfo itself would mend some of them
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "evil")
    (found,) = zip_archive.list_members(str(tmp_path / "a.zip"))
    assert "leads out of the zip file" in refused(found, tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["a.zip"]


def test_links_are_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    (found,) = zip_archive.list_members(str(tmp_path / "a.zip"))
    assert "is a link" in refused(found, tmp_path / "out")


def test_a_zip_bomb_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", bomb=bytes(2**26 + 1))  # 1000 times as large as packed
    assert os.path.getsize(path) < 2**17
    assert "zip bomb" in refused(f"{path}/bomb", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_member_that_lies_of_its_size_is_cut_at_it(tmp_path):
    path = make_zip(tmp_path / "a.zip", bomb=bytes(10**6))
    content = (tmp_path / "a.zip").read_bytes()
    content = content.replace((10**6).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(content)
    assert "cannot be unpacked (BadZipFile)" in refused(f"{path}/bomb", tmp_path / "out")
    assert os.path.getsize(tmp_path / "out") <= 100


def test_a_broken_member_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", a=os.urandom(1000))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[200] ^= 255
    (tmp_path / "a.zip").write_bytes(content)
    assert "cannot be unpacked" in refused(f"{path}/a", tmp_path / "out")
    assert "cannot be unpacked (KeyError)" in refused(f"{path}/b", tmp_path / "out")
