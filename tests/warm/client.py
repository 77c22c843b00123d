"""client.py SOCKET CODE [ARGUMENT]…: has the server run CODE in a process, and stands for that.

Run with -I -S, and from built-in modules alone: each import here would make every process wait.
"""

import _signal
import _socket
import marshal
import os
import sys

PASSED_ON = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM)
NO_SERVER = 70


def main(path: str, *arguments: str) -> None:
    server = _socket.socket(_socket.AF_UNIX)
    server.connect(path)
    for passed_on in PASSED_ON:
        _signal.signal(passed_on, lambda number, _: server.send(bytes([number])))
    folder = os.getcwd()  # noqa: PTH109 - pathlib takes as long to import as all of this
    order = marshal.dumps((arguments, dict(os.environ), folder))
    files = b"".join(file.to_bytes(4, sys.byteorder) for file in (0, 1, 2))
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)
    server.sendmsg([len(order).to_bytes(4, "big")], [rights])
    server.sendall(order)
    for file in (0, 1, 2):
        os.close(file)  # whoever reads ours shall see the end when the process ends
    end_as(int.from_bytes(server.recv(4) or bytes([0, 0, 0, NO_SERVER]), "big", signed=True))


def end_as(code: int) -> None:
    """End with an exit code, or by a signal where that is negative."""
    if code < 0:
        if -code != _signal.SIGKILL:
            _signal.signal(-code, _signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


main(*sys.argv[1:])
