"""How painting processes begin: as copies of one that has imported what all of them need, if that can be."""

import multiprocessing
from multiprocessing.context import BaseContext

NEEDED = "spadework.bulk.painting"


def begun() -> BaseContext:
    """The context of the processes. The first call starts the importing, in another process, and returns."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    multiprocessing.set_forkserver_preload([NEEDED])
    forkserver.ensure_running()
    return multiprocessing.get_context("forkserver")
