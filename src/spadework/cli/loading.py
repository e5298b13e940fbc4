"""What commands that paint share: which model, and where, how fast and how exactly it computes."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from spadework.engine import Engine

Model = Annotated[str, typer.Option(metavar="NAME|PATH", help="A shipped model, or a .safetensors file.")]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")]
Precision = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="float32; bfloat16: faster on most CPUs, off by about a grey level; auto: the faster one.",
    ),
]
Threads = Annotated[int | None, typer.Option(metavar="N", help="CPU threads; default: PyTorch's choice.")]

Enlarging = Annotated[
    str,
    typer.Option(
        metavar="NAME|PATH",
        help="What doubles pictures: auto (the shipped one that knows the model's classes), none, or a file.",
    ),
]


def load(model: str, device: str, precision: str, threads: int | None, enlarger: str = "auto") -> "Engine":
    """The engine that the options ask for. Raises ValueError."""
    use_threads(threads)
    from spadework.engine import Engine

    return Engine.load(model, device, precision, None if enlarger == "none" else enlarger)


def use_threads(count: int | None) -> None:
    """Lets PyTorch compute on so many threads; None leaves it its own choice. Raises ValueError."""
    if count is None:
        return
    if count < 1:
        raise ValueError(f"--threads {count}: give 1 or more")
    import torch

    torch.set_num_threads(count)
