"""How large a picture is, and how large the network paints it. Sizes are (H, W) in pixels."""

import math

from spadework.files import Fault
from spadework.nn.generator import GeneratorConfig
from spadework.sketch.labelmap import MAX_SIDE, MIN_SIDE

DOUBLINGS = 2
"""So often a painting is enlarged to twice its size, at most; beyond that the network paints larger."""

LONGEST = 2048
"""Unless a size is asked for, no sketch is painted with a longer side than this."""

MOST_PIXELS = 2048 * 2048
"""The network paints no more pixels than this; larger pictures are enlarged."""


def painting_size(
    sketch: tuple[int, int], config: GeneratorConfig, size: tuple[int, int] | None = None
) -> tuple[int, int]:
    """The (H, W) at which a sketch of (H, W) is painted: multiples of what the generator's doublings allow.

    Without `size` the short side is the one the model was trained at and the long side follows the sketch's
    aspect, up to LONGEST. With `size` it is that, rounded. Raises ValueError for a side outside 4..8192 and
    for more than MOST_PIXELS.
    """
    step = 2**config.num_ups
    if size is None:
        scale = min(min(config.size) / min(sketch), LONGEST / max(sketch))
        height, width = (_rounded(side * scale, step) for side in sketch)
        return height, width
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in size):
        raise Fault(f"size {_text(size)} (width x height)", f"give {MIN_SIDE} to {MAX_SIDE} pixels a side")
    height, width = (_rounded(side, step) for side in size)
    if height * width > MOST_PIXELS:
        raise Fault(
            f"size {_text(size)} (width x height) has {height * width:,} pixels, at most {MOST_PIXELS:,} are "
            "painted",
            "give a smaller size and enlarge the picture",
        )
    return height, width


def doublings_of(size: tuple[int, int], config: GeneratorConfig) -> int:
    """How often a painting is doubled for a picture of (H, W), so that the network paints as trained."""
    return min(DOUBLINGS, max(0, round(math.log2(min(size) / min(config.size)))))


def _rounded(side: float, step: int) -> int:
    return max(1, round(side / step)) * step


def _text(size: tuple[int, int]) -> str:
    """(H, W) as people write it."""
    return f"{size[1]}x{size[0]}"


def enlarged_size(size: tuple[int, int], upscale: int) -> tuple[int, int]:
    if upscale < 1 or max(size) * upscale > MAX_SIDE:
        raise Fault(
            f"upscale {upscale} of a sketch of {_text(size)}",
            f"give 1 to {MAX_SIDE // max(size)}, so that the picture has at most {MAX_SIDE} pixels a side",
        )
    return size[0] * upscale, size[1] * upscale


def demanded_size(size: tuple[int, int], upscale: int) -> tuple[int, int]:
    """The size, if a picture can have it and nothing else is asked for."""
    if upscale != 1:
        raise Fault(f"size {_text(size)} and upscale {upscale} each say how large the picture is", "give one")
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in size):
        raise Fault(f"size {_text(size)} (width x height)", f"give {MIN_SIDE} to {MAX_SIDE} pixels a side")
    return size
