import pytest

from data_prep import (
    convert_detection_lib,
    convert_spider_lib,
    dataset_lib,
    rejection,
    settings,
)
from spine_tf.data import records, schema
from tests.data_prep import spider_samples

KEY = b"k" * 32


def test_sources_are_mixed_in_one_data_set(tmp_path):
    spider_samples.write_folder(tmp_path / "spider", ["1_t2", "2_t2"])
    inputs = convert_detection_lib.Inputs(spider_dir=str(tmp_path / "spider"), phantoms=1)
    plan = convert_detection_lib.plan(inputs, KEY)
    assert inputs.source == "spider+phantom" and len(plan.requests) == 3
    output_dir = str(tmp_path / "data")
    dataset_lib.convert(
        plan.requests,
        convert_detection_lib.load,
        settings.Settings(num_shards=1),
        output_dir,
        source=inputs.source,
        encode=convert_detection_lib.encode,
    )
    index = records.open_folder(output_dir).index(schema.SLICE)
    assert len({row["case"] for row in index.rows}) == 3
    assert all(row["label_pixels"] for row in index.rows)


def test_no_source_is_an_error():
    with pytest.raises(ValueError, match="`spider_dir`, `dicom_dir` or `phantoms` must be given"):
        convert_detection_lib.plan(convert_detection_lib.Inputs(), KEY)


def test_an_image_without_a_mask_is_rejected():
    payload = convert_spider_lib.Payload("1_t2.mha", mask_path=None, sacrum=None)
    request = dataset_lib.ScanRequest("s", "f", "c", 0, 0, 1.5, {}, "1_t2.mha", "", payload)
    with pytest.raises(rejection.RejectedInput, match="1_t2.mha: has no mask"):
        convert_detection_lib.load(request)
