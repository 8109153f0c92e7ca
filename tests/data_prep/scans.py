"""Requests for generated scans, and a loader that keeps a log: for tests of conversion."""

import os

from data_prep import dataset_lib, rejection, settings
from tests import tiny_export

SETTINGS = settings.Settings(crop_scale=0.5, num_shards=2)
LUMBAR = ("L3", "L4", "L5")


def make_request(log, subject, visit=0, *, problem="", **changes):
    """A request for a scan of L3 to L5; `log` is the file that `load` writes to."""
    values = {
        "subject_key": subject,
        "family_key": f"family-{subject}",
        "scan_key": f"{subject}-{visit}",
        "visit": visit,
        "days": 1000 * visit,
        "field_strength_t": 1.5 if visit else 1.0,
        "gradings": {"L4-L5": {"pfirrmann": 1 + visit}},
        "path": f"{subject}/{visit}",
        "uid": f"1.2.{visit}",
        "payload": {"log": str(log), "names": LUMBAR, "seed": visit, "problem": problem},
    }
    return dataset_lib.ScanRequest(**(values | changes))


def make_requests(log):
    """Four subjects; the first comes three times, the second twice. Not in time order."""
    visits = [("b", 1), ("a", 2), ("a", 0), ("b", 0), ("c", 0), ("a", 1), ("d", 0)]
    return [make_request(log, subject, visit) for subject, visit in visits]


def load(request):
    """Makes the scan that a request asks for, and notes that it was asked."""
    payload = request.payload
    with open(payload["log"], "a", encoding="utf-8") as file:
        file.write(request.scan_key + "\n")
    if payload["problem"] == "rejected":
        raise rejection.RejectedInput("a/file.dcm", "1.2.3", "it is broken")
    if payload["problem"] == "interrupted":
        raise KeyboardInterrupt
    found = tiny_export.make_annotation(names=payload["names"])
    return tiny_export.make_volume(payload["seed"]), found


def loaded(log):
    """Keys of the scans that were loaded, in order of their names."""
    if not os.path.exists(log):
        return []
    with open(log, encoding="utf-8") as file:
        return sorted(file.read().split())
