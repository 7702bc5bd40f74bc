"""How a command of ours begins and ends: signals become exit statuses, with one line said."""

import importlib
import os
import signal
import sys

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


class Terminated(KeyboardInterrupt):
    """Somebody asked us to end: tear down as after Ctrl-C."""


def _terminate(*_: object) -> None:
    raise Terminated


def run(module: str) -> int:
    """Run `main` of a module, which is loaded only now; return 130 after Ctrl-C and 143 after SIGTERM."""
    try:
        signal.signal(signal.SIGTERM, _terminate)
        # An exception that a signal raises while modules load may be lost in the import system; so it has to wait.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        main = importlib.import_module(module).main
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        return int(main())
    except Terminated:
        print("\nAsked to end; nothing is left half done.", file=sys.stderr)
        return 128 + signal.SIGTERM
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left half done.", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read our output has heard enough; without this the interpreter complains once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
