"""Trainings that processes of torchrun do together: python worker.py OUT KIND ... [--steps N] [--resume]."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from small import BACKBONE, OASIS, PHOTOS, PLAIN, everything, small

from spadework.nn import together
from spadework.training import loop
from spadework.training.painting import PainterTraining
from spadework.training.recipes import named
from spadework.training.segmenting import SegmenterTraining
from spadework.training.state import State, TrainState

SHORT = ["total_images=12", "lr=0.0001"]
STYLED = [
    *("swap_share=0.5", "lambda_style=0.5", "lambda_seek=0.6", "lambda_means=1", "lambda_statistics=1"),
    *("lambda_region_color=1", "lambda_phase=1", "lambda_spectrum=0.3", "zoom=0.4", "crop=0.4", "flood=0.6"),
    *("jitter=0.5", "cutout=0.25", "quiet=2", "size=64", "batch_size=8", "total_images=24"),
]
SEGMENTER = [
    *("size=32", "batch_size=4", "total_images=12", "save_every=1000", "precision=float32"),
    *("trunk=[[4,3,2,2,1],[8,3,2,2,1]]", "width=8", "ema=0.9", "trunk_lr=1"),
]


def _painter(*changes: str) -> Callable[[], PainterTraining]:
    return lambda: PainterTraining(small(*changes), PHOTOS)


TRAININGS: dict[str, Callable[[], Any]] = {
    "patch": _painter(*SHORT, "precision=float64"),
    "parts": _painter(*SHORT, "accumulate=2"),
    "dense": _painter(*SHORT, "contexts=false", "norm=syncbatch"),
    "oasis": _painter(*OASIS, *SHORT, "batch_size=4", "zoom=0.5", "cutout=0.5", "precision=float64"),
    "plain": _painter(*PLAIN, *SHORT, "batch_size=4", "precision=float64"),
    "styled": _painter(*BACKBONE, *SHORT, *STYLED, "precision=float64"),
    "segmenter": lambda: SegmenterTraining(named("segmenter_landscape", SEGMENTER), PHOTOS),  # type: ignore[arg-type]
}


def with_noise(state: State) -> None:
    """Silent noise makes twins equal, and at 0 the term that parts them has no slope but that of rounding."""
    if isinstance(state, TrainState):
        for name, value in state.networks.named_parameters():
            if name.endswith("noise_strength"):
                torch.nn.init.constant_(value, 0.1)


def learned(kind: str, out: Path, steps: int | None = None, resume: bool = False) -> dict[str, torch.Tensor]:
    """Everything after a training, or after so many steps of it."""
    seen: list[int] = []
    state = loop.train(
        TRAININGS[kind](),
        out / kind,
        resume=resume,
        begin=with_noise,
        listener=lambda progress: seen.append(progress.step),
        stop=lambda: len(seen) == steps,
    )
    return {name: value.clone() for name, value in everything(state)}


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("out", type=Path)
    words.add_argument("kinds", nargs="+")
    words.add_argument("--steps", type=int)
    words.add_argument("--resume", action="store_true")
    given = words.parse_args()
    loop.CALIBRATION_PHOTOS = 8
    together.join("cpu")
    for kind in given.kinds:
        kept = learned(kind, given.out, given.steps, given.resume)
        torch.save(kept, given.out / kind / f"rank{together.rank()}.pt")
    together.leave()


if __name__ == "__main__":
    main()
