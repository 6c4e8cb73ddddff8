"""The executable. What must be quick is answered here, before anything is loaded that takes time."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command that the arguments name; answers the exit code."""
    if sys.argv[1:] == ["--version"]:
        from logctl import __version__

        print(f"logctl {__version__}")
        return 0
    if sys.argv[1:2] == ["__complete"]:
        from logctl.cli.complete import answer

        sys.stdout.write(answer(sys.argv[2:]))
        return 0
    if sys.argv[1:2] in (["up"], ["node"]):
        from logctl.cli.foreground import quick_start

        code = quick_start(sys.argv[1:])
        if code is not None:
            return code
    from logctl.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
