"""A model of a few thousand random weights, for tests of everything around a model."""

from pathlib import Path

import torch

from spadework.model import ModelCard, save_checkpoint
from spadework.modelfile import TrainingRecord
from spadework.nn.encoder import StyleEncoder, StyleEncoderConfig
from spadework.nn.generator import Generator, GeneratorConfig
from spadework.nn.labels import SemanticsConfig
from spadework.sketch.palette import Palette

SEMANTICS = SemanticsConfig(label_nc=15, unknown=True)
GENERATOR = GeneratorConfig(semantic_nc=16, size=(32, 32), ngf=2, hidden=4, z_dim=8, noise=True)
ENCODER = StyleEncoderConfig(ngf=2, z_dim=8, size=64, layers=5)


def card(**changes) -> ModelCard:
    """The card of the tiny model, with changes."""
    record = TrainingRecord(
        recipe="none", data="nothing", terms="free", images_seen=0, seconds=0, machine="none"
    )
    parts = {
        "name": "tiny",
        "generator": GENERATOR,
        "encoder": ENCODER,
        "semantics": SEMANTICS,
        "palette": Palette.load("landscape"),
        "training": record,
        "metrics": {"distance": 1.5, "protocol": "none"},
        "licence_weights": "free",
    }
    return ModelCard.model_validate(parts | changes)


def networks(seed: int = 0, config: GeneratorConfig = GENERATOR) -> tuple[Generator, StyleEncoder]:
    """Random networks whose pictures show every change of map, style and noise."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator, encoder = Generator(config), StyleEncoder(ENCODER)
        with torch.no_grad():
            for name, parameter in generator.named_parameters():
                if name.endswith("noise_strength"):
                    parameter.normal_(0, 0.5)
                if name.startswith("conv_img"):
                    parameter.mul_(3)
    return generator.eval(), encoder.eval()


def write(path: Path, seed: int = 0, size: tuple[int, int] = (32, 32)) -> Path:
    """The tiny model as a file, of one that paints at a size."""
    config = GENERATOR.model_copy(update={"size": size})
    save_checkpoint(path, card(generator=config), *networks(seed, config))
    return path
