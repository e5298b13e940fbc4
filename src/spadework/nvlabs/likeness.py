"""How like their photos the paintings of a test run are, though none is meant to be the very photo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spadework.picture import Picture

FEWEST = 50
"""Of fewer pictures a Fréchet distance says nothing."""


def psnr(painting: NDArray[np.uint8], photo: NDArray[np.uint8]) -> float | None:
    """Peak signal-to-noise ratio in dB of two (H, W, 3), infinite for equal ones; None for unequal sizes."""
    if painting.shape != photo.shape:
        return None
    error = float(np.square(painting.astype(float) - photo).mean())
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def summary(figures: Sequence[float | None], pairs: Sequence[tuple[Path, Path]]) -> list[str]:
    """Sentences on all figures of `psnr`, and on the files (painting, photo) as two sets."""
    finite = [figure for figure in figures if figure is not None and np.isfinite(figure)]
    lines = []
    if finite:
        lines.append(f"PSNR to the photo, mean of {len(finite)}: {np.mean(finite):.1f} dB")
    if pairs:
        lines.append(_distance(pairs))
    return lines


def _distance(pairs: Sequence[tuple[Path, Path]]) -> str:
    if len(pairs) < FEWEST:
        return f"no Fréchet distance: of {len(pairs)} pictures it says nothing, {FEWEST} are the least"
    from spadework.evaluation.metrics import Lite0Features, frechet_distance

    try:
        features = Lite0Features()
    except ValueError:
        return "no Fréchet distance: type pip install 'spadework[eval]'"
    painted, real = (
        np.concatenate([features(Picture.read(pair[side]).pixels[None])[0] for pair in pairs])
        for side in (0, 1)
    )
    return (
        f"Fréchet distance of {len(pairs)} paintings to their photos: {frechet_distance(real, painted):.1f} "
        "(EfficientNet-Lite0 features, not to be compared with Inception's)"
    )
