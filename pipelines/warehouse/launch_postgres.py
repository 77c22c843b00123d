"""Become another user, if asked to, and turn into a Postgres program.

Run as a script, never imported: UID GID CAPABILITY OWNER PROGRAM [ARGUMENT…], "-" for what does
not apply. Postgres refuses to run as root, and the user it runs as instead may be unable to pass
the folders above the project (/root is 0700). Their permissions are not ours to change, so the new
user keeps one capability that lets it pass: an ambient one, which survives both the change of user
and exec. Everything is imported at the top: the new user may be unable to read Python's own files.
"""

import ctypes
import os
import sys

# From <linux/prctl.h>, <linux/securebits.h> and <linux/capability.h>.
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_GET_SECUREBITS, PR_SET_SECUREBITS = 27, 28
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
# Without this bit access(2) ignores the capability, and Postgres, which asks it about its own
# path, stops with "could not locate my own executable path".
SECBIT_NO_SETUID_FIXUP = 1 << 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522
SIGQUIT = 3  # to a postmaster: stop at once, and take the backends along


def main(arguments: list[str]) -> None:
    """Replace this process by the program; leave a sentence on stderr where that fails."""
    uid, gid, capability, owner, *command = arguments
    step = ""
    try:
        if capability != "-":
            step = "keep capabilities while changing user"
            _prctl(PR_SET_SECUREBITS, _prctl(PR_GET_SECUREBITS) | SECBIT_NO_SETUID_FIXUP)
            _prctl(PR_SET_KEEPCAPS, 1)
        if uid != "-":
            step = f"become the user with uid {uid}, gid {gid}"
            os.setgroups([])
            os.setgid(int(gid))
            os.setuid(int(uid))
        if capability != "-":
            step = f"keep capability {capability} and no other"
            _keep_only(int(capability))
        if owner != "-" and sys.platform == "linux":
            step = "ask to be stopped with the owner"
            _prctl(PR_SET_PDEATHSIG, SIGQUIT)  # after the change of user, which would clear it
            if os.getppid() != int(owner):
                sys.exit("the process that wanted a Postgres server ended before it had one")
        step = f"run {command[0]}"
        os.execv(command[0], command)  # noqa: S606 - its whole purpose
    except OSError as error:
        sys.exit(f"could not {step}: {error.strerror}")


def _prctl(option: int, *values: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    result = int(libc.prctl(option, *padded))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _keep_only(capability: int) -> None:
    """Hold this capability (below 32) in the effective, permitted, inheritable and ambient sets."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # three sets, low words then high words
    if ctypes.CDLL(None, use_errno=True).capset(header, sets) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


if __name__ == "__main__":
    main(sys.argv[1:])
