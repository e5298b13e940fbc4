"""Losses, each a pure function of tensors. B batch, N classes, (H, W) pixels.

`scores` are a multi-scale discriminator's predictions, one tensor per scale; losses average over scales.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from spadework.nn import together
from spadework.nn.pixels import pooled, precise


def _mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()


def hinge_d(real: Sequence[Tensor], fake: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Discriminator's hinge loss (Lim & Ye 2017, arXiv 1705.02894): (d_real, d_fake)."""
    return _mean([F.relu(1 - r).mean() for r in real]), _mean([F.relu(1 + f).mean() for f in fake])


def hinge_g(fake: Sequence[Tensor]) -> Tensor:
    """Generator's hinge loss: minus the mean score."""
    return _mean([-f.mean() for f in fake])


def lsgan_d(real: Sequence[Tensor], fake: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Discriminator's least-squares loss (Mao et al. 2016, arXiv 1611.04076): (d_real, d_fake)."""
    return _mean([((r - 1) ** 2).mean() for r in real]), _mean([(f**2).mean() for f in fake])


def lsgan_g(fake: Sequence[Tensor]) -> Tensor:
    """Generator's least-squares loss."""
    return _mean([((f - 1) ** 2).mean() for f in fake])


def original_d(real: Sequence[Tensor], fake: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Discriminator's cross-entropy of the first GAN (Goodfellow et al. 2014): (d_real, d_fake)."""
    return _mean([F.softplus(-r).mean() for r in real]), _mean([F.softplus(f).mean() for f in fake])


def original_g(fake: Sequence[Tensor]) -> Tensor:
    """Generator's non-saturating cross-entropy."""
    return _mean([F.softplus(-f).mean() for f in fake])


GAN_LOSSES = {"hinge": (hinge_d, hinge_g), "ls": (lsgan_d, lsgan_g), "original": (original_d, original_g)}


def feature_matching(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Mean L1 between features of photo and painting, summed over layers, averaged over scales.

    Wang et al. 2018 (arXiv 1711.11585). The photo's features get no gradient.
    """
    return _mean(
        [
            torch.stack([F.l1_loss(f, r.detach()) for r, f in zip(real_scale, fake_scale, strict=True)]).sum()
            for real_scale, fake_scale in zip(real, fake, strict=True)
        ]
    )


def perceptual(real: Sequence[Tensor], fake: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Weighted sum over layers of the L1 between a frozen net's features (Johnson et al. 2016)."""
    terms = [w * F.l1_loss(f, r.detach()) for r, f, w in zip(real, fake, weights, strict=True)]
    return torch.stack(terms).sum()


def kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)), summed over batch and dimensions as published: (B, Z) -> scalar."""
    return -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum()


def class_weights(labels: Tensor, classes: int, cap: float = 4.0) -> Tensor:
    """Weights inverse to a batch's class frequencies: ids (B, H, W) -> (classes,), mean 1 over the pixels.

    Schoenfeld et al. 2021 (OASIS, arXiv 2012.04781) balance classes this way; `cap` bounds a rare one.
    Ids of `classes` and above are not counted.
    """
    count = together.total(_counts(labels, classes).float())
    present = count > 0
    inverse = count.sum() / (count.clamp(min=1) * present.sum())
    return torch.where(present, inverse, torch.zeros_like(count)).clamp(max=cap)


def _counts(labels: Tensor, classes: int) -> Tensor:
    """Pixels of every class (classes,)."""
    if labels.device.type == "cpu":
        return torch.bincount(labels.flatten().long(), minlength=classes)[:classes]
    numbers = torch.arange(classes, device=labels.device)  # a bincount would wait for the GPU
    return (labels.flatten() == numbers[:, None]).sum(1)


_PIXELS = 2**16
"""Pixels whose probabilities stay in a CPU's cache."""


class _PixelCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of the pixels times their weights; its gradient is made while rows are in cache."""

    @staticmethod
    def forward(ctx, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        b, classes, h, w = logits.shape
        rows = logits.permute(0, 2, 3, 1).reshape(-1, classes)
        exact = torch.promote_types(rows.dtype, torch.float32)
        entropy, grad = rows.new_zeros((), dtype=exact), torch.empty_like(rows)
        wanted, weight = targets.reshape(-1, 1), weights.reshape(-1, 1).to(exact)
        step = _PIXELS if rows.device.type == "cpu" else len(rows)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            log_p = F.log_softmax(rows[part].to(exact), 1)
            entropy -= (log_p.gather(1, wanted[part]) * weight[part]).sum()
            grad[part] = log_p.exp_().mul_(weight[part]).scatter_add_(1, wanted[part], -weight[part])
        ctx.save_for_backward(grad.view(b, h, w, classes))
        return entropy / len(rows)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        (grad,) = ctx.saved_tensors
        b, h, w, _ = grad.shape
        # a number: a tensor of another precision would convert all of the gradient; a GPU would be waited for
        given = float(grads[0]) if grad.device.type == "cpu" else grads[0].to(grad.dtype)
        return (grad * (given / (b * h * w))).permute(0, 3, 1, 2), None, None


def pixel_labels(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of (B, N+1, H, W) logits to ids (B, H, W); ids without weight left out (OASIS, eq. 1).

    `weights` (classes,) covers the ids that count; the mean runs over all pixels. In float32 at least.
    """
    ids = labels.long()
    full = torch.zeros(max(256, logits.shape[1]), device=logits.device)
    full[: len(weights)] = weights
    return _PixelCrossEntropy.apply(logits, ids.clamp(max=logits.shape[1] - 1), full[ids])


def pixel_fake(logits: Tensor) -> Tensor:
    """Cross-entropy of every pixel of (B, N+1, H, W) logits to the last class, "fake" (OASIS, eq. 1)."""
    fake = logits.shape[1] - 1
    every = torch.ones((), device=logits.device).expand(len(logits), *logits.shape[2:])
    return _PixelCrossEntropy.apply(logits, (every * fake).long(), every)


def class_mask(channels: Tensor, chosen: Tensor) -> Tensor:
    """Where channels (B, H, W) are of the classes `chosen` (B, K) bool: LabelMix's mask (B, 1, H, W)."""
    return chosen.gather(1, channels.flatten(1)).view_as(channels)[:, None]


def label_mix(mixed: Tensor, photo: Tensor, painted: Tensor, mask: Tensor) -> Tensor:
    """LabelMix consistency (OASIS, section 3.2): pixels are judged in a collage as where they are from.

    Mean squared difference between the logits (B, N+1, H, W) of a picture whose pixels are the photo's where
    the mask (B, 1, H, W) says so and else the painting's, and those of these two, put together as they were.
    """
    return F.mse_loss(precise(mixed), torch.where(mask, precise(photo), precise(painted)))


def region_statistics(painted: Tensor, photo: Tensor, regions: Tensor, least: int = 24) -> Tensor:
    """L1 between means and deviations of features in each label region: (B, C, h, w) twice -> scalar.

    Detail that nobody can predict is held to the photo's statistics, not to its pixels (Gram matrices do
    that for whole pictures: Gatys et al. 2015, arXiv 1505.07376). `regions` (B, K, H, W) one-hot; a cell
    counts where it lies in one region, a region with more than `least` cells, by the root of their number.
    In float32, as autocast would round sums of thousands.
    """
    with torch.autocast(painted.device.type, enabled=False):
        cells = precise((_shares(regions, painted) > 0.99).to(painted.dtype))
        count = cells.sum(2)
        weight = torch.where(count > least, count.sqrt(), 0)
        (mean, deviation), (to_mean, to_deviation) = (
            _moments(x, cells, count) for x in (painted, photo.detach())
        )
        apart = ((mean - to_mean).abs() + (deviation - to_deviation).abs()).mean(2)
        return _weighed(apart, weight)


def _shares(regions: Tensor, features: Tensor) -> Tensor:
    """How much of every cell of features (B, C, h, w) each region (B, K, H, W) takes: (B, K, h*w)."""
    return pooled(precise(regions), (features.shape[2], features.shape[3])).flatten(2)


def _moments(x: Tensor, cells: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (B, K, C) of (B, C, h, w) over cells (B, K, h*w)."""
    rows = precise(x).flatten(2).transpose(1, 2)
    count = count.clamp(min=1)[..., None]
    mean = cells @ rows / count
    return mean, (cells @ rows.square() / count - mean.square()).clamp(min=1e-4).sqrt()


def region_means(painted: Tensor, photo: Tensor, regions: Tensor, least: float = 2) -> Tensor:
    """L1 between the means of features, or of colors, in each label region: holds the class, frees the place.

    As `region_statistics`, but every cell counts by its share in a region.
    """
    with torch.autocast(painted.device.type, enabled=False):
        cells = _shares(regions, painted)
        count = cells.sum(2)
        weight = torch.where(count > least, count.sqrt(), 0)
        mean, to_mean = (
            cells @ precise(x).flatten(2).transpose(1, 2) / count.clamp(min=1)[..., None]
            for x in (painted, photo.detach())
        )
        return _weighed((mean - to_mean).abs().mean(2), weight)


def _weighed(apart: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over the regions of the batch, to which every process adds its own."""
    return (apart * weight).sum() / (together.total(weight.sum()).clamp(min=1) / together.count())


_PERIOD, _AROUND = 4, 12
"""Pixels after which the pattern of two doublings repeats, and over which gradients are compared."""


def phase(image: Tensor) -> Tensor:
    """How much gradients depend on the row and the column modulo 4: (B, 3, H, W) -> scalar, 0 at best.

    Doublings leave a lattice of that period. Each gradient counts relative to the mean around it, so that a
    sky counts as much as a forest; both its size and its sign must not depend on the phase.
    """
    grey, total = precise(image).mean(1, keepdim=True), []
    for axis in (2, 3):
        step = grey.diff(dim=axis)
        height, width = (side // _AROUND * _AROUND for side in step.shape[2:])
        step = step[:, :, :height, :width]
        around = F.interpolate(F.avg_pool2d(step.abs(), _AROUND), scale_factor=float(_AROUND), mode="nearest")
        relative = (step / (around + 0.005)).unflatten(axis, (-1, _PERIOD))
        for values in (relative.abs(), relative):
            means = together.mean(values.mean([d for d in range(5) if d != axis + 1]))
            total.append((means - means.mean()).abs().mean())
    return torch.stack(total).sum()


BANDS = ((2, 4), (4, 8), (8, 16), (16, 32), (32, 64), (64, 80), (80, 96), (96, 112), (112, 128))
"""Cycles per 256 pixels."""


def spectrum(painted: Tensor, photo: Tensor) -> Tensor:
    """Mean difference of the logarithms of power in BANDS, over a batch: (B, 3, H, W) twice -> scalar."""
    ours, theirs = (_power(x).log() for x in (painted, photo.detach()))
    return (ours - theirs).abs().mean()


def _power(image: Tensor) -> Tensor:
    """Mean power of luminance in BANDS, of pictures that fade out at the border: (B, 3, H, W) -> (bands,).

    Small pictures have no frequencies in some bands; these are left out.
    """
    window, inside = _bands(image.shape[2], image.shape[3], image.device)
    grey = precise(image).mean(1)
    power = torch.fft.rfft2((grey - grey.mean((1, 2), keepdim=True)) * window).abs().square()
    return inside.to(power.dtype) @ (together.mean(power.mean(0)) + 0.1).flatten()


@lru_cache(maxsize=8)
def _bands(h: int, w: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """A window (h, w) that fades out, and the weight of every frequency in the mean of each band."""
    window = torch.hann_window(h)[:, None] * torch.hann_window(w)
    cycles = 256 * torch.hypot(torch.fft.fftfreq(h)[:, None], torch.fft.rfftfreq(w))
    inside = torch.stack([(cycles >= low) & (cycles < high) for low, high in BANDS]).flatten(1).float()
    inside = inside[inside.any(1)]
    return window.to(device), (inside / inside.sum(1, keepdim=True)).to(device)


def place(first: Tensor, second: Tensor, regions: Tensor, grid: int = 16) -> Tensor:
    """How differently two paintings (B, 3, H, W) of one map lay out light and dark: (B,), 0 equal, 1 apart.

    Means of luminance over a `grid`, less what their label regions have on average; the difference of the
    two relative to their size.
    """
    with torch.autocast(first.device.type, enabled=False):
        cells = F.adaptive_avg_pool2d(precise(regions), grid).flatten(2)  # (B, K, cells)
        count = cells.sum(2, keepdim=True).clamp(min=1)
        rests = []
        for image in (first, second):
            grey = F.adaptive_avg_pool2d(precise(image).mean(1, keepdim=True), grid).flatten(2)
            rests.append(grey - ((grey * cells).sum(2, keepdim=True) / count * cells).sum(1, keepdim=True))
        size = sum(rest.abs().mean((1, 2)) for rest in rests)
        return (rests[0] - rests[1]).abs().mean((1, 2)) / (size + 0.02)


def seek(places: Tensor, first: Tensor, second: Tensor, far: float = 0.5, apart: float = 1.0) -> Tensor:
    """Minus how far two paintings of one map and style are apart, bounded: between -1 and 0.

    A mode-seeking term (Mao et al. 2019, arXiv 1903.05628): half of it their `place` (B,) up to `far`,
    half the L1 between their coarse features (B, C, h, w) up to `apart`. Unbounded it would win over all.
    """
    features = (precise(first) - precise(second)).abs().mean((1, 2, 3))
    return -((places / far).clamp(max=1).mean() + (features / apart).clamp(max=1).mean()) / 2
