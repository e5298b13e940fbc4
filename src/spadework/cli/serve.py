"""`spadework serve`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from spadework.cli.loading import Device, Precision, Threads, use_threads
from spadework.cli.segmenters import shipped_segmenter
from spadework.cli.telling import tell
from spadework.files import Fault, read_bytes

KEYS = "SPADEWORK_API_KEYS"


def serve(
    model: Annotated[
        list[str],
        typer.Option(
            metavar="NAME[=PATH]", help="A shipped model, or a name for a file; more than one may be given."
        ),
    ] = ["landscape"],  # noqa: B006
    port: Annotated[int, typer.Option(metavar="N", help="Port of the API; 0 is any free one.")] = 7430,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Who can reach it; beyond 127.0.0.1 keys are needed.")
    ] = "127.0.0.1",
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"API keys, one a line; or in {KEYS}, by commas.")
    ] = None,
    origin: Annotated[
        list[str],
        typer.Option(metavar="URL", help="Pages of this origin may use it (CORS); none by default."),
    ] = [],  # noqa: B006
    together: Annotated[int, typer.Option(metavar="N", help="Pictures that are painted in one go.")] = 4,
    waiting: Annotated[int, typer.Option(metavar="N", help="Requests that may wait; more get 429.")] = 64,
    memory: Annotated[float, typer.Option(metavar="GIB", help="For the models that are loaded.")] = 4.0,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = None,
) -> None:
    """Paint for other programs, over HTTP under /v1.

    SIGTERM and Ctrl-C finish what was accepted. One line of JSON a request goes to stderr.
    """
    use_threads(threads)
    given = _keys(keys)
    from spadework.api.app import create_api
    from spadework.api.gate import Limits
    from spadework.api.running import demand_keys, run
    from spadework.api.scheduling import apart
    from spadework.api.shelf import Shelf
    from spadework.engine import Engine
    from spadework.studio.running import place

    demand_keys(host, given)
    shelf = Shelf(_models(model), int(memory * 2**30), lambda path: Engine.load(path, device, precision))
    apart(lambda: shelf.engine(shelf.first))
    limits = Limits(together=together, waiting=waiting)
    app = apart(lambda: create_api(shelf, limits, given, origin, shipped_segmenter))
    at = place(host, port)
    host_, port_ = at.listener.getsockname()[:2]
    tell(f"the API is at http://{host_}:{port_}/v1 (Ctrl-C ends it)")
    run(app, at.listener)


def _models(given: list[str]) -> dict[str, str]:
    """Name -> name or path."""
    pairs = [word.partition("=") for word in given]
    models = {name: path or name for name, _, path in pairs}
    if len(models) < len(pairs):
        raise Fault("two models have one name", "give NAME=PATH with another NAME")
    return models


def _keys(file: Path | None) -> list[str]:
    """From a file or the environment. Raises ValueError for a file without any."""
    if file is None:
        return [key.strip() for key in os.environ.get(KEYS, "").split(",") if key.strip()]
    keys = [line.strip() for line in read_bytes(file).decode("utf-8", "replace").splitlines() if line.strip()]
    if not keys:
        raise Fault(f"{file} has no keys", "write one a line")
    return keys
