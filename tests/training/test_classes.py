"""Starts of other classes: a new class does what the one it begins as did, to painter and judge alike."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from small import BACKBONE, OASIS, PHOTOS, converged, needs_backbone, run, small
from torch import Tensor, nn

from spadework.model import load_checkpoint
from spadework.nn.discriminator import BackboneDiscriminator, UNetDiscriminator
from spadework.nn.generator import Generator
from spadework.nn.labels import Labels, SemanticsConfig, one_hot
from spadework.nn.spectral import fold_spectral_norm
from spadework.sketch.palette import Category, Palette
from spadework.training import export, lightstate
from spadework.training.classes import Classes
from spadework.training.export import export_model
from spadework.training.lightstate import read_light, write_light
from spadework.training.painter_recipe import Recipe
from spadework.training.recipes import of_palette
from spadework.training.starting import begin_from, with_run_classes
from spadework.training.state import TrainState, new_state

NEW = Palette(
    name="mine",
    unknown=9,
    classes=tuple(
        Category(id=i, name=name) for i, name in ((0, "lake"), (1, "sky"), (3, "quux"), (4, "house"))
    ),
)
LANDSCAPE = Palette.load("landscape")
AS = torch.tensor([12, 0, 15, 15, 14, 15])  # lake: water, sky, none: unknown, quux: unknown, house: building


def changed_to(recipe: Recipe, **more: Any) -> Recipe:
    return of_palette(recipe, NEW).model_copy(update={"total_images": 200, **more})


def maps(recipe: Recipe, channels: Tensor) -> Tensor:
    return one_hot(channels, recipe.semantics, None, torch.float32)


@pytest.fixture(autouse=True)
def whole_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounded to half, some pixels jump."""
    monkeypatch.setattr(lightstate, "_half", lambda value: value.detach().contiguous())


def numbers() -> Tensor:
    return torch.randint(6, (2, 32, 32), generator=torch.Generator().manual_seed(2))


def lively(recipe: Recipe) -> TrainState:
    """A new state whose noise and bias show."""
    state = new_state(recipe)
    with torch.no_grad():
        for part in state.parts().values():
            for value in part.parameters():
                value.add_(torch.randn_like(value) * 0.1)
    state.average.load_state_dict(state.networks.state_dict())
    return state


def test_classes_are_matched_by_name_and_the_rest_is_told() -> None:
    theirs = SemanticsConfig(label_nc=15, unknown=True)
    ours = SemanticsConfig(label_nc=5, unknown=True, edges=True, unknown_id=9)
    change = Classes.between((theirs, LANDSCAPE), (ours, NEW))
    assert change.sources == ((12,), (0,), (15,), (15,), (14,), (15,), ())
    assert change.told == (
        "lake begins as water",
        "quux begins as unknown pixels: landscape has nothing like it",
        "house begins as building",
    )
    plain = SemanticsConfig(label_nc=15)
    assert Classes.between((plain, LANDSCAPE), (ours, NEW)).sources[3] == tuple(range(15))
    assert Classes.between((theirs, LANDSCAPE), (theirs, LANDSCAPE)).same


@pytest.mark.parametrize("z_map", ["false", "true"])
def test_a_light_state_of_other_classes_paints_and_judges_as_before(z_map: str, tmp_path: Path) -> None:
    old = small("style_blocks=true", f"z_map={z_map}")
    _compare(old, tmp_path)


@needs_backbone
def test_a_kept_backbone_judge_says_the_new_classes(tmp_path: Path) -> None:
    _compare(small(*BACKBONE), tmp_path)


def test_a_kept_unet_judge_says_the_new_classes(tmp_path: Path) -> None:
    _compare(small(*OASIS), tmp_path)


def _compare(old: Recipe, folder: Path) -> None:
    before, channels = lively(old), numbers()
    write_light(folder / "light.safetensors", before, old)
    recipe = changed_to(old)
    (start,), told = with_run_classes([read_light(folder / "light.safetensors")], recipe)
    assert len(told) == 3
    state = new_state(recipe)
    begin_from(state, recipe, start)
    assert (state.step, state.images_seen) == (0, 0)
    z = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))
    ours, theirs = maps(recipe, channels), maps(old, AS[channels])
    painters = [s.average["generator"].eval() for s in (before, state)]
    noise = painters[0].draw_noise(2, (32, 32), torch.Generator().manual_seed(5))  # type: ignore[operator]
    expected, found = (p(Labels(m), z, noise) for p, m in zip(painters, (theirs, ours), strict=True))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    photo = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1
    one, two = (_said(s, m, photo) for s, m in zip((before, state), (theirs, ours), strict=True))
    for name in one.keys() - {"verdicts"}:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-3)
    if "verdicts" in one:
        known = one["verdicts"]
        order = [12, 0, None, None, 14] + ([15] if known.shape[1] == 17 else [])
        for k, source in enumerate(order):
            wanted = known[:, :15].mean(1) if source is None else known[:, source]
            if source is None and known.shape[1] == 17:
                wanted = known[:, 15]
            torch.testing.assert_close(two["verdicts"][:, k], wanted, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(two["verdicts"][:, -1], known[:, -1], rtol=1e-3, atol=1e-3)


def _said(state: TrainState, segmap: Tensor, photo: Tensor) -> dict[str, Tensor]:
    """What the judge says with its spectral norms exact, but where another weight has another norm."""
    judge: Any = copy.deepcopy(state.objective.discriminator)
    if isinstance(judge, UNetDiscriminator):
        return {"verdicts": _settled(judge, photo)}
    if not isinstance(judge, BackboneDiscriminator):
        return {f"{i}": scale[0] for i, scale in enumerate(_settled(judge, segmap, photo))}
    objective: Any = state.objective
    logits = _settled(judge, segmap, photo, objective.features(photo)).logits
    classify: Any = judge.classify
    conv: Any = judge.heads[0].conv_0  # type: ignore[union-attr]
    sigma = torch.linalg.matrix_norm(classify.parametrizations.weight.original.flatten(1), 2)
    bias = classify.bias[:, None, None]
    features = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(4))
    seen = torch.cat([features, nn.functional.avg_pool2d(segmap, 4)], 1)
    scores = nn.functional.conv2d(seen, conv.parametrizations.weight.original, conv.bias, padding=1)
    return {"verdicts": (logits - bias) * sigma + bias, "scores": scores}


@torch.no_grad()
def _settled(judge: Any, *given: Any) -> Any:
    """Its answer after many power iterations."""
    judge.train()
    for _ in range(40):
        judge(*given)
    return judge.eval()(*given)


def test_a_model_of_other_classes_begins_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATISTICS_IMAGES", "STYLE_IMAGES"):
        monkeypatch.setattr(export, name, 8)
    old = small("encoder_norm=batch", "total_images=8", "start=point")
    export_model(run(old, tmp_path / "old"), old, PHOTOS, tmp_path / "model.safetensors")
    model = converged(load_checkpoint(tmp_path / "model.safetensors"))
    recipe = changed_to(old, edges=True, size=(32, 64))
    (start,), _ = with_run_classes([model], recipe)
    state = new_state(recipe)
    begin_from(state, recipe, start)
    assert state.images_seen == 0
    channels, z = numbers(), torch.randn(2, 4)
    edges = torch.rand(2, 32, 32) < 0.5  # a new channel is silent at first
    ours = one_hot(channels, recipe.semantics, edges, torch.float32)
    noise = model.generator.draw_noise(2, (32, 32))
    expected = model.generator(Labels(maps(old, AS[channels])), z, noise)
    generator: Generator = fold_spectral_norm(state.generator)
    torch.testing.assert_close(generator(Labels(ours), z, noise), expected, rtol=1e-3, atol=1e-3)


def test_classes_without_names_are_refused() -> None:
    nameless = small("palette=null", "label_nc=7", "unknown=false")
    with pytest.raises(ValueError, match="have no names: give --palette"):
        with_run_classes([load_checkpoint(LANDSCAPE_MODEL)], nameless)


LANDSCAPE_MODEL = Path(export.__file__).parents[1] / "models" / "landscape.safetensors"
