"""What a painting is judged by: which terms there are, of which pictures of a batch, what they teach."""

import pytest
import torch
from small import BACKBONE, OASIS, needs_backbone, small

from spadework.data.loader import collate
from spadework.data.toy import ToyLandscapes
from spadework.training import losses, steps
from spadework.training.inputs import Inputs, Seen
from spadework.training.objectives import Painting, local_means, painting_losses, quiet
from spadework.training.painter_recipe import Recipe
from spadework.training.recipes import named
from spadework.training.state import new_state
from spadework.training.views import WHOLE

PICTURES = ToyLandscapes(4, (32, 32), seed=5)
BATCH = collate(list(PICTURES))
ALL = (
    *BACKBONE,
    *("batch_size=4", "precision=float32", "zoom=1", "flood=1", "jitter=0.5", "cutout=0.5", "quiet=1"),
    *("swap_share=0.5", "lambda_style=0.5", "lambda_seek=0.5", "lambda_statistics=1", "lambda_means=1"),
    *("lambda_region_color=1", "lambda_color=2", "color_grid=2", "lambda_phase=1", "lambda_spectrum=1"),
)


def test_quiet_makes_both_sides_of_outlines_unknown() -> None:
    channels = torch.zeros(1, 7, 9, dtype=torch.long)
    channels[:, :, 4:] = 2
    assert torch.equal(quiet(channels, 0, 9), channels)
    for reach in (1, 2, 3):
        expected = channels.clone()
        expected[:, :, 4 - reach : 4 + reach] = 9
        assert torch.equal(quiet(channels, reach, 9), expected)


def test_staged_without_views_is_whole() -> None:
    recipe = small(*BACKBONE, "batch_size=4")
    before = torch.get_rng_state()
    plain, staged = Inputs.of(BATCH, recipe), Inputs.staged(BATCH, recipe)
    assert (staged.view, staged.swapped, staged.twins) == (WHOLE, 0, 0)
    assert torch.equal(staged.painted.segmap, plain.painted.segmap)
    assert torch.equal(torch.get_rng_state(), before)
    seen = Seen.of(staged, BATCH.image, recipe)
    assert seen.segmap is staged.segmap


def test_twins_are_one_photo_and_one_map() -> None:
    recipe = small(*ALL)
    torch.manual_seed(1)
    inputs = Inputs.staged(BATCH, recipe)
    assert (inputs.swapped, inputs.twins) == (2, 1)
    for values in (inputs.image, inputs.segmap, inputs.painted.segmap, inputs.channels):
        assert torch.equal(values[0], values[1])
        assert not torch.equal(values[0], values[2])


@needs_backbone
def test_swapped_maps_take_the_styles_of_the_other_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = small(*ALL, "lambda_seek=0")
    state, given = new_state(recipe), []
    monkeypatch.setattr(steps, "NEARBY", 0)
    paints = state.generator.forward
    monkeypatch.setattr(
        state.generator, "forward", lambda maps, z, noise: given.append(z) or paints(maps, z, noise)
    )
    inputs = Inputs.staged(BATCH, recipe)
    assert state.encoder is not None
    state.encoder.eval()
    mu, _ = state.encoder(BATCH.image)
    _, terms = steps.paint(state, recipe, inputs)
    torch.testing.assert_close(given[0][:2], mu[2:])
    assert not torch.allclose(given[0][2:], mu[2:])  # reparameterized
    assert set(terms) == {"kl", "g_style"}


def test_twins_are_painted_in_one_style() -> None:
    recipe = small(*ALL)
    inputs = Inputs.staged(BATCH, recipe)
    z = steps._others(torch.randn(4, 4), inputs)
    assert torch.equal(z[0], z[1])


@needs_backbone
def test_every_term_is_there_and_teaches_the_painting() -> None:
    recipe = small(*ALL)
    state = new_state(recipe)
    torch.manual_seed(2)
    state.objective.calibrate([BATCH.image])
    inputs = Inputs.staged(BATCH, recipe)
    fake = torch.rand(4, 3, 32, 32, requires_grad=True)
    terms, _ = state.objective.generator_losses(inputs, fake)
    terms |= painting_losses(inputs, fake, recipe)
    names = {"g_pixel", "g_gan", "g_feat", "g_statistics", "g_means", "g_region_color", "g_seek"}
    assert set(terms) == names | {"g_phase", "g_spectrum", "g_color"}
    paired = {"g_feat", "g_statistics", "g_means", "g_region_color", "g_color"}
    for name, term in terms.items():
        (grad,) = torch.autograd.grad(term, fake, retain_graph=True)
        if name in paired:  # of paintings in another style nobody knows what they should be
            assert not grad[:2].any(), name
            assert grad[2:].any() or name == "g_statistics", name  # whose regions may be too small here
        else:
            assert grad[:2].any(), name


@needs_backbone
def test_terms_without_weight_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("region_statistics", "region_means", "phase", "spectrum", "seek"):
        monkeypatch.setattr(losses, name, None)
    recipe = small(*BACKBONE, "batch_size=4", "precision=float32", "lambda_color=0")
    state, inputs = new_state(recipe), Inputs.of(BATCH, recipe)
    terms, _ = state.objective.generator_losses(inputs, torch.rand(4, 3, 32, 32))
    assert set(terms | painting_losses(inputs, BATCH.image, recipe)) == {"g_pixel", "g_gan", "g_feat"}


def test_colors_are_compared_over_the_asked_grid() -> None:
    recipe = small("lambda_color=3", "color_grid=2")
    fake = torch.rand(4, 3, 32, 32)
    ours, theirs = local_means(fake, 2), local_means(BATCH.image, 2)
    expected = 3 * (ours - theirs).abs().mean()
    found = painting_losses(Inputs.of(BATCH, recipe), fake, recipe)["g_color"]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["zoom=0.7", "crop=0.7"], "at most 1"),
        (["edges=true", "crop=0.5"], "do not know edges"),
        (["unknown=false", "cutout=0.5"], "set unknown=true, or cutout=0"),
        (["swap_share=0.5", "z_dim=null"], "swap_share needs photos' styles"),
        (["swap_share=0.5", "z_map=true"], "set z_dim and z_map=false, or swap_share=0"),
        (["discriminator=unet"], "nothing to say but classes: set lambda_pixel=1"),
        (["lambda_style=1"], "set swap_share=0.5"),
        (["lambda_seek=1", "swap_share=0.5", "noise=false"], "set noise=true and discriminator=backbone"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(changes: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        small(*changes)


def test_the_recipe_says_how_batches_are_viewed() -> None:
    recipe = small("zoom=0.5", "crop=0.25", "jitter=0.1", "cutout=0.2", "flood=0.3")
    assert isinstance(recipe, Recipe)
    assert recipe.view.model_dump() == {
        "zoom": 0.5, "crop": 0.25, "jitter": 0.1, "cutout": 0.2, "flood": 0.3
    }  # fmt: skip


def test_the_unet_judge_holds_pixels_to_their_class_and_collages_to_their_parts() -> None:
    recipe = small(*OASIS, "batch_size=4", "precision=float64", "quiet=1", "cutout=1")
    state = new_state(recipe)
    judge = state.objective.discriminator.eval()  # or spectral norm moves at every look
    torch.manual_seed(4)
    inputs = Inputs.staged(BATCH, recipe)
    fake = -inputs.image
    judge.requires_grad_(False)
    torch.manual_seed(6)
    of_judge = state.objective.discriminator_losses(inputs, Painting(fake))
    of_painter, painting = state.objective.generator_losses(inputs, fake)
    seen = Seen.of(inputs, fake, recipe)
    labels = quiet(seen.channels, 1, 15)
    weights = losses.class_weights(labels, 15, cap=float("inf"))
    assert float(weights.max()) > 4
    real, painted = judge(seen.image), judge(seen.painting)

    def entropy(logits: torch.Tensor) -> float:
        each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        known = torch.cat([weights, torch.zeros(1)])[labels]
        return float((each * known).mean())

    torch.manual_seed(6)
    mask = losses.class_mask(seen.channels, torch.rand(4, 16) < 0.5)
    assert 0.1 < float(mask.double().mean()) < 0.9
    mixed = judge(torch.where(mask, seen.image, seen.painting))
    apart = (mixed - torch.where(mask, real, painted)).square().mean()
    assert float(of_judge["d_mix"]) == pytest.approx(10 * float(apart), rel=1e-9)
    assert float(of_judge["d_pixel_real"]) == pytest.approx(entropy(real), rel=1e-6)
    assert float(of_painter["g_pixel"]) == pytest.approx(entropy(painted), rel=1e-6)
    fakes = torch.full_like(labels, 15)
    expected = torch.nn.functional.cross_entropy(painted, fakes)
    assert float(of_judge["d_pixel_fake"]) == pytest.approx(float(expected), rel=1e-6)
    assert not painting.image.requires_grad


def test_oasis_learns_four_pictures_by_heart() -> None:
    """Weights that begin 50 times smaller end in one gradient of 10^4, and Adam stands still after it."""
    recipe = named("oasis_256", ["size=64", "ngf=4", "hidden=4", "z_dim=8", "ndf=4"])
    state = new_state(recipe)
    network = state.objective.discriminator
    batch = collate(list(ToyLandscapes(4, (64, 64), seed=5)))
    labels = torch.where(batch.labels == 255, recipe.label_nc, batch.labels).long()
    weights, seen = losses.class_weights(labels, recipe.label_nc), []
    for _ in range(40):
        loss = losses.pixel_labels(network(batch.image.float()), labels, weights)
        state.optimizer_d.zero_grad()
        loss.backward()
        state.optimizer_d.step()
        seen.append(loss.item())
    assert max(seen) < 1.2 * seen[0]
    assert seen[-1] < 0.7 * seen[0]
