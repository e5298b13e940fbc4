"""Whether a model paints with statistics that fit its weights.

In training, batch norm uses the statistics of the batch; a saved model uses stored ones. Where these lag
behind the weights, previews look good and test pictures bad. B maps, (H, W) pixels.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from spadework.engine import Engine
from spadework.fast.labels import context_labels
from spadework.model import Checkpoint
from spadework.sketch.labelmap import LabelMap

MAPS = 8
"""So many maps make the batch."""

THRESHOLD = 0.08
"""Mean absolute difference of pictures (0 to 1) above which stored statistics are called wrong."""

NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


@torch.no_grad()
def statistics_gap(checkpoint: Checkpoint, engine: Engine, maps: Sequence[LabelMap]) -> float | None:
    """Mean absolute difference, 0 to 1, of pictures by stored and by the batch's own statistics.

    `engine` gives the styles of seed 0; maps are of the model's size. None for a model without batch norm.
    """
    generator = copy.deepcopy(checkpoint.generator).cpu().eval()
    norms = [module for module in generator.modules() if isinstance(module, NORMS)]
    if not norms:
        return None
    ids, card = torch.from_numpy(np.stack([sketch.ids for sketch in maps])), checkpoint.card
    labels = context_labels(ids, card.semantics, card.generator)
    z = None
    if generator.config.z_dim is not None:
        z = torch.from_numpy(np.stack([engine.sample_style(0, sketch).z for sketch in maps]))
    rng = torch.Generator().manual_seed(0)
    noise = generator.draw_noise(len(maps), maps[0].size, rng) if generator.config.noise else None
    stored = generator(labels, z, noise)
    for norm in norms:
        norm.train()
    return float((generator(labels, z, noise) - stored).abs().mean() / 2)


def warning(gap: float | None) -> str | None:
    """What to say of a gap, if anything."""
    if gap is None or gap <= THRESHOLD:
        return None
    return (
        f"the stored batch-norm statistics do not fit the weights: by the batch's own, pictures differ by "
        f"{gap:.3f}, at most {THRESHOLD} is usual: export the model again (spadework train --resume does)"
    )
