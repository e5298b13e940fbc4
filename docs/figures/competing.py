"""The losses of the two networks, and what the frozen classifier sees."""

import numpy as np
import torch
from drawing import curves, projected, sheet
from PIL import Image
from watching import steps

from spadework.frozen.efficientnet import EfficientNetLite
from spadework.nn.pixels import to_bytes
from spadework.training.losses import hinge_d, hinge_g


def hinge() -> Image.Image:
    """What a score costs: the discriminator on a photo and on a painting, and the generator."""

    def each(loss):
        return lambda xs: np.array([float(loss(torch.tensor([x]))) for x in xs])

    zero = [torch.zeros(1)]
    functions = {
        "discriminator, photo: max(0, 1 - s)": each(lambda s: hinge_d([s], zero)[0]),
        "discriminator, painting: max(0, 1 + s)": each(lambda s: hinge_d(zero, [s])[1]),
        "generator: -s": each(lambda s: hinge_g([s])),
    }
    return curves(functions, (-3, 3), (-3, 4), "score s of the discriminator")


def judge() -> Image.Image:
    """A painting and its features in the frozen classifier of the recipe `landscape`, at five strides."""
    rows = []
    for name in ("alpine-lake", "forest-road"):
        picture = steps(name).picture[None]
        with torch.inference_mode():
            features = EfficientNetLite(2)(picture)
        rows.append([to_bytes(picture)[0], *(projected(x[0].float()) for x in features)])
    strides = [256 // x.shape[2] for x in features]
    return sheet(rows, ["painting", *(f"stride {stride}" for stride in strides)])
