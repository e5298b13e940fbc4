"""`spadework export`."""

from pathlib import Path
from typing import Annotated

import typer

from spadework.cli.telling import tell


def export(
    model: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="A shipped model, or a .safetensors file.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="The ONNX file; default: NAME.onnx here."),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Whose place goes into the file; styles stay an input.")
    ] = 0,
    noise: Annotated[
        bool, typer.Option("--noise-inputs", help="Make the noise inputs, so that any place can be painted.")
    ] = False,
    half: Annotated[
        bool, typer.Option("--half", help="Store weights in half precision, in a file half as large.")
    ] = False,
) -> None:
    """Write a model as ONNX, to paint without Python or PyTorch.

    Label ids and a style go in, a picture in [-1, 1] comes out; any batch, and any height and width that the
    generator's doublings allow. Before the file is written onnxruntime paints example sketches with it in two
    sizes; if they differ from PyTorch's, there is no file. An enlarger takes a picture, label ids of twice
    its size and noise. See docs/export.md.
    """
    from spadework.engine import MODELS
    from spadework.enlarger.enlarger import ENLARGERS, Enlarger
    from spadework.model import load_checkpoint
    from spadework.modelfile import kind_in, shipped_file
    from spadework.onnx.enlarger import export_enlarger_onnx
    from spadework.onnx.model import HALF_PSNR, TOLERANCE, export_onnx

    source = shipped_file(model, MODELS | ENLARGERS, "model")
    target = out or Path(f"{source.stem}.onnx")
    if kind_in(source) == "enlarger":
        if noise or half:
            raise ValueError(
                "an enlarger's noise are inputs anyway, and it is small: leave out --noise-inputs and --half"
            )
        made = export_enlarger_onnx(Enlarger.load(source), target)
    else:
        made = export_onnx(load_checkpoint(source), target, None if noise else seed, half)
    sizes = " and ".join(f"{count} of {width}x{height}" for count, height, width in made.checked)
    tell(f"inputs: {', '.join(made.inputs)}; output: picture")
    allowed = f"{made.psnr:.1f} dB, allowed {HALF_PSNR:.0f}" if half else f"allowed {TOLERANCE:.0e}"
    difference = f"{made.difference:.1e} in [-1, 1], {allowed}"
    tell(f"largest difference from PyTorch: {difference} ({sizes})")
    tell(f"model: {made.path} ({made.path.stat().st_size / 2**20:.0f} MiB)")
