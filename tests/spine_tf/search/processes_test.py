"""Which part of a search a process is."""

import socket
import threading
import time

import pytest

from spine_tf.search import processes

NAMES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")


def _set(monkeypatch, *values):
    for name, value in zip(NAMES, values, strict=True):
        monkeypatch.setenv(name, str(value)) if value else monkeypatch.delenv(name, False)


@pytest.fixture(name="port")
def _port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def test_roles(monkeypatch):
    _set(monkeypatch, "", "", "")
    assert (processes.role(), processes.name()) == ("alone", "tuner0")
    _set(monkeypatch, "chief", "127.0.0.1", 8000)
    assert processes.role() == "chief" and processes.address() == ("127.0.0.1", 8000)
    _set(monkeypatch, "tuner1", "127.0.0.1", 8000)
    assert (processes.role(), processes.name()) == ("worker", "tuner1")


@pytest.mark.parametrize(
    "values, message",
    [
        (("tuner1", "", ""), "must be set together, got KERASTUNER_TUNER_ID."),
        (("", "127.0.0.1", 8000), "got KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT."),
        (("tuner1", "127.0.0.1", "x"), "`KERASTUNER_ORACLE_PORT` must be a number, got 'x'."),
    ],
)
def test_half_an_environment(monkeypatch, values, message):
    _set(monkeypatch, *values)
    with pytest.raises(ValueError, match=message):
        processes.role()


def test_a_worker_waits_for_the_chief(monkeypatch, port):
    _set(monkeypatch, "tuner1", "127.0.0.1", port)
    monkeypatch.setattr(processes, "_WAIT_S", 0.05)
    said = []
    waits = threading.Thread(target=processes.wait_for_chief, args=(said.append,), daemon=True)
    waits.start()
    while not said:
        time.sleep(0.01)
    assert waits.is_alive()
    with socket.create_server(("127.0.0.1", port)):
        waits.join(10)
    assert not waits.is_alive()
    assert said == [f"tuner1: waits for the chief at 127.0.0.1:{port}."]


def test_a_port_that_is_taken(monkeypatch, port):
    _set(monkeypatch, "chief", "127.0.0.1", port)
    processes.check_port()
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(ValueError, match=f"must be free for the chief, got 127.0.0.1:{port}"):
            processes.check_port()
