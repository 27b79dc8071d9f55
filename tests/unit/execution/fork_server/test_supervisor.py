"""A supervisor ends the process that does not get ready, and tells its owner."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from stagebook.execution.fork import client
from stagebook.execution.fork_server import supervisor
from stagebook.system import processes


@pytest.fixture
def hung() -> Iterator[tuple[int, socket.socket]]:
    """A process that never says that it is ready, and our end of its connection."""
    mine, its = socket.socketpair()
    process = subprocess.Popen(["sleep", "600"], pass_fds=[its.fileno()], start_new_session=True)
    its.close()
    yield process.pid, mine
    assert processes.started_at(process.pid) is None
    process.wait()  # it was waited for
    mine.close()


def assigned() -> tuple[socket.socket, socket.socket]:
    """A connection that has brought the request of an owner, and the owner's."""
    server, assigning = socket.socketpair()
    owner, its_end = socket.socketpair()
    with assigning, its_end:
        client.send(assigning, {"kind": "kernel"}, [its_end.fileno()])
    return server, owner


def test_a_process_that_does_not_get_ready_is_ended_before_it_is_waited_for(
    hung: tuple[int, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "READY", 0.1)
    server, owner = assigned()
    with owner:
        assert supervisor._Supervisor(hung[0], "", hung[1]).run(server) == 1
        assert client.receive(owner) == ({"error": "the forked process did not get ready"}, [])


def test_an_owner_that_goes_meanwhile_is_not_waited_for(hung: tuple[int, socket.socket]) -> None:
    server, owner = assigned()
    going = threading.Timer(0.1, owner.close)
    going.start()
    assert supervisor._Supervisor(hung[0], "", hung[1]).run(server) == 1
    going.join()
