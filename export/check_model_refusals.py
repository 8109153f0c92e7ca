"""Rules on bad inputs: refused with a reason, and the server lives on."""

from collections.abc import Iterator, Mapping

import numpy as np

from export import c_api, check_model_rules
from spine_tf import serving
from spine_tf.data import crops as crop_rules

_REFUSALS = ("INVALID_ARGUMENT", "DATA_LOSS", "OUT_OF_RANGE", "FAILED_PRECONDITION")
_REMEDY = "Export again with this version of spine_tf, whose graph checks its inputs."
_Case = tuple[str, str, Mapping[str, np.ndarray]]


def _wrong_shapes(subject: check_model_rules.Subject) -> Iterator[_Case]:
    """What is wrong, signature, inputs."""
    crops = subject.crops
    for signature in (serving.DEFAULT, serving.EMBED):
        yield "a slice missing", signature, {"crops": crops[:, 1:]}
        yield "rows missing", signature, {"crops": crops[:, :, 8:]}
        yield "no batch axis", signature, {"crops": crops[0]}
        yield "float64", signature, {"crops": crops.astype(np.float64)}
    packed = subject.inputs_of(serving.PACKED)["crops"]
    yield "bytes missing", serving.PACKED, {"crops": np.array([packed[0][:-2]], object)}
    yield "bytes of two crops", serving.PACKED, {"crops": np.array([packed[0] * 2], object)}
    yield "not a batch", serving.EXAMPLES, {"examples": np.array(b"", object)}
    scan = subject.inputs_of(serving.SCAN)
    yield "one slice as a scan", serving.SCAN, {**scan, "volume": scan["volume"][0]}
    yield "a level missing", serving.SCAN, {**scan, "levels": scan["levels"][1:]}
    yield "three corners", serving.SCAN, {**scan, "corners_mm": scan["corners_mm"][:, :3]}


def _wrong_values(subject: check_model_rules.Subject) -> Iterator[_Case]:
    crops = subject.crops
    for value in (np.nan, np.inf, -0.5, crop_rules.MAX_INTENSITY + 0.5):
        spoilt = crops.copy()
        spoilt[-1, -1, -1, -1] = value
        for signature in (serving.DEFAULT, serving.EMBED):
            yield f"a pixel of {value:g}", signature, {"crops": spoilt}
    records = subject.inputs_of(serving.EXAMPLES)["examples"]
    yield "no record", serving.EXAMPLES, {"examples": np.array([b"no record"], object)}
    cut = np.array([records[0][: len(records[0]) // 2]], object)
    yield "half a record", serving.EXAMPLES, {"examples": cut}
    yield from _wrong_scans(subject.inputs_of(serving.SCAN))


def _wrong_scans(scan: Mapping[str, np.ndarray]) -> Iterator[_Case]:
    corners_mm, names = scan["corners_mm"], scan["levels"]
    one = {"corners_mm": corners_mm[:1], "levels": names[:1]}
    yield "one vertebra", serving.SCAN, {**scan, **one}
    yield "levels out of order", serving.SCAN, {**scan, "levels": names[::-1].copy()}
    yield "a level twice", serving.SCAN, {**scan, "levels": np.resize(names[:1], len(names))}
    unknown = np.array([b"X9", *names[1:]], object)
    yield "an unknown level", serving.SCAN, {**scan, "levels": unknown}
    yield "corners of NaN", serving.SCAN, {**scan, "corners_mm": corners_mm * np.nan}
    yield "corners elsewhere", serving.SCAN, {**scan, "corners_mm": corners_mm + 5000.0}
    flipped = scan["affine"] * np.array([[-1.0], [1], [1], [1]])
    yield "slices left to right", serving.SCAN, {**scan, "affine": flipped}


def _refused(cases, subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    """All are refused, and a good request is answered after them."""
    answered, count = [], 0
    for what, signature, inputs in cases(subject):
        count += 1
        try:
            subject.loaded.ask(signature, **inputs)
        except c_api.Error as error:
            if error.code not in _REFUSALS:
                answered.append(f"{signature}, {what}: {error.code}")
        else:
            answered.append(f"{signature}, {what}: answered")
    subject.loaded.ask(serving.DEFAULT, crops=subject.crops)
    measured = {"tried": count, "refused": count - len(answered)}
    return check_model_rules.Verdict(
        not answered, measured | ({"not": answered} if answered else {})
    )


def _empty(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    """No crop, no answer: every output has 0 rows, or the request is refused."""
    found = {}
    for name in (serving.DEFAULT, serving.PACKED, serving.EMBED, serving.EXAMPLES):
        inputs = {key: value[:0] for key, value in subject.inputs_of(name).items()}
        try:
            answer = subject.loaded.ask(name, **inputs)
        except c_api.Error as error:
            found[name] = "refused" if error.code in _REFUSALS else error.code
        else:
            is_empty = all(len(value) == 0 for value in answer.values())
            found[name] = "0 rows" if is_empty else "rows of nothing"
    allowed = {"refused", "0 rows"}
    return check_model_rules.Verdict(set(found.values()) <= allowed, found)


RULES = (
    check_model_rules.Rule(
        "wrong_shapes",
        "all refused, and a good request answered after them",
        _REMEDY,
        lambda subject: _refused(_wrong_shapes, subject),
    ),
    check_model_rules.Rule(
        "wrong_values",
        "all refused (NaN, out of range, broken records, scans that cannot be), and a good request"
        " answered after them",
        _REMEDY,
        lambda subject: _refused(_wrong_values, subject),
    ),
    check_model_rules.Rule("empty_batches", "an answer of 0 rows, or a refusal", _REMEDY, _empty),
)
