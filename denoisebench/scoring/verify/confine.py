"""What a process may still read once it is confined: Python, its libraries, and one folder.

Linux's Landlock (https://docs.kernel.org/userspace-api/landlock.html) takes rights away from the
calling process and its children for good, without asking for rights of its own; it also keeps them
from the memory, the descriptors and the arguments of processes outside. Elsewhere nothing happens,
and the answer says so.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # on every architecture
GET_DUMPABLE, SET_DUMPABLE, SET_NO_NEW_PRIVILEGES = 3, 4, 38
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, TRUNCATE = 1, 2, 4, 8, 1 << 14
FIRST_RIGHTS, REFER = (1 << 13) - 1, 1 << 13
TCP, SIGNALS_AND_SOCKETS = 3, 3
READ = EXECUTE | READ_FILE | READ_FOLDER

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc", "/sys", "/nix/store",
          "/run/opengl-driver", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/driver",
          "/proc/version")  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/nvidia*", "/dev/dri",
           "/dev/kfd", "/dev/dxg")  # fmt: skip


def confine(folder: Path) -> bool:
    """Take from this process all files but those Python needs and one folder; and the network.

    Call it before any other thread starts: a thread that runs already keeps its rights.

    Args:
        folder: may be read and written.
    Returns:
        Whether it was done; False where the system has no Landlock.
    """
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None, use_errno=True)
    version = system.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    every = FIRST_RIGHTS | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    rights = struct.pack("<Q", every)
    rights += struct.pack("<Q", TCP) if version >= 4 else b""
    rights += struct.pack("<Q", SIGNALS_AND_SOCKETS) if version >= 6 else b""
    rules = system.syscall(CREATE_RULESET, rights, ctypes.c_size_t(len(rights)), 0)
    if rules < 0:
        return False
    for path, allowed in [*_readable(), *_writable(folder, every)]:
        _allow(system, rules, path, allowed)
    system.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    confined = system.syscall(RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return bool(confined)


@contextmanager
def private_memory() -> Iterator[None]:
    """Keep other processes of this user (not root's) from reading this one's memory, on Linux."""
    system = ctypes.CDLL(None) if sys.platform == "linux" else None
    before = system.prctl(GET_DUMPABLE, 0, 0, 0, 0) if system else 0
    try:
        if system:
            system.prctl(SET_DUMPABLE, 0, 0, 0, 0)
        yield
    finally:
        if system and before == 1:
            system.prctl(SET_DUMPABLE, 1, 0, 0, 0)


def _readable() -> Iterator[tuple[str, int]]:
    from importlib.util import find_spec

    for name in ("denoisebench", "denoisebench.registry"):  # may stand in a checkout
        spec = find_spec(name)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            yield place, READ
    # Not all of sys.path: a checkout on it may hold data and runs beside the package.
    packages = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    for place in (*prefixes, *packages, *SYSTEM, *filter(None, libraries)):
        yield place, READ


def _writable(folder: Path, every: int) -> Iterator[tuple[str, int]]:
    yield str(folder), every
    for pattern in DEVICES:
        for place in glob(pattern):
            yield place, READ | WRITE_FILE


def _allow(system: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    """Add a rule; a place that is not there needs none."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        rights &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
    rule = struct.pack("<Qi", rights, place)  # struct landlock_path_beneath_attr, packed
    system.syscall(ADD_RULE, rules, 1, rule, 0)
    os.close(place)
