"""Sheets of small pictures with names, and curves: all that the figures need."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

Pixels = NDArray[np.uint8]

INK, SOFT, PAPER, FRAME = "#1c2024", "#59616b", "#ffffff", "#d9dbdd"
GAP, TEXT = 8, 15
LINES = ("#0b6bcb", "#b3261e", "#1a7f45")


def heat(x: Tensor, top: float) -> Pixels:
    """Numbers (H, W) as colours (H, W, 3): blue below zero, white at it, red above; full at `top`."""
    share = (x / top).clamp(-1, 1).numpy()[..., None]
    red, blue = np.array([178, 24, 43]), np.array([33, 102, 172])
    return (255 + np.abs(share) * (np.where(share > 0, red, blue) - 255)).round().astype(np.uint8)


def projected(features: Tensor) -> Pixels:
    """Features (C, H, W) as the colours (H, W, 3) of their three strongest principal components."""
    rows = features.flatten(1).double().T
    rows = rows - rows.mean(0)
    _, axes = torch.linalg.eigh(rows.T @ rows)
    axes = axes[:, -3:].flip(1)
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    axes = axes * largest.sign()  # an axis has no sign of its own
    values = rows @ axes
    values = values / values.std(0).clamp(min=1e-9)
    pixels = (127.5 + 55 * values).clamp(0, 255).round()
    return pixels.view(*features.shape[1:], 3).numpy().astype(np.uint8)


def enlarged(pixels: Pixels, height: int) -> Image.Image:
    """At a height, without smoothing: what is coarse is to be seen."""
    width = round(height * pixels.shape[1] / pixels.shape[0])
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def sheet(
    rows: Sequence[Sequence[Pixels]], above: Sequence[str], beside: Sequence[str] = (), height: int = 128
) -> Image.Image:
    """Rows of pictures, a name above every column and, if there are any, one beside every row."""
    images = [[enlarged(pixels, height) for pixels in row] for row in rows]
    left = max((int(_font(TEXT).getlength(name)) + GAP for name in beside), default=0)
    width, top = images[0][0].width, TEXT + 2 * GAP
    page = Image.new(
        "RGB", (left + len(above) * (width + GAP) - GAP, top + len(rows) * (height + GAP) - GAP), PAPER
    )
    draw = ImageDraw.Draw(page)
    for column, name in enumerate(above):
        draw.text((left + column * (width + GAP) + width / 2, TEXT), name, INK, _font(TEXT), anchor="ms")
    for line, row in enumerate(images):
        y = top + line * (height + GAP)
        if beside:
            draw.text((left - GAP, y + height / 2), beside[line], INK, _font(TEXT), anchor="rm")
        for column, image in enumerate(row):
            x = left + column * (width + GAP)
            page.paste(image, (x, y))
            draw.rectangle((x, y, x + width - 1, y + height - 1), outline=FRAME)
    return page


def curves(
    functions: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]],
    across: tuple[float, float],
    up: tuple[float, float],
    name: str,
    size: tuple[int, int] = (360, 720),
) -> Image.Image:
    """Functions of one number over `across`, named in their colours; `name`: of that number."""
    height, width = size
    page = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(page)

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            30 + (x - across[0]) / (across[1] - across[0]) * (width - 60),
            height - 40 - (y - up[0]) / (up[1] - up[0]) * (height - 70),
        )

    for x in range(int(across[0]), int(across[1]) + 1):
        draw.line([at(x, up[0]), at(x, up[1])], FRAME)
        draw.text((at(x, up[0])[0], height - 22), f"{x}", SOFT, _font(13), anchor="ms")
    for y in range(int(up[0]), int(up[1]) + 1):
        draw.line([at(across[0], y), at(across[1], y)], "#9aa1a9" if y == 0 else FRAME)
        draw.text((22, at(0, y)[1]), f"{y}", SOFT, _font(13), anchor="rm")
    draw.text((width / 2, height - 4), name, SOFT, _font(13), anchor="ms")
    xs = np.linspace(*across, 400)
    for line, (label, function) in enumerate(functions.items()):
        points = [at(x, y) for x, y in zip(xs, function(xs), strict=True)]
        draw.line(points, LINES[line], 3)
        draw.text((44, height - 110 + 20 * line), label, LINES[line], _font(TEXT))
    return page
