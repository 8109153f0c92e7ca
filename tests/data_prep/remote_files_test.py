import importlib.util
import subprocess
import sys

import pytest

from data_prep import archive, convert_dicom, header_scan, rejection, remote_files
from spine_tf import cli
from tests import tiny_export
from tests.data_prep import dicom_samples, s3_server

_BUCKET = "studies"


@pytest.fixture
def here(monkeypatch):
    """Opens addresses in this process."""
    monkeypatch.setattr(remote_files, "_call", lambda function, *names: function(*names))


@pytest.mark.parametrize(
    ("path", "expected"),
    [("s3://a/b", True), ("https://a/b", False), ("/a/b.zip/s3://c", False), ("a:/b", False)],
)
def test_what_is_an_address(path, expected):
    assert remote_files.is_address(path) == expected


def test_a_folder_by_its_address_is_read_as_the_folder(tmp_path, here):
    dicom_samples.write_study(tmp_path)
    (tmp_path / "vertebrae.json").write_text("{}")
    address = f"file://{tmp_path}"
    listing = archive.open_input(address)
    with open(listing.beside[0]) as file:
        assert file.read() == "{}"
    found = header_scan.scan(listing)
    expected = header_scan.scan(archive.open_input(str(tmp_path)))
    assert [item.uid for item in found.series] == [item.uid for item in expected.series]
    assert found.not_needed == expected.not_needed
    assert found.series[0].paths == tuple(
        path.replace(str(tmp_path), address) for path in expected.series[0].paths
    )
    read, one = (archive.read_volume(item.series[0]) for item in (found, expected))
    assert (read.array == one.array).all()


def test_what_is_not_there(tmp_path, here):
    with pytest.raises(FileNotFoundError, match="no such folder, or it cannot be reached"):
        remote_files.list_files(f"file://{tmp_path}/absent")
    with pytest.raises(ValueError, match="nothing that is installed opens such addresses"):
        remote_files.list_files("nowhere://a/b")
    with pytest.raises(rejection.RejectedInput, match="cannot be fetched .NotFoundError"):
        remote_files.fetch([f"file://{tmp_path}/absent"], [str(tmp_path / "copy")])


def test_the_output_stays_on_this_machine(capfd):
    arguments = ["--input_dir=s3://studies", "--output_dir=s3://data"]
    status = cli.call(convert_dicom.define_flags, convert_dicom.main, arguments)
    assert status == cli.EXIT_FAILED
    assert "`output_dir` must be a folder of this machine" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(
    not importlib.util.find_spec("tensorflow_io"),
    reason="tensorflow-io is not installed in this environment",
)
@pytest.mark.skipif(not s3_server.is_there(), reason=s3_server.ABSENT)
def test_a_bucket_gives_the_records_of_its_folder(tmp_path):
    studies = tmp_path / "in"
    tiny_export.write_study(str(studies / "somebody"))
    (studies / "broken.dcm").write_text("nothing")
    found = []
    with s3_server.running(studies, _BUCKET, tmp_path / "log") as environment:
        for number, address in enumerate((studies, f"s3://{_BUCKET}")):
            out = tmp_path / f"{number}"
            command = [sys.executable, "-m", "data_prep.convert_dicom", f"--input_dir={address}"]
            command += [f"--output_dir={out}", f"--key_file={tmp_path / 'key'}"]
            command += ["--num_shards=1", "--crop_scale=0.5", "--decoder=tfio"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            assert done.returncode == cli.EXIT_REJECTED, done.stdout + done.stderr
            assert "pure virtual" not in done.stderr
            assert f"rejected: {address}/broken.dcm" in done.stdout
            found.append({path.name: path.read_bytes() for path in out.glob("*.tfrecord")})
    assert found[0] == found[1] and found[0]
