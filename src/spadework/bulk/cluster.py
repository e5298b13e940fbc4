"""A batch on Ray: on this machine, or on the machines of a cluster. Ray Data replaces actors that die."""

import logging
import os
import pickle
import socket
from collections.abc import Generator, Sequence
from typing import Any

from spadework.bulk.painting import Painter, Setup, groups_of
from spadework.bulk.tasks import Painting, Task
from spadework.files import Fault

BLOCKS = 2000
"""Groups of tasks travel in so many blocks at most."""

CONNECT_SECONDS = 10.0

STORE = 200 * 2**20
"""Bytes of the memory that processes of this machine share."""


class RayPainter:
    """An actor: a group of tasks in, its paintings out, each as one value, which Ray never divides."""

    def __init__(self, setup: Setup) -> None:
        self._painter = Painter(setup)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"paintings": pickle.dumps(self._painter.paint(pickle.loads(row["tasks"])))}


def paint_all(
    setup: Setup, tasks: Sequence[Task], actors: int, address: str | None = None
) -> Generator[list[Painting]]:
    """Paints all tasks on some actors, and yields them in groups as they get ready.

    `address`: of a cluster; None starts Ray on this machine. Tasks of an actor that dies are painted by
    another, so a group may come twice. Raises ValueError where Ray is missing or the cluster is not there.
    """
    ray = _started(address, actors)
    try:
        context = ray.data.DataContext.get_current().copy()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.target_max_block_size = 1  # a group leaves its actor when it is painted
        rows = [{"tasks": pickle.dumps(group)} for group in groups_of(tasks)]
        with ray.data.DataContext.current(context):
            groups = ray.data.from_items(rows, override_num_blocks=min(len(rows), BLOCKS))
            painted = groups.map(
                RayPainter,
                fn_constructor_args=(setup,),
                compute=ray.data.ActorPoolStrategy(size=actors),
                num_gpus=1 if setup.device == "cuda" else None,
            )
            for row in painted.iter_rows():
                yield pickle.loads(row["paintings"])
    finally:
        ray.shutdown()


def demand_answer(address: str) -> None:
    """Raises ValueError where nobody listens; Ray itself would try for minutes."""
    if address == "auto" or "://" in address:
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise Fault(f"{address} is no address of a Ray cluster", "give --address HOST:PORT, or auto")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise Fault(
            f"no Ray cluster is at {address} ({error})", "give --address HOST:PORT, or auto"
        ) from error


def _started(address: str | None, actors: int) -> Any:
    """Ray, connected."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # what runs here tells nobody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray  # pyright: ignore[reportMissingImports] - an extra that no check installs
        import ray.data  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise Fault(f"Ray Data is not installed ({error})", "pip install 'spadework[ray]'") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is not None:
        demand_answer(address)
    try:
        if address is None:
            ray.init("local", num_cpus=actors, object_store_memory=STORE, include_dashboard=False, **quiet)
        else:
            ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        if address is None:
            raise Fault(f"Ray does not start ({error})", "leave --ray out") from error
        remedy = "give --address HOST:PORT; if it asks for a token, type RAY_AUTH_MODE=token before it all"
        raise Fault(f"no Ray cluster lets us in at {address} ({error})", remedy) from error
    return ray
