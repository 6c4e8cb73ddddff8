"""Looking again and again: redrawn in place on a terminal, otherwise one JSON object a round.

Whoever reads a pipe gets every round as one line; whoever looks at a terminal sees the newest. What could not be told
in a round is part of that round: it neither ends the watch nor decides its exit code. Ctrl-C is how it ends.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Final

from logctl.cli import output
from logctl.cli.durations import parse_duration_s
from logctl.cli.exits import Exit
from logctl.cli.output import Format, Layout, View
from logctl.errors import LogctlError

_HOME_AND_CLEAR: Final = "\x1b[H\x1b[J"


def watch(look: Callable[[], View], layout: Layout, interval: str) -> int:
    """Show what `look` answers, over and over, `interval` apart. Raises what the first look raises."""
    interval_s = parse_duration_s(interval)
    show = _redraw if sys.stdout.isatty() and layout.form in (Format.TABLE, Format.WIDE) else _print_line
    view = look()
    try:
        while True:
            show(view, layout)
            time.sleep(interval_s)
            view = _look_again(look, view)
    except KeyboardInterrupt:
        return Exit.DONE


def _look_again(look: Callable[[], View], before: View) -> View:
    """The next round; a cluster that is away for a moment shows as an empty round with its reason."""
    try:
        return look()
    except LogctlError as error:
        return before._replace(items=(), errors={"": error})


def _redraw(view: View, layout: Layout) -> None:
    trouble = "".join(f"{output.neutral(str(error))}\n" for error in view.errors.values())
    output.write(f"{_HOME_AND_CLEAR}{time.strftime('%H:%M:%S')}\n{output.laid_out(view, layout)}{trouble}")
    output.flush()


def _print_line(view: View, layout: Layout) -> None:
    output.write(output.neutral_json(json.dumps(view.document(), ensure_ascii=False)) + "\n")
    output.flush()
