"""The published training flags as a recipe of ours, and their data sets as training pairs."""

from pathlib import Path
from typing import Any

from ..data.layouts import entries
from ..data.published import Published, Sizing
from ..nvlabs.flags import TrainFlags, chosen
from ..nvlabs.networks import NUM_UPS, parse_norm
from ..nvlabs.presets import NAMED, Preset, preset
from .recipes import Recipe, checked


def settings_of(flags: TrainFlags) -> Preset:
    """The data set's preset as the flags have it."""
    if flags.dataset_mode is None:
        raise ValueError("no --dataset_mode: choose coco, ade20k, cityscapes, facades or custom")
    settings = chosen(flags, preset(flags.dataset_mode))
    return settings.changed(load_size=flags.load_size or settings.train_load_size)


def pairs_of(flags: TrainFlags, phase: str = "train") -> Published:
    """The pairs of the data set, whole; crops and mirroring are the recipe's."""
    folders = (Path(f) if f else None for f in (flags.label_dir, flags.image_dir, flags.instance_dir))
    root = Path(flags.dataroot) if flags.dataroot else None
    listed = entries(str(flags.dataset_mode), root, flags.phase or phase, *folders)
    semantics = settings_of(flags).semantics
    data = Published(listed, Sizing("whole", 0, 0), semantics.edges)
    data.check_ids({*range(semantics.label_nc), *([255] if semantics.unknown else [])})
    return data


def recipe_of(flags: TrainFlags, photos: int) -> Recipe:
    """The recipe of the flags for a data set of so many photos; ValueError for what does not go together."""
    settings, epochs = settings_of(flags), flags.niter + flags.niter_decay
    norm = parse_norm(flags.norm_G or "spectralspadesyncbatch3x3")
    semantics = settings.semantics
    named = settings.palette is not None and settings.label_nc == NAMED[settings.palette]
    values: dict[str, Any] = {
        "name": f"published_{settings.name}",
        "palette": settings.palette if named else None,
        **semantics.model_dump(),
        "size": (round(settings.crop_size / settings.aspect_ratio), settings.crop_size),
        "flip": not flags.no_flip,
        "scale": (1.0, max(1.0, settings.load_size / settings.crop_size)),
        "batch_size": flags.batchSize or 1,
        "total_images": max(1, epochs * photos),
        "decay_from": flags.niter / epochs if epochs else 1.0,
        "lr": flags.lr,
        "ttur": not flags.no_TTUR,
        "betas": (flags.beta1, flags.beta2),
        "precision": "float32",
        "ngf": flags.ngf or 64,
        "num_ups": NUM_UPS[flags.num_upsampling_layers or "normal"],
        "kernel": norm.kernel,
        "norm": norm.norm,
        "z_dim": (flags.z_dim or 256) if flags.use_vae else None,
        "encoder_ngf": flags.ngf or 64,
        "encoder_size": 256 if settings.crop_size >= 256 else 128,
        "gan_loss": flags.gan_mode,
        "ndf": flags.ndf,
        "scales": flags.num_D,
        "lambda_feat": 0.0 if flags.no_ganFeat_loss else flags.lambda_feat,
        "lambda_perceptual": 0.0 if flags.no_vgg_loss else flags.lambda_vgg,
        "lambda_kl": flags.lambda_kld,
    }
    return checked(values, "these flags", Recipe)
