"""Free ports are free, and are given out once."""

import contextlib
import socket

from tools.servers.ports import LOOPBACK, RANGE, free_port, give_back, is_free


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
