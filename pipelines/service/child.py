"""Turn into a program that is told to end when the process that wanted it does.

Run as a script, never imported: OWNER PROGRAM [ARGUMENT…]. A supervisor that is killed with kill -9
can't stop what it started; Linux can. Elsewhere the next `up` or `down` finds what was left.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>


def main(owner: int, command: list[str]) -> None:
    """Replace this process by the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != owner:
            sys.exit("the service ended before this process had begun")
    os.execv(command[0], command)  # noqa: S606 - its whole purpose


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
