"""Ports for servers that must know their port before they start (a JVM cannot be asked for the one it got).

They come from below the range that the kernel hands to outgoing connections, and each test worker has a stretch of
its own, so that two workers never pick the same one between looking and binding.
"""

from __future__ import annotations

import itertools
import os
import socket

FIRST, LAST = 25000, 32000
WORKERS = 8

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
_width = (LAST - FIRST) // WORKERS
_candidates = itertools.cycle(range(FIRST + _worker * _width, FIRST + (_worker + 1) * _width))


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on now, not handed out again for a long time."""
    for port in itertools.islice(_candidates, _width):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port for test worker {_worker}")
