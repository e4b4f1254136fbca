"""Runs a command as the unit would: its system call filter, no capabilities, a file system that is read only.

python confined.py UNIT WRITABLE… -- COMMAND…: a stand-in for systemd where it is not process 1. What it takes
from the unit's file: SystemCallFilter, RestrictAddressFamilies, MemoryDenyWriteExecute, and that the bounding
set is empty and the system protected. Root alone may do that.
"""

import ctypes
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
MASKED_EQUAL, EQUAL = 7, 4
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
LAST_FAMILY = 64


class Compare(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def directives(unit: Path) -> dict[str, list[str]]:
    """The unit's assignments in order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def calls_of(group: str) -> set[str]:
    """The system calls of a group such as @system-service, by this machine's systemd."""
    command = ["systemd-analyze", "--no-pager", "syscall-filter", group]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: set[str] = set()
    for line in told.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            found |= calls_of(word) if word.startswith("@") else {word}
    return found


def allowed_calls(lines: list[str]) -> set[str]:
    """What SystemCallFilter= lines leave: the first is a list of what may be, ~ takes away (systemd.exec)."""
    allowed: set[str] = set()
    for line in lines:
        groups = [calls_of(group) for group in line.removeprefix("~").split()]
        named = set[str]().union(*groups)
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


class Filter:
    """A seccomp filter by libseccomp."""

    def __init__(self, default: int) -> None:
        try:
            self._library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        except OSError as error:
            sys.exit(f"{error}: install Debian's package libseccomp2")
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(default)))

    def add(self, action: int, call: str, *compares: Compare) -> None:
        number = self._library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return  # not on this architecture
        array = (Compare * len(compares))(*compares)
        done = self._library.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), number, len(compares), array
        )
        assert done == 0, (call, done)

    def load(self) -> None:
        done = self._library.seccomp_load(self._context)
        assert done == 0, done


def confine(unit: Path, writable: list[str]) -> None:
    found = directives(unit)
    assert found["MemoryDenyWriteExecute"] == found["NoNewPrivileges"] == ["yes"]
    assert found["CapabilityBoundingSet"] == [""]
    assert found["ProtectSystem"] == ["strict"]
    calls = Filter(ERRNO | errno.EPERM)
    for call in allowed_calls(found["SystemCallFilter"]):
        calls.add(ALLOW, call)
    shapes = Filter(ALLOW)
    both = PROT_WRITE | PROT_EXEC
    shapes.add(ERRNO | errno.EPERM, "mmap", Compare(2, MASKED_EQUAL, both, both))
    for call in ("mprotect", "pkey_mprotect"):
        shapes.add(ERRNO | errno.EPERM, call, Compare(2, MASKED_EQUAL, PROT_EXEC, PROT_EXEC))
    shapes.add(ERRNO | errno.EPERM, "shmat", Compare(2, MASKED_EQUAL, SHM_EXEC, SHM_EXEC))
    families = {getattr(socket, name) for name in found["RestrictAddressFamilies"][0].split()}
    for family in set(range(LAST_FAMILY)) - families:
        shapes.add(ERRNO | errno.EAFNOSUPPORT, "socket", Compare(0, EQUAL, family, 0))
    _protect_system(writable)
    library = ctypes.CDLL(None, use_errno=True)
    for capability in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        assert library.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
    assert library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    os.chdir(writable[0])
    shapes.load()
    calls.load()


def _protect_system(writable: list[str]) -> None:
    """All mounts read only but those folders, in a mount namespace of our own."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for folder in writable:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
    for mount in mounts:
        if not mount.startswith(("/proc", "/sys", "/dev")):
            subprocess.run(["mount", "-o", "remount,bind,ro", mount], check=True)


if __name__ == "__main__":
    split = sys.argv.index("--")
    unit_file, *folders = sys.argv[1:split]
    if os.environ.pop("CONFINED", None) is None:
        again = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
        os.execvpe("unshare", again, os.environ | {"CONFINED": "1"})
    confine(Path(unit_file), folders)
    # exec drops what the emptied bounding set no longer allows
    os.execv(sys.argv[split + 1], sys.argv[split + 1 :])
