"""Ports of this machine for servers that are to be started."""

from __future__ import annotations

import random
import socket
from contextlib import closing

# The system gives the ports above to whoever asks for any port, and to every connection: one that is free now may be
# taken before the server is up (Linux from 32768 on; macOS, Windows and the standard from 49152 on; RFC 6335, §6).
_FIRST, _LAST = 20_000, 32_767
_TRIES = 100


def free_port(port: int = 0) -> int:
    """`port`, if nobody listens at it on loopback; for 0 any such port.

    Raises:
        OSError: it is in use.
    """
    for chosen in [port] if port else [*random.sample(range(_FIRST, _LAST + 1), _TRIES), 0]:
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", chosen))
            except OSError:
                if chosen == port:
                    raise
            else:
                return int(probe.getsockname()[1])
    raise AssertionError
