"""Stored batch-norm statistics that fit the weights, and such that do not."""

from pathlib import Path

import numpy as np
import pytest
import tiny_model
import torch

from spadework.engine import Engine
from spadework.evaluation.consistency import NORMS, THRESHOLD, statistics_gap, warning
from spadework.model import Checkpoint, load_checkpoint
from spadework.nn.generator import GeneratorConfig
from spadework.nn.labels import Labels
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

MAPS = [
    LabelMap(np.random.default_rng(i).integers(0, 15, (32, 32)).astype(np.uint8), Palette.load("landscape"))
    for i in range(4)
]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    """Its statistics are those of MAPS in the styles of seed 0."""
    checkpoint = load_checkpoint(tiny_model.write(tmp_path / "m.safetensors"))
    engine, generator = Engine(checkpoint), checkpoint.generator
    norms = [m for m in generator.modules() if isinstance(m, NORMS)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    labels = Labels.of(torch.from_numpy(np.stack([m.ids for m in MAPS])), checkpoint.card.semantics)
    z = torch.from_numpy(np.stack([engine.sample_style(0, m).z for m in MAPS]))
    with torch.no_grad():
        generator(labels, z, generator.draw_noise(4, (32, 32), torch.Generator().manual_seed(0)))
    generator.eval()
    return checkpoint


def test_fitting_statistics_leave_hardly_a_gap(checkpoint: Checkpoint):
    before = {k: v.clone() for k, v in checkpoint.generator.state_dict().items()}
    gap = statistics_gap(checkpoint, Engine(checkpoint), MAPS)
    assert gap is not None
    assert gap < 0.02  # variances are stored as of n - 1, the batch's are of n
    assert warning(gap) is None
    assert all(torch.equal(v, before[k]) for k, v in checkpoint.generator.state_dict().items())
    assert not any(m.training for m in checkpoint.generator.modules())


def test_statistics_of_other_weights_are_told(checkpoint: Checkpoint):
    for module in checkpoint.generator.modules():
        if isinstance(module, NORMS):
            module.reset_running_stats()  # as if they had never been measured
    gap = statistics_gap(checkpoint, Engine(checkpoint), MAPS)
    assert gap is not None
    assert gap > THRESHOLD
    assert "export the model again" in (warning(gap) or "")


def test_instance_norm_has_no_such_fault(tmp_path: Path):
    config = GeneratorConfig(**tiny_model.GENERATOR.model_dump() | {"norm": "instance"})
    generator, encoder = tiny_model.networks(config=config)
    card = tiny_model.card(generator=config)
    checkpoint = Checkpoint(card, generator, encoder)
    assert statistics_gap(checkpoint, Engine(checkpoint), MAPS) is None
    assert warning(None) is None
