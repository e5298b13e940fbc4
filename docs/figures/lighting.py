"""Styles of the shipped model: one place in other lights."""

from drawing import sheet
from PIL import Image
from watching import sketch

from spadework import Engine

NAME, SEEDS = "river-valley", (0, 3)


def figure() -> Image.Image:
    """Above: from the style of one seed straight to that of another. Below: seeds 0 to 4, each in its own."""
    engine, ids = Engine.load("landscape", "cpu"), sketch(NAME)
    first, last = (engine.sample_style(seed, ids) for seed in SEEDS)
    blended = [engine.paint(ids, 0, first.blend(last, k / 4)).pixels for k in range(5)]
    own = [engine.paint(ids, seed).pixels for seed in range(5)]
    rows = [[ids.colorize(), *row] for row in (blended, own)]
    return sheet(rows, ["sketch", "0", "1/4", "1/2", "3/4", "1"], ["blended", "seeds 0-4"])
