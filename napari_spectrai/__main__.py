"""The command line, as ``napari-spectrai`` and ``python -m napari_spectrai``."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line; until its modules are imported, and while it prints help, signals end it as they do any program."""
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is started yet, and imports would print a traceback
    if hasattr(signal, "SIGPIPE") and {"--help", "-h", "--version"} & set(sys.argv[1:]):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… --help | head`
    from napari_spectrai.cli import main as run

    if interrupted is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupted)
    run()


if __name__ == "__main__":
    main()
