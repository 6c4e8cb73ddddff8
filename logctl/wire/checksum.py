"""CRC-32C over any buffer, by the `crc32c` package's extension.

Importing the package takes 40 ms, a fifth of a node's start, because it asks the installation for its own version and
loads its command line; the extension inside it takes one. So the extension is loaded by itself, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import cast

from logctl.wire.primitives import Buffer

Checksum = Callable[[Buffer], int]


def _load() -> Checksum:
    package = PathFinder.find_spec("crc32c")
    inside = package.submodule_search_locations if package else None
    extension = PathFinder.find_spec("crc32c._crc32c", inside) if inside else None
    if extension is None or extension.loader is None:
        import crc32c as whole

        return cast(Checksum, whole.crc32c)
    module = module_from_spec(extension)
    extension.loader.exec_module(module)
    return cast(Checksum, module.crc32c)


crc32c: Checksum = _load()
