"""Losses, each a pure function of tensors. B batch, N classes, (H, W) pixels.

``scores`` are a multi-scale discriminator's predictions, one tensor per scale; losses average over scales.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


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

    Schoenfeld et al. 2021 (OASIS, arXiv 2012.04781) balance classes this way; ``cap`` bounds a rare one.
    Ids of ``classes`` and above are not counted.
    """
    count = torch.bincount(labels.flatten().long(), minlength=classes)[:classes].float()
    present = count > 0
    inverse = count.sum() / (count.clamp(min=1) * present.sum())
    return torch.where(present, inverse, torch.zeros_like(count)).clamp(max=cap)


_PIXELS = 2**16
"""Pixels whose probabilities stay in cache."""


class _PixelCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of the pixels times their weights; its gradient is made while rows are in cache."""

    @staticmethod
    def forward(ctx, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        b, classes, h, w = logits.shape
        rows = logits.permute(0, 2, 3, 1).reshape(-1, classes)
        exact = torch.promote_types(rows.dtype, torch.float32)
        entropy, grad = rows.new_zeros((), dtype=exact), torch.empty_like(rows)
        wanted, weight = targets.reshape(-1, 1), weights.reshape(-1, 1).to(exact)
        for start in range(0, len(rows), _PIXELS):
            part = slice(start, start + _PIXELS)
            log_p = F.log_softmax(rows[part].to(exact), 1)
            entropy -= (log_p.gather(1, wanted[part]) * weight[part]).sum()
            grad[part] = log_p.exp_().mul_(weight[part]).scatter_add_(1, wanted[part], -weight[part])
        ctx.save_for_backward(grad.view(b, h, w, classes))
        return entropy / len(rows)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        (grad,) = ctx.saved_tensors
        b, h, w, _ = grad.shape
        # a number, as a tensor of another precision would convert all of the gradient
        return (grad * (float(grads[0]) / (b * h * w))).permute(0, 3, 1, 2), None, None


def pixel_labels(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of (B, N+1, H, W) logits to ids (B, H, W); ids without weight left out (OASIS, eq. 1).

    ``weights`` (classes,) covers the ids that count; the mean runs over all pixels. In float32 at least.
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
