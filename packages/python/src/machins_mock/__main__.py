"""The command ``machins-mock``: ``machins mock`` of the program in this package."""

import os
import subprocess
import sys

from machins_mock._server import program


def main() -> int:
    """Runs ``machins mock`` with the arguments of this command."""
    try:
        command = [program(), "mock", *sys.argv[1:]]
    except FileNotFoundError as error:
        print(f"machins-mock: {error}", file=sys.stderr)
        return 1
    try:
        if os.name == "posix":
            os.execv(command[0], command)
        return subprocess.call(command)
    except OSError as error:
        print(f"machins-mock: could not start {command[0]}: {error.strerror}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
