"""`spadework studio`."""

from pathlib import Path
from typing import Annotated

import typer

from spadework.cli.loading import Device, Model, Precision, Threads, load
from spadework.cli.segmenters import shipped_segmenter
from spadework.cli.telling import tell
from spadework.files import Fault


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
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="DIR", help="Write a studio that needs no server, and end."),
    ] = None,
    docs: Annotated[
        str | None,
        typer.Option(
            "--docs", metavar="URL", help="With --export: where the first page says one can read more."
        ),
    ] = None,
) -> None:
    """Paint in the browser; the photograph follows the brush.

    Everything stays on this machine. With --export the studio becomes a folder for any static host, and
    paints in its visitors' browsers; see docs/site.md.
    """
    if docs is not None and export is None:
        raise Fault("--docs names what a site links to, and no site is to be written", "add --export DIR")
    if export is not None:
        return _export(model, export, docs)
    from spadework.api.scheduling import apart
    from spadework.api.shelf import Shelf
    from spadework.studio import create_studio
    from spadework.studio.running import place, run

    shelf = Shelf({"studio": model}, load=lambda path: load(str(path), device, precision, threads))
    apart(lambda: shelf.engine(shelf.first))
    at = place(host, port)
    app = apart(lambda: create_studio(shelf, at.token, shipped_segmenter))
    tell(f"the studio is at {at.url} (Ctrl-C ends it)")
    if browser:
        import webbrowser

        webbrowser.open(at.url)
    try:
        run(app, at)
    except KeyboardInterrupt:
        tell("the studio is closed; pages that are open keep their drawings")


def _export(model: str, folder: Path, docs: str | None) -> None:
    from spadework.engine import model_file
    from spadework.enlarger.enlarger import Enlarger
    from spadework.model import load_checkpoint
    from spadework.studio.runtime import runtime
    from spadework.studio.site import write_site

    checkpoint = load_checkpoint(model_file(model))
    palette = checkpoint.card.palette
    others = {"segmenter": shipped_segmenter(palette), "enlarger": Enlarger.load_for(palette)}
    site = write_site(checkpoint, folder, runtime(), docs=docs, **others)
    tell(f"pictures of example sketches: at least {site.psnr:.1f} dB to the engine's")
    tell(f"site: {site.folder} ({site.files} files; a first visit transfers {site.first / 1e6:.1f} MB)")
    tell(f"try it: python -m http.server --directory {site.folder}, then open http://127.0.0.1:8000/")
