"""What a painting is judged by. Two objectives with one face: the paper's patches, and a frozen classifier.

Shapes: B batch, K semantic channels, (H, W) pixels. Every loss returned is already weighted; their sum is the
total to descend.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import losses
from ..contexts import Contexts
from ..data.sample import Batch
from ..nn.discriminator import BackboneDiscriminator, MultiscaleDiscriminator
from ..nn.features import VGG19, EfficientNetLite, NormalizedFeatures
from ..tensors import channel_of_ids, semantics
from .recipes import Recipe

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Inputs:
    """A batch as the networks see it: channels (B, H, W) int64, segmap (B, K, H, W), image (B, 3, H, W).

    ``contexts`` stands for the segmap in the generator, wherever that is faster.
    """

    channels: Tensor
    segmap: Tensor
    image: Tensor
    contexts: Contexts

    @classmethod
    def of(cls, batch: Batch, recipe: Recipe) -> "Inputs":
        """One-hot in the precision that training runs in."""
        dtype = getattr(torch, recipe.precision)
        segmap = semantics(batch.labels, recipe.semantics, batch.instances, dtype)
        channels = channel_of_ids(batch.labels, recipe.semantics)
        edges = segmap[:, -1] > 0 if recipe.edges else None
        size = (batch.image.shape[2], batch.image.shape[3])
        grids = recipe.generator.grids(size) if recipe.contexts else []
        contexts = Contexts.of(segmap, channels, grids, edges, recipe.kernel, recipe.padding)
        return cls(channels, segmap, batch.image, contexts)


@dataclass(frozen=True)
class Painting:
    """A painting (B, 3, H, W) without gradient, and what the frozen classifier saw in its photo and in it."""

    image: Tensor
    features: tuple[list[Tensor], list[Tensor]] | None = None


class Objective(Protocol):
    """Owns nothing that learns but its discriminator."""

    discriminator: nn.Module

    def calibrate(self, photos: list[Tensor]) -> None:
        """Measures what it needs on real photos, once, before training."""
        ...

    def generator_losses(self, inputs: Inputs, fake: Tensor) -> tuple[Losses, Painting]:
        """Weighted losses of a painting (B, 3, H, W), to descend through ``fake``; and it for the judge."""
        ...

    def discriminator_losses(self, inputs: Inputs, painting: Painting) -> Losses:
        """Weighted losses of the discriminator on photos and on paintings."""
        ...


def local_means(image: Tensor, grid: int = 16) -> Tensor:
    """Means of a picture over a ``grid`` x ``grid`` division."""
    return F.adaptive_avg_pool2d(image.float(), grid)


class PatchObjective:
    """The paper's: multi-scale patches, feature matching, and a perceptual net when its weights are given."""

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self.discriminator = MultiscaleDiscriminator(recipe.patch)
        self.gan_d, self.gan_g = losses.GAN_LOSSES[recipe.gan_loss]
        self.vgg = VGG19.from_file(recipe.vgg) if recipe.vgg else None

    def calibrate(self, photos: list[Tensor]) -> None:
        """Nothing to measure."""

    def _discriminate(self, inputs: Inputs, fake: Tensor) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Photo and painting go through as one batch, as published: (features of photo, of painting)."""
        segmap = torch.cat([inputs.segmap, inputs.segmap])
        both = self.discriminator(segmap, torch.cat([fake, inputs.image.to(fake.dtype)]))
        count = len(fake)
        real = [[x[count:] for x in scale] for scale in both]
        return real, [[x[:count] for x in scale] for scale in both]

    def generator_losses(self, inputs: Inputs, fake: Tensor) -> tuple[Losses, Painting]:
        """Adversarial, feature matching, and where asked for perceptual and colour."""
        r = self.recipe
        real_out, fake_out = self._discriminate(inputs, fake)
        terms = {"g_gan": r.lambda_gan * self.gan_g([scale[-1] for scale in fake_out])}
        features = [[scale[:-1] for scale in out] for out in (real_out, fake_out)]
        terms["g_feat"] = r.lambda_feat * losses.feature_matching(*features)
        if self.vgg is not None:
            with torch.no_grad():
                target = self.vgg(inputs.image)
            difference = losses.perceptual(target, self.vgg(fake), VGG19.WEIGHTS)
            terms["g_perceptual"] = r.lambda_perceptual * difference
        if r.lambda_color:
            terms["g_color"] = r.lambda_color * F.l1_loss(local_means(fake), local_means(inputs.image))
        return terms, Painting(fake.detach())

    def discriminator_losses(self, inputs: Inputs, painting: Painting) -> Losses:
        """Adversarial only."""
        real_out, fake_out = self._discriminate(inputs, painting.image)
        d_real, d_fake = self.gan_d([scale[-1] for scale in real_out], [scale[-1] for scale in fake_out])
        return {"d_real": d_real, "d_fake": d_fake}


class BackboneObjective:
    """A frozen classifier judges: pixels by class (OASIS), patches (Projected GANs), perceptual features."""

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        features = NormalizedFeatures(EfficientNetLite(recipe.backbone))
        self.features = features.to(getattr(torch, recipe.precision))
        self.discriminator = BackboneDiscriminator(recipe.over_backbone(self.features.channels))

    def calibrate(self, photos: list[Tensor]) -> None:
        """Measures mean and deviation of every frozen feature."""
        self.features.calibrate(photos)

    def _weights(self, channels: Tensor) -> Tensor:
        """Class weights of the batch; the unknown class has none."""
        return losses.class_weights(channels, self.recipe.label_nc)

    def generator_losses(self, inputs: Inputs, fake: Tensor) -> tuple[Losses, Painting]:
        """Labels per pixel, patches, paired features, paired colours."""
        r = self.recipe
        with torch.no_grad():
            target = self.features(inputs.image)
        features = self.features(fake)
        judged = self.discriminator(inputs.segmap, fake, features)
        pixel = losses.pixel_labels(judged.logits, inputs.channels, self._weights(inputs.channels))
        terms = {
            "g_pixel": r.lambda_pixel * pixel,
            "g_gan": r.lambda_gan * losses.hinge_g([s.float() for s in judged.scores]),
            "g_feat": r.lambda_feat * losses.perceptual(target, features, [1.0] * len(target)).float(),
            "g_color": r.lambda_color * F.l1_loss(local_means(fake), local_means(inputs.image)),
        }
        return terms, Painting(fake.detach(), (target, [f.detach() for f in features]))

    def discriminator_losses(self, inputs: Inputs, painting: Painting) -> Losses:
        """Photos: their labels; paintings: "fake"; patches: hinge."""
        both = torch.cat([inputs.image, painting.image.to(inputs.image.dtype)])
        if painting.features is None:
            with torch.no_grad():
                features = self.features(both)
        else:
            features = [torch.cat(pair) for pair in zip(*painting.features, strict=True)]
        judged = self.discriminator(inputs.segmap, both, features)
        real, painted = judged.logits.chunk(2)
        scores = [s.float().chunk(2) for s in judged.scores]
        d_real, d_fake = losses.hinge_d([real for real, _ in scores], [fake for _, fake in scores])
        weights = self._weights(inputs.channels)
        return {
            "d_pixel_real": losses.pixel_labels(real, inputs.channels, weights),
            "d_pixel_fake": losses.pixel_fake(painted),
            "d_real": d_real,
            "d_fake": d_fake,
        }


OBJECTIVES = {"patch": PatchObjective, "backbone": BackboneObjective}
