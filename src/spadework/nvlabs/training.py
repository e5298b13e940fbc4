"""The published training flags as a recipe of ours, their data sets as training pairs, and their checkpoints
as the first weights of a run.
"""

from pathlib import Path
from typing import Any

from spadework.files import Fault
from spadework.nvlabs.convert import generator_options
from spadework.nvlabs.data import Published, Sizing
from spadework.nvlabs.files import Published as Weights
from spadework.nvlabs.flags import TrainFlags, chosen
from spadework.nvlabs.layouts import entries
from spadework.nvlabs.networks import NUM_UPS, load, parse_norm
from spadework.nvlabs.presets import NAMED, Preset, preset
from spadework.training.painter_recipe import Recipe
from spadework.training.recipes import checked
from spadework.training.state import TrainState


def settings_of(flags: TrainFlags) -> Preset:
    """The data set's preset as the flags have it."""
    if flags.dataset_mode is None:
        raise Fault("no --dataset_mode", "choose coco, ade20k, cityscapes, facades or custom")
    settings = chosen(flags, preset(flags.dataset_mode))
    return settings.changed(load_size=flags.load_size or settings.train_load_size)


def sizing_of(flags: TrainFlags) -> Sizing:
    """How the data set's pictures are scaled; ValueError where the crop would not fit afterwards."""
    settings = settings_of(flags)
    sizing = Sizing(settings.preprocess_mode, settings.load_size, settings.crop_size, settings.aspect_ratio)
    if sizing.crops and sizing.mode != "crop" and settings.load_size < settings.crop_size:
        raise Fault(
            f"--load_size {settings.load_size} is less than --crop_size {settings.crop_size}, and "
            f"{sizing.mode} crops from the former",
            f"state --load_size {settings.crop_size} or more",
        )
    return sizing


def pairs_of(flags: TrainFlags, phase: str = "train") -> Published:
    """The pairs of the data set at their load size; crops and mirroring are the recipe's."""
    folders = (Path(f) if f else None for f in (flags.label_dir, flags.image_dir, flags.instance_dir))
    root = Path(flags.dataroot) if flags.dataroot else None
    listed = entries(str(flags.dataset_mode), root, flags.phase or phase, *folders)
    semantics = settings_of(flags).semantics
    sizing = sizing_of(flags)
    settings = settings_of(flags)
    size = None if sizing.crops else _size(settings)
    data = Published(listed, sizing.load, semantics.edges, size, settings.colors())
    data.check_ids({*range(semantics.label_nc), *([255] if semantics.unknown else [])})
    return data


def _size(settings: Preset) -> tuple[int, int]:
    """(H, W) that the generator paints."""
    return round(settings.crop_size / settings.aspect_ratio), settings.crop_size


def from_weights(flags: TrainFlags, weights: Weights) -> TrainFlags:
    """The flags with the shapes of published networks, from which the training is to start.

    Raises ValueError where what is stated does not agree with the weights, and for networks that training
    here does not know.
    """
    names = ("ngf", "num_upsampling_layers", "norm_G", "z_dim")
    stated = {name: getattr(flags, name) or weights.options.get(name) for name in names}
    options = generator_options(weights.states["generator"], settings_of(flags), stated)
    if not parse_norm(options.norm_G).spectral:
        raise Fault(
            f"the weights of {weights.origin} have no spectral norm, and every network trained here has",
            "paint with them, or train anew",
        )
    shape: dict[str, Any] = options.model_dump(
        include={"ngf", "num_upsampling_layers", "norm_G", "use_vae", "z_dim"}
    )
    if discriminator := weights.states.get("discriminator"):
        shape["ndf"] = len(discriminator["discriminator_0.model0.0.weight"])
        shape["num_D"] = len({name.partition(".")[0] for name in discriminator})
    return flags.model_copy(update=shape)


def begin_with(state: TrainState, weights: Weights) -> list[str]:
    """Fills the networks with published weights; returns those that the checkpoint lacks, which start fresh.

    Raises ValueError that names what does not fit.
    """
    networks = {"generator": state.generator, "discriminator": state.objective.discriminator}
    if state.encoder is not None:
        networks["encoder"] = state.encoder
    for kind in networks.keys() & weights.states.keys():
        load(networks[kind], kind, weights.states[kind])
    state.average.load_state_dict(state.networks.state_dict())
    return sorted(networks.keys() - weights.states.keys())


def recipe_of(flags: TrainFlags, photos: int) -> Recipe:
    """The recipe of the flags for a data set of so many photos; ValueError for what does not go together."""
    settings, epochs = settings_of(flags), flags.niter + flags.niter_decay
    norm = parse_norm(flags.norm_G or "spectralspadesyncbatch3x3")
    semantics = settings.semantics
    named = settings.palette is not None and settings.label_nc == NAMED[settings.palette]
    values: dict[str, Any] = {
        "name": f"published_{settings.name}",
        "palette": settings.palette if named else None,
        **semantics.model_dump(exclude={"unknown_id"}),
        "size": _size(settings),
        "flip": not flags.no_flip,
        "scale": None,
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
