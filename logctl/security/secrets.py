"""Text that must not be seen: it can be revealed where it is used, and shows itself nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

HIDDEN: Final = "(not shown)"


class Secret:
    """A password or a key. str(), repr() and formatting give '(not shown)'; `json` and `pickle` refuse it, so that it
    reaches neither a terminal nor a file unless somebody says `reveal()`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __str__(self) -> str:
        return HIDDEN

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memory: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written to files")


def concealed(value: Any) -> Any:
    """Mappings, lists and tuples as they are (tuples as lists), with '(not shown)' in place of every Secret."""
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: concealed(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [concealed(one) for one in value]
    return value
