"""SPIDER's patients, and which fold of a data set leaves each of them out."""

import os
from collections.abc import Iterator, Sequence

from data_prep import convert_spider_lib, dataset_lib, deidentify
from spine_tf.data import records
from spine_tf.evaluation import fold
from spine_tf.training import model_folder


def key(data_dir: str) -> bytes:
    """Returns the key of a data set's pseudonyms, by which patients are found in its folds.

    Raises:
        FileNotFoundError: If it is not there.
    """
    path = deidentify.choose_key_file(None, data_dir)
    if path and not os.path.exists(path):
        raise FileNotFoundError(
            f"{path}: the key of the pseudonyms in {data_dir} is missing, and no other can be made."
            f" Put it there, or set {deidentify.KEY_VARIABLE}."
        )
    return deidentify.load_or_make_key(path)


def left_out(
    spider_dir: str, data_dir: str, model_dir: str
) -> Iterator[tuple[model_folder.ModelFolder, Sequence[dataset_lib.ScanRequest]]]:
    """Yields the model of each fold and the scans of the patients that it leaves out as its test.

    Args:
        spider_dir: SPIDER's folder.
        data_dir: The data set that the models were trained on.
        model_dir: The model folder of a fold, or with all of them.
    """
    data = records.open_folder(data_dir)
    inputs = convert_spider_lib.Inputs(input_dir=spider_dir)
    requests = convert_spider_lib.plan(inputs, key(data_dir)).requests
    for folder in fold.find_folders(model_dir):
        split_of = data.families(folder.protocol)
        yield folder, [one for one in requests if split_of[one.family_key] == "test"]
