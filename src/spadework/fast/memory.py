"""Keeps large freed buffers in the process, in large pages, so that a step does not wait for the kernel."""

import ctypes
import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc's malloc.h
_MADV_HUGEPAGE = 14  # Linux' mman.h
_LARGE_PAGE = 2**21


def keep_freed_memory() -> bool:
    """Tells glibc's malloc to reuse big buffers instead of unmapping them; True where that is possible.

    A training step frees and takes hundreds of buffers of tens of megabytes. By default each is a fresh
    mapping that the kernel zeroes page by page: a fifth of the time of a step on a CPU, more than half of its
    memory traffic. And what malloc will hand out is asked for in large pages: looking up addresses of small
    ones takes another seventh. Elsewhere than on Linux with glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    mallopt = getattr(libc, "mallopt", None)
    if not (mallopt and mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1)):
        return False
    _ask_for_large_pages(libc, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
    return True


def _ask_for_large_pages(libc: ctypes.CDLL, size: int) -> None:
    """For the next `size` bytes of the heap, which take no memory until they are used."""
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.madvise.argtypes, libc.free.argtypes = (
        [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int],
        [ctypes.c_void_p],
    )
    start = libc.malloc(size)
    if start:
        first = -(-start // _LARGE_PAGE) * _LARGE_PAGE
        libc.madvise(first, start + size - first, _MADV_HUGEPAGE)  # a kernel without them refuses
        libc.free(start)
