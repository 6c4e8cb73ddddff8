"""Nodes in network namespaces of their own, on one bridge: what is cut here is cut for clients too.

    with Namespaces(3) as networks, running_nodes(folder, 3, make=networks.node, host=networks.host) as nodes:
        networks.silence(1)      # what 1 sends reaches nobody
        networks.isolate(1)
        networks.mend()

A cut is a neighbour entry that leads to a machine which does not exist: packets vanish, nobody is told. Needs root, and
`ip` with namespaces; where either is missing the test is skipped with the reason.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Final

import pytest
from support.node import Node

_CLONE_NEWNET: Final = 0x40000000
_NOWHERE: Final = "02:00:00:00:00:fe"
NEEDED: Final = "network namespaces need root"
MISSING: Final = "there are no network namespaces here"


class Namespaces:
    """Use as a context manager, around the nodes."""

    def __init__(self, size: int) -> None:
        if os.geteuid() != 0:
            pytest.skip(NEEDED)
        if shutil.which("ip") is None:
            pytest.skip(f"{MISSING}: ip is not installed")
        self._tag = f"lg{os.getpid() % 100_000}"
        self._net = f"10.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}"
        self._ids = range(1, size + 1)
        self._outside = f"{self._net}.254"

    def __enter__(self) -> Namespaces:
        try:
            _ip("netns", "add", self._name(0))
            _ip("link", "add", self._tag, "type", "bridge")
        except subprocess.CalledProcessError as failure:
            self._remove()
            pytest.skip(f"{MISSING}: {failure.stderr.strip()}")
        self._build()
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def host(self, node_id: int) -> str:
        return f"{self._net}.{node_id}"

    def node(self, folder: Path, port: int, settings: Mapping[str, str], node_id: int) -> Node:
        return _FarNode(folder, port, settings, node_id, self.host(node_id), self._name(node_id))

    def silence(self, node_id: int) -> None:
        """What it sends reaches nobody; what is sent to it arrives."""
        for host in self._others(node_id):
            self._lose(self._name(node_id), host)

    def deafen(self, node_id: int) -> None:
        """What is sent to it vanishes; what it sends arrives."""
        for one in self._ids:
            if one != node_id:
                self._lose(self._name(one), self.host(node_id))
        _ip("neigh", "replace", self.host(node_id), "lladdr", _NOWHERE, "dev", self._tag, "nud", "permanent")

    def isolate(self, node_id: int) -> None:
        self.silence(node_id)
        self.deafen(node_id)

    def mend(self) -> None:
        for one in self._ids:
            for host in self._others(one):
                _ip("-n", self._name(one), "neigh", "del", host, "dev", "eth0", must=False)
            _ip("neigh", "del", self.host(one), "dev", self._tag, must=False)

    def _others(self, node_id: int) -> list[str]:
        return [*(self.host(one) for one in self._ids if one != node_id), self._outside]

    def _lose(self, name: str, host: str) -> None:
        _ip("-n", name, "neigh", "replace", host, "lladdr", _NOWHERE, "dev", "eth0", "nud", "permanent")

    def _name(self, node_id: int) -> str:
        return f"{self._tag}-{node_id}"

    def _cable(self, node_id: int) -> str:
        return f"{self._tag}v{node_id}"

    def _build(self) -> None:
        _ip("addr", "add", f"{self._outside}/24", "dev", self._tag)
        _ip("link", "set", self._tag, "up")
        for one in self._ids:
            name, cable = self._name(one), self._cable(one)
            _ip("netns", "add", name)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", cable, "master", self._tag, "up")
            _ip("-n", name, "addr", "add", f"{self.host(one)}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")

    def _remove(self) -> None:
        for one in (0, *self._ids):
            _ip("link", "del", self._cable(one), must=False)
            _ip("netns", "del", self._name(one), must=False)
        _ip("link", "del", self._tag, must=False)


class _FarNode(Node):
    """A node whose process lives in a namespace."""

    def __init__(
        self, folder: Path, port: int, settings: Mapping[str, str], node_id: int, host: str, namespace: str
    ) -> None:
        super().__init__(folder, port, settings, node_id)
        self._host = host
        self._namespace = namespace

    @property
    def address(self) -> str:
        return f"{self._host}:{self.port}"

    def start(self) -> None:
        """From a thread that has moved there: whom it starts is there too."""
        failures: list[BaseException] = []

        def start() -> None:
            try:
                _enter(self._namespace)
                super(_FarNode, self).start()
            except BaseException as failure:
                failures.append(failure)

        thread = Thread(target=start)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]


def _enter(namespace: str) -> None:
    """Of the calling thread alone."""
    with open(f"/run/netns/{namespace}", "rb") as door:
        if ctypes.CDLL(None, use_errno=True).setns(door.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")


def _ip(*words: str, must: bool = True) -> None:
    subprocess.run(["ip", *words], check=must, capture_output=True, text=True)
