"""A run that begins with a model: the same pictures at first, its counts go on, and it can be resumed."""

from pathlib import Path

import pytest
import torch
from small import PHOTOS, converged, differing, run, small, snapshot

from spadework.model import Checkpoint, load_checkpoint
from spadework.nn.labels import Labels
from spadework.nn.spectral import fold_spectral_norm
from spadework.training import export
from spadework.training.export import export_model
from spadework.training.painting import set_learning_rates
from spadework.training.starting import begin_from, demand_fit
from spadework.training.state import TrainState, new_state

SETTINGS = ("encoder_norm=batch", "style_blocks=true", "init_gain=null", "warm_up=16")
RECIPE = small(*SETTINGS, "total_images=40")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """What twelve images of training left."""
    root = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "STATISTICS_IMAGES", 16)
        patch.setattr(export, "STYLE_IMAGES", 16)
        recipe = small(*SETTINGS, "total_images=12")
        export_model(run(recipe, root), recipe, PHOTOS, root / "model.safetensors")
    return converged(load_checkpoint(root / "model.safetensors"))


@pytest.fixture
def state(model: Checkpoint) -> TrainState:
    state = new_state(RECIPE)
    begin_from(state, RECIPE, model)
    return state


def test_it_paints_and_encodes_as_the_model_does(model: Checkpoint, state: TrainState) -> None:
    torch.manual_seed(0)
    segmap, image = torch.rand(2, 16, 32, 32), torch.rand(2, 3, 64, 64) * 2 - 1
    z, noise = torch.randn(2, 4), model.generator.draw_noise(2, (32, 32))
    for painter in (state.networks, state.average):
        painter.eval()
        picture = painter["generator"](Labels(segmap), z, noise)
        torch.testing.assert_close(picture, model.generator(Labels(segmap), z, noise), rtol=1e-3, atol=1e-3)
        assert model.encoder is not None
        for ours, its in zip(painter["encoder"](image), model.encoder(image), strict=True):
            torch.testing.assert_close(ours, its, rtol=1e-4, atol=1e-5)


def test_spectral_norms_start_converged(state: TrainState) -> None:
    """Another power iteration changes nothing, so training does not begin with a jump."""
    folded = fold_spectral_norm(state.generator).state_dict()
    state.generator.train()
    again = fold_spectral_norm(state.generator).state_dict()
    for name, weight in folded.items():
        torch.testing.assert_close(again[name], weight, rtol=1e-4, atol=1e-5)


def test_images_and_seconds_go_on_from_the_card(model: Checkpoint, tmp_path: Path) -> None:
    def begin(state: TrainState) -> None:
        begin_from(state, RECIPE, model)

    whole = snapshot(run(RECIPE, tmp_path / "whole", begin=begin))
    run(RECIPE, tmp_path / "parts", steps=3, begin=begin)
    state = run(RECIPE, tmp_path / "parts", resume=True)
    assert (state.step, state.images_seen) == (7, 40)
    assert state.seconds > model.card.training.seconds
    assert differing(whole, snapshot(state)) == []


def test_the_generator_waits_for_its_new_judge(state: TrainState) -> None:
    rates = []
    for state.step in (0, 2, 4, 6):
        set_learning_rates(state, RECIPE)
        rates.append([o.param_groups[0]["lr"] / RECIPE.lr for o in (state.optimizer_g, state.optimizer_d)])
    assert rates == [[0, 2], [0.25, 2], [0.5, 2], [0.5, 2]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("ngf=4",), "another generator than model toy has (ngf 4, not 2)"),
        (("z_dim=null",), "another generator"),
        (("encoder_ngf=4",), "another encoder than model toy has (ngf 4, not 2)"),
        (("total_images=12",), "has seen 12 images"),
    ],
)
def test_another_network_or_nothing_left_to_do_is_refused(
    model: Checkpoint, changes: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ValueError, match="--set") as refused:
        demand_fit(small(*SETTINGS, "total_images=40", *changes), model)
    assert words in str(refused.value)


def test_noise_is_made_stronger_where_the_recipe_asks(model: Checkpoint) -> None:
    recipe = small(*SETTINGS, "total_images=40", "noise_gain=3", "coarse_noise_gain=2")
    plain, loud = new_state(RECIPE), new_state(recipe)
    begin_from(plain, RECIPE, model)
    begin_from(loud, recipe, model)
    grids = dict(
        zip(
            [block.name for block in recipe.generator.blocks],
            recipe.generator.grids(recipe.size),
            strict=True,
        )
    )
    for kind in ("networks", "average"):
        for name, block in getattr(plain, kind)["generator"].blocks.items():
            gain = 6 if grids[name][0] <= 4 else 3  # an eighth of 32 px and less
            ours = getattr(loud, kind)["generator"].blocks[name].noise_strength
            assert block.noise_strength.abs().max() > 0
            torch.testing.assert_close(ours, gain * block.noise_strength)
