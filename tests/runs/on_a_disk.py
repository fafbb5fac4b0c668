"""Runs a command of Python on a small disk, which only this process and its children see; Linux only.

    python tests/runs/on_a_disk.py SIZE DISK LEFT SCRIPT -m MODULE …

mounts a disk of this size at the directory DISK, runs SCRIPT with bash, then the command, and copies what is on the
disk to LEFT. Its exit status is the command's. It does what the program `unshare` does, but in this process, which can
be a copy of one that has imported TensorFlow; see `ready`.
"""

import ctypes
import os
import pathlib
import subprocess
import sys
import warnings

_NEW_MOUNTS, _NEW_USERS = 0x20000, 0x10000000


def separate_mounts():
    """Moves this process to its own mounts, which it may change as root, as `unshare -rm` does."""
    ids = {"uid_map": os.getuid(), "gid_map": os.getgid()}
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS | _NEW_USERS):
        raise OSError(ctypes.get_errno(), "unshare")
    pathlib.Path("/proc/self/setgroups").write_text("deny")
    for name, number in ids.items():
        pathlib.Path("/proc/self", name).write_text(f"0 {number} 1")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def main(size, disk, left, script):
    """Prepares the disk; returns in a child of this process, which runs the command."""
    separate_mounts()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", disk], check=True)
    subprocess.run(["bash", "-c", script], check=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy's threads wait for work.
        pid = os.fork()
    if pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        subprocess.run(["cp", "-r", f"{disk}/.", left], check=True)
        os._exit(status)


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
    import ready

    main(*sys.argv[1:5])
    ready._run(sys.argv[5:], os.getcwd(), dict(os.environ))
