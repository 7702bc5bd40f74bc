"""Free ports are free, and are given out once."""

import contextlib
import socket

import pytest

from tools.servers.ports import LOOPBACK, RANGE, SHARE_VARIABLE, free_port, give_back, is_free, share


def test_a_port_is_given_out_once() -> None:
    ports = [free_port() for _ in range(20)]

    assert len(set(ports)) == len(ports)
    assert all(port in RANGE for port in ports)
    for port in ports:
        give_back(port)


def test_a_port_that_is_listened_on_is_not_free() -> None:
    port = free_port()
    with contextlib.closing(socket.socket()) as server:
        server.bind((LOOPBACK, port))
        server.listen()

        assert not is_free(port)
    assert is_free(port)
    give_back(port)


def test_processes_that_share_the_range_are_given_different_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    for number in range(3):
        monkeypatch.setenv(SHARE_VARIABLE, f"{number}/3")
        given.append([free_port() for _ in range(5)])
    for port in (port for ports in given for port in ports):
        give_back(port)

    assert max(given[0]) < min(given[1])
    assert max(given[1]) < min(given[2])


def test_a_share_is_shared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes of one run of pytest, beside those of another."""
    monkeypatch.delenv(SHARE_VARIABLE, raising=False)
    assert [share(number, 2) for number in range(2)] == ["0/2", "1/2"]

    monkeypatch.setenv(SHARE_VARIABLE, "1/2")
    assert [share(number, 3) for number in range(3)] == ["3/6", "4/6", "5/6"]
