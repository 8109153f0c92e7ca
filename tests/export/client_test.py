"""Tests of export.client against a stand-in for TF Serving."""

import os
import socket

import numpy as np
import pytest

from export import client, client_errors, client_settings, saved_model, warmup
from tests.export import stand_in_server

TRANSPORTS = ("grpc", "rest")


@pytest.fixture(scope="module")
def served(model):
    """The model behind both interfaces, and its address by transport."""
    found = stand_in_server.Model(model)
    with stand_in_server.serve_grpc(found) as grpc, stand_in_server.serve_rest(found) as rest:
        yield found, {"grpc": grpc, "rest": rest}


@pytest.fixture(scope="module")
def asked(model):
    """Signature -> inputs of a warmup request."""
    path = os.path.join(model, "1", saved_model.EXTRA, warmup.FILE)
    return {one.signature: one.inputs for one in warmup.read(path)}


@pytest.fixture(params=TRANSPORTS)
def make(request, served):
    """Makes a client of one transport."""
    served[0].forget()

    def made(**changes):
        fields = {"address": served[1][request.param], "backoff_seconds": 0.01} | changes
        return client.Client(client_settings.Settings(transport=request.param, **fields))

    return made


def check_same(found, wanted, atol=1e-4):
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(found[name], value, atol=atol, rtol=1e-3)
        else:
            np.testing.assert_array_equal(found[name], value)


def test_large_batches_are_split_and_joined_in_order(make, served, asked):
    crops = np.resize(asked["serving_default"]["crops"], (40, 9, 56, 112))
    crops *= np.linspace(0.3, 1, 40, dtype=np.float32)[:, None, None, None]
    with make() as grader:
        found = grader.grade_crops(crops)
    check_same(found, served[0].loaded.run("serving_default", crops=crops))
    # A crop is 112,896 bytes (150,528 as base64): 36 or 27 below 4 MiB, and 32 in a batch.
    assert served[0].sizes in ([32, 8], [27, 13])


def test_later_parts_ask_the_version_of_the_first(served, asked):
    served[0].forget()
    settings = client_settings.Settings(served[1]["grpc"], max_batch_size=2)
    with client.Client(settings) as grader:
        grader.grade_crops(asked["serving_default"]["crops"])
    assert served[0].versions == [None, 1, 1]


def test_records_and_scans_are_graded(make, served, asked):
    with make() as grader:
        records = grader.grade_records(list(asked["examples"]["examples"]))
        names = [name.decode() for name in asked["scan"]["levels"]]
        scan = {**asked["scan"], "levels": names}
    with make(max_message_mb=16) as grader:  # numbers are larger as JSON
        discs = grader.grade_scan(**scan)
    loaded = served[0].loaded
    check_same(records, loaded.run("examples", **asked["examples"]))
    scan["levels"] = asked["scan"]["levels"]
    check_same(discs, loaded.run("scan", **scan))
    assert records["key"].dtype == object and isinstance(records["key"][0], bytes)


def test_no_crops_give_no_rows(make):
    with make() as grader:
        found = grader.grade_crops(np.zeros((0, 9, 56, 112)))
    assert len(found["pfirrmann_grade"]) == 0


def test_what_may_pass_is_asked_again(make, served, asked):
    served[0].failures.extend(["UNAVAILABLE", "DEADLINE_EXCEEDED", "UNAVAILABLE"])
    with make(attempts=4) as grader:
        assert len(grader.grade_crops(asked["serving_default"]["crops"])["distance"]) == 6
    served[0].failures.extend(["UNAVAILABLE"] * 2)
    with (
        make(attempts=2) as grader,
        pytest.raises(
            client_errors.UnreachableError, match="no answer in 2 attempts.*as was asked for"
        ),
    ):
        grader.grade_crops(asked["serving_default"]["crops"])


def test_what_is_refused_is_asked_once_and_says_why(make, served, asked):
    with (
        make() as grader,
        pytest.raises(
            client_errors.RefusedError, match="`crops` must each have 112896 bytes"
        ) as caught,
    ):
        grader.grade_crops(np.full((1, 9, 56, 56), 0.5))
    assert "[[" not in str(caught.value) and len(served[0].sizes) == 1
    with (
        make(model="other") as grader,
        pytest.raises(client_errors.RefusedError, match="model other: Servable not found"),
    ):
        grader.grade_crops(asked["serving_default"]["crops"])
    with make(version=7) as grader, pytest.raises(client_errors.RefusedError, match="7"):
        grader.grade_crops(asked["serving_default"]["crops"])


def test_a_late_answer_is_told(make, served, asked):
    served[0].failures.extend(["sleep"])
    with (
        make(deadline_seconds=0.2, attempts=1) as grader,
        pytest.raises(client_errors.UnreachableError, match="no answer within 0.2 s"),
    ):
        grader.grade_crops(asked["serving_default"]["crops"])


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_that_is_gone_is_told(transport):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    settings = client_settings.Settings(address, transport, attempts=2, backoff_seconds=0.01)
    with (
        client.Client(settings) as grader,
        pytest.raises(
            client_errors.UnreachableError, match=f"{address}, model spine_grading: no answer in 2"
        ),
    ):
        grader.grade_crops(np.full((1, 9, 56, 112), 0.5))


def test_wrong_crops_are_not_sent(make, served):
    with make() as grader:
        for wrong in (np.zeros((9, 56, 112)), np.full((1, 9, 56, 112), np.nan)):
            with pytest.raises(ValueError, match="`crops` must"):
                grader.grade_crops(wrong)
    with make(max_message_mb=0.1) as grader, pytest.raises(ValueError, match="`max_message_mb`"):
        grader.grade_crops(np.full((1, 9, 56, 112), 0.5))
    assert not served[0].sizes
