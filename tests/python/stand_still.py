"""Stops one thread of a process, as a fault would that no other thread sees, until standard input ends.

Usage: stand_still.py THREAD_ID. Prints `stopped`.
"""

import ctypes
import os
import sys

ATTACH, DETACH = 16, 17
WALL = 0x40000000
thread = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]


def trace(request):
    if libc.ptrace(request, thread, None, None) != 0:
        sys.exit(f"ptrace {request}: {os.strerror(ctypes.get_errno())}")


trace(ATTACH)
os.waitpid(thread, WALL)
print("stopped", flush=True)
sys.stdin.read()
# It may have ended meanwhile, with its process.
libc.ptrace(DETACH, thread, None, None)
