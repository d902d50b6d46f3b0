"""``python -m wflo_schema``, and the command ``wflo-schema``: Ctrl-C during the imports prints no traceback."""

from __future__ import annotations

import os
import signal


def _interrupted(number: int, frame: object) -> None:
    try:  # noqa: SIM105 -- contextlib may not be imported yet
        os.write(2, b"error: interrupted (SIGINT)\n")
    except OSError:
        pass
    os._exit(128 + number)


def main() -> None:
    """Run the command line and exit."""
    signal.signal(signal.SIGINT, _interrupted)
    from wflo_schema.cli.commands import main as run

    run()


if __name__ == "__main__":
    main()
