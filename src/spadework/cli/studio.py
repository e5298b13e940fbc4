"""`spadework studio`."""

from typing import Annotated

import typer

from spadework.cli.loading import Device, Model, Precision, Threads, load
from spadework.cli.segmenters import shipped_segmenter
from spadework.cli.telling import tell


def studio(
    model: Model = "landscape",
    port: Annotated[int, typer.Option(metavar="N", help="Port of the studio; 0 is any free one.")] = 7420,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Who can reach it; beyond 127.0.0.1 a token is needed.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = None,
) -> None:
    """Paint in the browser; the photograph follows the brush.

    Everything stays on this machine.
    """
    from spadework.service.worker import apart
    from spadework.studio import create_studio
    from spadework.studio.running import place, run

    engine = apart(lambda: load(model, device, precision, threads))
    segmenter = apart(lambda: shipped_segmenter(engine.palette))
    at = place(host, port)
    app = create_studio(engine, token=at.token, segmenter=segmenter)
    tell(f"the studio is at {at.url} (Ctrl-C ends it)")
    if browser:
        import webbrowser

        webbrowser.open(at.url)
    try:
        run(app, at)
    except KeyboardInterrupt:
        tell("the studio is closed; pages that are open keep their drawings")
