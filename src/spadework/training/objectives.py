"""What a painting is judged by. Objectives with one face: the paper's patches, a frozen classifier, a U-Net.

Shapes: B batch, K semantic channels, (H, W) pixels. Every loss returned is already weighted; their sum is the
total to descend.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadework.data.sample import moved
from spadework.frozen.efficientnet import EfficientNetLite, NormalizedFeatures
from spadework.frozen.vgg import VGG19
from spadework.nn.discriminator import BackboneDiscriminator, MultiscaleDiscriminator, UNetDiscriminator
from spadework.nn.labels import instance_edges
from spadework.nn.pixels import precise
from spadework.training import losses
from spadework.training.inputs import Inputs, Seen
from spadework.training.painter_recipe import STRIDES, Recipe
from spadework.training.sharing import drawn

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Painting:
    """A painting (B, 3, H, W) without gradient, and what the frozen classifier saw in its photo and in it."""

    image: Tensor
    features: tuple[list[Tensor], list[Tensor]] | None = None


def painting_losses(inputs: Inputs, fake: Tensor, recipe: Recipe) -> Losses:
    """What a painting (B, 3, H, W) is held to as a whole: no lattice, the power of photos, their colors."""
    terms, own = {}, slice(inputs.swapped, None)
    if recipe.lambda_phase:
        terms["g_phase"] = recipe.lambda_phase * losses.phase(fake)
    if recipe.lambda_spectrum:
        terms["g_spectrum"] = recipe.lambda_spectrum * losses.spectrum(fake, inputs.image)
    if recipe.lambda_color:
        ours, theirs = (local_means(x[own], recipe.color_grid) for x in (fake, inputs.image))
        terms["g_color"] = recipe.lambda_color * F.l1_loss(ours, theirs)
    return terms


def quiet(channels: Tensor, reach: int, unknown: int) -> Tensor:
    """Channel numbers (B, H, W), `unknown` within `reach` pixels on either side of an outline.

    Outlines of machines are a few pixels off, and of sketches more: there no class is right or wrong.
    """
    if not reach:
        return channels
    edges = instance_edges(channels)[:, None].float()
    near = F.max_pool2d(edges, 2 * reach - 1, 1, reach - 1)[:, 0] > 0
    return torch.where(near, unknown, channels)


class Objective(Protocol):
    """Owns nothing that learns but its discriminator."""

    @property
    def discriminator(self) -> nn.Module:
        """What learns to tell paintings from photos."""
        ...

    def networks(self) -> list[nn.Module]:
        """All that must lie on the device of the training."""
        ...

    def calibrate(self, photos: list[Tensor]) -> None:
        """Measures what it needs on real photos, once, before training."""
        ...

    def generator_losses(self, inputs: Inputs, fake: Tensor) -> tuple[Losses, Painting]:
        """Weighted losses of a painting (B, 3, H, W), to descend through `fake`; and the painting."""
        ...

    def discriminator_losses(self, inputs: Inputs, painting: Painting) -> Losses:
        """Weighted losses of the discriminator on photos and on paintings."""
        ...


def local_means(image: Tensor, grid: int = 16) -> Tensor:
    """Means of a picture over a `grid` x `grid` division."""
    return F.adaptive_avg_pool2d(precise(image), grid)


class PatchObjective:
    """The paper's: multi-scale patches, feature matching, and a perceptual net when its weights are given."""

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self.discriminator = MultiscaleDiscriminator(recipe.patch)
        self.gan_d, self.gan_g = losses.GAN_LOSSES[recipe.gan_loss]
        self.vgg = VGG19.from_file(recipe.vgg) if recipe.vgg else None

    def networks(self) -> list[nn.Module]:
        """The discriminator, and the perceptual net if there is one."""
        return [self.discriminator, *([] if self.vgg is None else [self.vgg])]

    def calibrate(self, photos: list[Tensor]) -> None:
        """Nothing to measure."""

    def _discriminate(self, inputs: Inputs, fake: Tensor) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Photo and painting go through as one batch, as published: (features of photo, of painting)."""
        seen = Seen.of(inputs, fake, self.recipe)
        segmap = torch.cat([seen.segmap, seen.segmap])
        both = self.discriminator(segmap, torch.cat([seen.painting, seen.image.to(fake.dtype)]))
        count = len(fake)
        real = [[x[count:] for x in scale] for scale in both]
        return real, [[x[:count] for x in scale] for scale in both]

    def generator_losses(self, inputs: Inputs, fake: Tensor) -> tuple[Losses, Painting]:
        """Adversarial, and of the pairs feature matching and where asked for perceptual."""
        r, own = self.recipe, slice(inputs.swapped, None)
        real_out, fake_out = self._discriminate(inputs, fake)
        terms = {"g_gan": r.lambda_gan * self.gan_g([scale[-1] for scale in fake_out])}
        features = [[[x[own] for x in scale[:-1]] for scale in out] for out in (real_out, fake_out)]
        terms["g_feat"] = r.lambda_feat * losses.feature_matching(*features)
        if self.vgg is not None:
            with torch.no_grad():
                target = self.vgg(inputs.image[own])
            difference = losses.perceptual(target, self.vgg(fake[own]), VGG19.WEIGHTS)
            terms["g_perceptual"] = r.lambda_perceptual * difference
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

    def networks(self) -> list[nn.Module]:
        """The discriminator and the classifier under it."""
        return [self.discriminator, self.features]

    def calibrate(self, photos: list[Tensor]) -> None:
        """Measures mean and deviation of every frozen feature."""
        self.features.calibrate(photos)

    def _weights(self, channels: Tensor) -> Tensor:
        """Class weights of the batch; the unknown class has none."""
        return losses.class_weights(channels, self.recipe.label_nc)

    def _labels(self, seen: Seen) -> Tensor:
        """The class that every pixel must show; label_nc where it may show any."""
        return quiet(seen.channels, self.recipe.quiet, self.recipe.label_nc)

    def generator_losses(self, inputs: Inputs, fake: Tensor) -> tuple[Losses, Painting]:
        """Labels per pixel, patches; of the pairs features, by cell or by label region; and twins apart."""
        r, seen = self.recipe, Seen.of(inputs, fake, self.recipe)
        with torch.no_grad():
            target = self.features(seen.image)
        features = self.features(seen.painting)
        judged = self.discriminator(seen.segmap, seen.painting, features)
        labels = self._labels(seen)
        terms = {
            "g_pixel": r.lambda_pixel * losses.pixel_labels(judged.logits, labels, self._weights(labels)),
            "g_gan": r.lambda_gan * losses.hinge_g([precise(s) for s in judged.scores]),
        }
        terms |= self._paired(seen, target, features, slice(inputs.swapped, None))
        if inputs.twins:
            terms["g_seek"] = r.lambda_seek * self._apart(inputs, fake, features[-1])
        return terms, Painting(fake.detach(), (target, [f.detach() for f in features]))

    def _paired(self, seen: Seen, target: list[Tensor], features: list[Tensor], own: slice) -> Losses:
        """What paintings in their own photo's style, `own` of the batch, share with it."""
        r, terms = self.recipe, {}
        pairs = {s: (f[own], t[own]) for s, f, t in zip(STRIDES, features, target, strict=True)}
        regions = seen.segmap[own]
        if r.lambda_feat:
            each = [F.l1_loss(*pairs[stride]) for stride in r.feat_strides]
            terms["g_feat"] = r.lambda_feat * precise(torch.stack(each).sum())
        if r.lambda_statistics:
            each = [losses.region_statistics(*pairs[stride], regions) for stride in r.statistics_strides]
            terms["g_statistics"] = r.lambda_statistics * torch.stack(each).mean()
        if r.lambda_means:
            each = [losses.region_means(*pairs[stride], regions) for stride in r.means_strides]
            terms["g_means"] = r.lambda_means * torch.stack(each).mean()
        if r.lambda_region_color:
            colors = losses.region_means(seen.painting[own], seen.image[own], regions, least=64)
            terms["g_region_color"] = r.lambda_region_color * colors
        return terms

    @staticmethod
    def _apart(inputs: Inputs, fake: Tensor, coarse: Tensor) -> Tensor:
        """The mode-seeking term of the twins."""
        first, second = slice(inputs.twins), slice(inputs.twins, 2 * inputs.twins)
        places = losses.place(fake[first], fake[second], inputs.painted.segmap[first])
        return losses.seek(places, coarse[first], coarse[second])

    def discriminator_losses(self, inputs: Inputs, painting: Painting) -> Losses:
        """Photos: their labels; paintings: "fake"; patches: hinge."""
        seen = Seen.of(inputs, painting.image, self.recipe)
        both = torch.cat([seen.image, seen.painting.to(seen.image.dtype)])
        if painting.features is None:
            with torch.no_grad():
                features = self.features(both)
        else:
            features = [torch.cat(pair) for pair in zip(*painting.features, strict=True)]
        judged = self.discriminator(seen.segmap, both, features)
        real, painted = judged.logits.chunk(2)
        scores = [precise(s).chunk(2) for s in judged.scores]
        d_real, d_fake = losses.hinge_d([real for real, _ in scores], [fake for _, fake in scores])
        labels = self._labels(seen)
        return {
            "d_pixel_real": losses.pixel_labels(real, labels, self._weights(labels)),
            "d_pixel_fake": losses.pixel_fake(painted),
            "d_real": d_real,
            "d_fake": d_fake,
        }


class PixelObjective:
    """OASIS's (arXiv 2012.04781): each pixel shows one of N classes or is painted, and nothing else counts.

    Classes weigh inversely to their share of a batch, without a bound. Unknown pixels may show any class, as
    may those near an outline where `quiet` says so.
    """

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self.discriminator = UNetDiscriminator(recipe.unet)

    def networks(self) -> list[nn.Module]:
        """The discriminator."""
        return [self.discriminator]

    def calibrate(self, photos: list[Tensor]) -> None:
        """Nothing to measure."""

    def _of_labels(self, logits: Tensor, seen: Seen) -> Tensor:
        """Cross-entropy (B, N+1, H, W) to the labels, balanced over the classes that are there."""
        labels = quiet(seen.channels, self.recipe.quiet, self.recipe.label_nc)
        return losses.pixel_labels(
            logits, labels, losses.class_weights(labels, self.recipe.label_nc, cap=math.inf)
        )

    def generator_losses(self, inputs: Inputs, fake: Tensor) -> tuple[Losses, Painting]:
        """Every pixel is to be taken for its class."""
        seen = Seen.of(inputs, fake, self.recipe)
        entropy = self._of_labels(self.discriminator(seen.painting), seen)
        return {"g_pixel": self.recipe.lambda_pixel * entropy}, Painting(fake.detach())

    def discriminator_losses(self, inputs: Inputs, painting: Painting) -> Losses:
        """Photos: their labels; paintings: "fake"; collages by label region: as their parts."""
        r, seen = self.recipe, Seen.of(inputs, painting.image, self.recipe)
        image, painted = seen.image, seen.painting.to(seen.image.dtype)
        real, fake = self.discriminator(torch.cat([image, painted])).chunk(2)
        terms = {"d_pixel_real": self._of_labels(real, seen), "d_pixel_fake": losses.pixel_fake(fake)}
        if r.lambda_mix:
            coins = drawn(lambda n: torch.rand(n, r.semantics.semantic_nc), inputs.roles) < 0.5
            mask = losses.class_mask(seen.channels, moved(coins, image.device))
            mixed = self.discriminator(torch.where(mask, image, painted))
            terms["d_mix"] = r.lambda_mix * losses.label_mix(mixed, real, fake, mask)
        return terms


OBJECTIVES = {"patch": PatchObjective, "backbone": BackboneObjective, "unet": PixelObjective}
