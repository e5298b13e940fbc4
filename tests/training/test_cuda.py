"""Training on a GPU, where there is one: it runs, learns, and waits for nothing."""

import math
from pathlib import Path

import pytest
import torch
from small import BACKBONE, PHOTOS, run, small

from spadework.data.loader import collate
from spadework.data.toy import ToyLandscapes
from spadework.training.inputs import Inputs
from spadework.training.painter_recipe import Recipe
from spadework.training.state import TrainState, new_state
from spadework.training.steps import step_discriminator, step_generator

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here (CUDA)")

VIEWS = ("zoom=0.5", "crop=0.5", "jitter=0.5", "cutout=0.5", "flood=1", "swap_share=0.5", "lambda_style=1")
TERMS = ("lambda_statistics=1", "lambda_means=1", "lambda_phase=1", "lambda_spectrum=1", "lambda_seek=1")
RECIPE = small(*BACKBONE, *VIEWS, *TERMS, "batch_size=4")
CROPS = ToyLandscapes(length=4, size=(32, 32), seed=5)


def step(state: TrainState, recipe: Recipe) -> dict[str, torch.Tensor]:
    inputs = Inputs.staged(collate(list(CROPS), "cuda"), recipe)
    losses, paintings = step_generator(state, recipe, [inputs])
    return losses | step_discriminator(state, recipe, [inputs], paintings)


def test_a_run_on_a_gpu_is_saved_and_resumed(tmp_path: Path) -> None:
    recipe = small(*BACKBONE, *VIEWS, *TERMS, "batch_size=4", "total_images=80")
    run(recipe, tmp_path, steps=10, device="cuda")
    state = run(recipe, tmp_path, resume=True, device="cuda")
    assert state.images_seen == 80
    assert all(value.isfinite().all() for value in state.networks.state_dict().values())


def test_a_step_waits_for_nothing() -> None:
    state = new_state(RECIPE, "cuda")
    state.objective.calibrate([collate([PHOTOS[0]], "cuda").image])
    step(state, RECIPE)  # what is made once may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = [step(state, RECIPE) for _ in range(4)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(math.isfinite(float(value)) for terms in losses for value in terms.values())
