"""Tests of export.server_config."""

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from export import server_config


def test_a_server_can_read_the_list_of_models(tmp_path):
    server_config.write(str(tmp_path), "spine")
    text = (tmp_path / "models.config").read_text()
    found = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (item,) = found.model_config_list.config
    assert (item.name, item.base_path) == ("spine", "/models/spine")
    assert item.model_platform == "tensorflow"


def test_what_a_person_changed_stays(tmp_path):
    (tmp_path / "batching.config").write_text("max_batch_size { value: 8 }\n")
    server_config.write(str(tmp_path), "spine")
    assert (tmp_path / "batching.config").read_text() == "max_batch_size { value: 8 }\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["batching.config", "models.config"]
