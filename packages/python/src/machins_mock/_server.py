"""A mock server in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING
from weakref import WeakSet

from machins_mock._control import MockServerError
from machins_mock._world import World

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self

# A little more than the server gives requests under way when it stops, in seconds.
_GRACE = 6.0

_servers: WeakSet[MockServer] = WeakSet()


def program() -> str:
    """Returns the path of the program ``machins``: of the variable ``MACHINS``, or in this package.

    One on the ``PATH`` is not used: the package ``machins`` of the vendor has a script of this
    name. Raises ``FileNotFoundError`` if there is none.
    """
    chosen = os.environ.get("MACHINS")
    if chosen:
        return chosen
    name = "machins.exe" if os.name == "nt" else "machins"
    own = Path(__file__).parent / "bin" / name
    if own.exists():
        return str(own)
    raise FileNotFoundError(
        "this machins-mock has no program for this platform: "
        "install machins-cli, and set MACHINS to the path of its program"
    )


class MockServer(World):
    """A server of its own process, which ends when this process does, even if that is killed.

    Children that are forked with ``os.fork``, as ``multiprocessing`` does, do not keep it running.
    It is a world itself, and ``create_world`` makes others beside it. As a context manager it is
    stopped at the end of the block.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        arguments: Sequence[str] = (),
        log: IO[bytes] | None = None,
    ) -> None:
        """Starts a server on a free port.

        With a ``seed``, ids and keys are the same in each run. ``arguments`` are further options of
        ``machins mock serve``. ``log`` gets a line for each request; by default there is no log.

        Raises ``MockServerError`` if the server does not start.
        """
        command = [program(), "--json", "mock", "serve", "--port", "0", "--until-stdin-closes"]
        command += ["--log", "off" if log is None else "text"]
        if seed is not None:
            command += ["--seed", str(seed)]
        try:
            self._process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        except OSError as error:
            raise MockServerError(f"could not start {command[0]}: {error}") from error
        _servers.add(self)
        assert self._process.stdout is not None
        # The first line is printed when the server is ready.
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._close_pipes()
            raise MockServerError(f"{' '.join(command)} ended with status {status}; see stderr")
        try:
            url = json.loads(line)["url"]
        except (ValueError, LookupError, TypeError):
            self._kill()
            raise MockServerError(f"{command[0]} is not machins: it printed {line!r}") from None
        super().__init__(url)

    def stop(self) -> None:
        """Stops the server. Requests under way are answered first, within 5 seconds."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
            try:
                self._process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                # Another process has the pipe open: one that was forked in C, say.
                self._process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GRACE)
            finally:
                self._kill()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _let_go() -> None:
    # A server ends when the last process that has the other end of its stdin closes it.
    for server in _servers:
        if server._process.stdin is not None:
            server._process.stdin.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)
