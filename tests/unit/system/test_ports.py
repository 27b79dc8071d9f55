"""Ports of this machine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from stagebook.system.ports import free_port


def test_a_port_that_somebody_listens_at_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            free_port(port)


def test_a_chosen_port_is_none_that_a_connection_can_take_before_the_server_is_up() -> None:
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not ephemeral.exists():
        pytest.skip("another system")
    first, last = map(int, ephemeral.read_text().split())
    assert not any(first <= free_port() <= last for _ in range(50))
