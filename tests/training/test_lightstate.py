"""Light states: a training goes on from one as if it had never stopped, but for its optimisers."""

import os
from pathlib import Path

import pytest
import safetensors.torch
import torch
from small import BACKBONE, needs_backbone, run, small

from spadework.data.loader import collate
from spadework.data.toy import ToyLandscapes
from spadework.training.inputs import Inputs
from spadework.training.lightstate import read_light, write_light
from spadework.training.painter_recipe import Recipe
from spadework.training.recipes import named
from spadework.training.starting import begin_from, demand_fit, read_start
from spadework.training.state import TrainState, new_state
from spadework.training.steps import step_discriminator, step_generator

CROPS = ToyLandscapes(length=4, size=(32, 32), seed=5)
VIEWS = ("zoom=0.5", "crop=0.5", "jitter=0.5", "swap_share=0.5", "lambda_style=0.5", "lambda_seek=0.5")
SETTINGS = (*BACKBONE, *VIEWS, "batch_size=4", "precision=float32", "ema=0", "lambda_statistics=1")


def next_losses(state: TrainState, recipe: Recipe) -> dict[str, float]:
    """Of the batch that comes next; the random numbers go on where they are."""
    inputs = Inputs.staged(collate([CROPS[i] for i in range(4)]), recipe)
    losses, paintings = step_generator(state, recipe, [inputs])
    losses |= step_discriminator(state, recipe, [inputs], paintings)
    return {name: float(value) for name, value in losses.items()}


@needs_backbone
def test_the_next_losses_are_those_of_the_run_that_wrote_it(tmp_path: Path) -> None:
    recipe = small(*SETTINGS, "total_images=12")
    state = run(recipe, tmp_path)
    write_light(tmp_path / "light.safetensors", state, recipe)
    expected = next_losses(state, recipe)

    longer = small(*SETTINGS, "total_images=20")
    other = new_state(longer)
    begin_from(other, longer, read_start(tmp_path / "light.safetensors"))
    assert (other.step, other.images_seen, other.calibrated) == (state.step, 12, True)
    assert {"g_seek", "g_style", "g_statistics", "d_pixel_fake"} <= expected.keys()
    found = next_losses(other, longer)
    assert found == pytest.approx(expected, rel=0.02, abs=2e-3)
    assert found != expected  # half precision


@needs_backbone
def test_it_is_small_and_goes_on_by_itself(tmp_path: Path) -> None:
    recipe = small(*SETTINGS, "total_images=12")
    state = run(recipe, tmp_path / "a")
    write_light(tmp_path / "light.safetensors", state, recipe)
    assert (tmp_path / "light.safetensors").stat().st_size < (
        tmp_path / "a/state.safetensors"
    ).stat().st_size / 3
    longer = small(*SETTINGS, "total_images=20")
    light = read_start(tmp_path / "light.safetensors")
    after = run(longer, tmp_path / "b", begin=lambda fresh: begin_from(fresh, longer, light))
    assert (after.images_seen, after.step) == (20, 5)


@needs_backbone
def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    recipe, path = small(*SETTINGS, "total_images=4"), tmp_path / "light.safetensors"
    write_light(path, new_state(recipe), recipe)
    light = read_light(path)
    with pytest.raises(ValueError, match=r"another generator than .*ngf 4, not 2"):
        demand_fit(small(*SETTINGS, "ngf=4"), light)
    wide = small(*SETTINGS, "discriminator_widths=[8,4,4,4,4]", "total_images=8")
    with pytest.raises(ValueError, match=r"discriminator: .*leave out those --set that shape a network"):
        begin_from(new_state(wide), wide, light)
    demand_fit(small(*SETTINGS, "padding=replicate", "bilinear_ups=2"), light)  # these shape no weight


@needs_backbone
def test_a_discriminator_alone_joins_a_model(tmp_path: Path) -> None:
    recipe = small(*SETTINGS, "total_images=4")
    torch.manual_seed(9)
    giver, taker = new_state(recipe), new_state(small(*SETTINGS, "seed=5"))
    tensors = {f"discriminator.{k}": v for k, v in giver.objective.discriminator.state_dict().items()}
    safetensors.torch.save_file({k: v.contiguous() for k, v in tensors.items()}, tmp_path / "d.safetensors")
    before = {k: v.clone() for k, v in taker.networks.state_dict().items()}
    begin_from(taker, recipe, read_start(tmp_path / "d.safetensors"))
    for key, value in giver.objective.discriminator.state_dict().items():
        assert torch.equal(taker.objective.discriminator.state_dict()[key], value)
    assert all(torch.equal(value, before[key]) for key, value in taker.networks.state_dict().items())
    assert (taker.step, taker.images_seen, taker.calibrated) == (0, 0, False)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    safetensors.torch.save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="holds no discriminator: give a model, a light state"):
        read_start(tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{broken")
    with pytest.raises(ValueError, match=r"b\.safetensors"):
        read_start(tmp_path / "b.safetensors")


@needs_backbone
def test_the_kept_discriminator_of_a_gpu_joins_the_shipped_recipe() -> None:
    folder = os.environ.get("SPADEWORK_DATA")
    if not folder:
        pytest.skip("SPADEWORK_DATA names no folder with landscapes/reference-discriminator.safetensors")
    file = Path(folder) / "landscapes" / "reference-discriminator.safetensors"
    recipe = named("landscape", ["total_images=1000000"])
    assert isinstance(recipe, Recipe)
    state = new_state(recipe)
    begin_from(state, recipe, read_start(file))
    assert state.calibrated
    assert float(state.parts()["features"].scale_0.std()) > 0  # type: ignore[arg-type]
