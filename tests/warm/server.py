"""server.py LISTENER PREPARATION: a fork for each client that asks for a process.

Nothing here starts a thread: of all threads, only the one that forks lives on in a fork.
"""

import gc
import marshal
import os
import selectors
import signal
import socket
import sys
import types
from contextlib import suppress

OURS = "pipelines"
LIFELINE = 0
"""The file that ends when the tests do."""


def prepare(preparation: str) -> None:
    """Import libraries, by what they are imported for; our own modules are to be imported anew,
    since they look at the environment and at their files."""
    exec(preparation, {})
    for name in list(sys.modules):
        if name.partition(".")[0] == OURS:
            del sys.modules[name]
    gc.collect()
    gc.freeze()


class Server:
    """Forks, and tells each client how its fork ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._clients: dict[int, socket.socket] = {}  # by the pid of their fork
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for file in (listener, self._woken, LIFELINE):
            self._selector.register(file, selectors.EVENT_READ)

    def serve(self) -> tuple[str, ...] | None:
        """The code to run and its arguments, in a fork; None when the tests have ended."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    order = self._fork()
                    if order:
                        return order
                elif key.fileobj == self._woken:
                    os.read(self._woken, 4096)
                    self._tell_ends()
                elif key.fileobj == LIFELINE:
                    for pid in self._clients:
                        os.kill(pid, signal.SIGKILL)
                    return None
                else:
                    self._pass_on(key.data)

    def _fork(self) -> tuple[str, ...] | None:
        client, _ = self._listener.accept()
        head, files, _, _ = socket.recv_fds(client, 4, 3)
        order = client.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
        pid = os.fork()
        if pid == 0:
            self._forget()
            client.close()
            return self._become(files, *marshal.loads(order))
        for file in files:
            os.close(file)
        self._clients[pid] = client
        self._selector.register(client, selectors.EVENT_READ, pid)
        return None

    def _forget(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for file in (self._listener, *self._clients.values()):
            file.close()
        os.close(self._woken)
        os.close(self._waker)

    def _become(
        self, files: list[int], arguments: tuple[str, ...], environment: dict[str, str], folder: str
    ) -> tuple[str, ...]:
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.stdout.reconfigure(line_buffering=os.isatty(1))
        return arguments

    def _tell_ends(self) -> None:
        for pid in list(self._clients):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                client = self._clients.pop(pid)
                self._selector.unregister(client)
                with suppress(BrokenPipeError):  # it was killed: nobody waits for the code
                    client.sendall(code.to_bytes(4, "big", signed=True))
                client.close()

    def _pass_on(self, pid: int) -> None:
        """Signals that the client was sent; where it was killed, the fork is, too."""
        if pid in self._clients:
            for number in self._clients[pid].recv(16) or [signal.SIGKILL]:
                os.kill(pid, number)


def run(code: str, *arguments: str) -> None:
    """As `python -c CODE ARGUMENT…` does."""
    sys.argv = ["-c", *arguments]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(code, "<string>", "exec"), main.__dict__)


def main(listener: str, preparation: str) -> None:
    sys.path[0] = ""  # as of python -c: this folder's modules are nobody else's
    prepare(preparation)
    order = Server(socket.socket(fileno=int(listener))).serve()
    if order:
        run(*order)


main(*sys.argv[1:])
