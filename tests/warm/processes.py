"""Python processes that start warm: forked from one that has imported the libraries.

`python -c CODE` takes 0.8 s until the first line of Holdfast's runs, nearly all of it the imports
of sqlalchemy, pydantic, requests and others. Here one process (`server.py`) imports them once, and
forks whenever a client (`client.py`, a bare Python that imports nothing) asks for a process. The
fork takes over the client's environment, folder, arguments and open files, imports Holdfast's own
modules anew, and runs CODE as its main program. Signals that reach the client are passed on, and
it ends as the fork did: to its caller it is that process.

What is not as in a cold one: the command line in the list of processes, variables that Python
itself reads at its start (PYTHON…), and that a library which is missing from an import is not
noticed. Tests of these, and of the programs that people start, start cold ones.
"""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent


class WarmPython:
    """A server that has run `preparation`, and the commands that ask it for processes."""

    def __init__(self, preparation: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="holdfast-warm-")
        self._socket = Path(self._folder.name) / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self._socket))
            listener.listen()
            self._server = subprocess.Popen(
                [sys.executable, HERE / "server.py", str(listener.fileno()), preparation],
                # numpy's threads would not live on in a fork.
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )

    def command(self, code: str) -> list[str]:
        """What to start for a process that runs `code`; arguments may follow."""
        return [sys.executable, "-I", "-S", str(HERE / "client.py"), str(self._socket), code]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """The server ends when its stdin does, also when the process of the tests is killed."""
        with self._server:
            pass
        self._folder.cleanup()
