"""Single steps against their formulas: accumulated gradients, averages, learning rates, first weights."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small import BACKBONE, needs_backbone, run, small
from torch import nn

from spadework.data.loader import collate
from spadework.data.toy import ToyLandscapes
from spadework.nn.spectral import spectral_norm
from spadework.training.inputs import Inputs
from spadework.training.painter_recipe import Recipe
from spadework.training.painting import set_learning_rates
from spadework.training.state import TrainState, new_state, update_average
from spadework.training.steps import step_discriminator, step_generator

# no statistics that mix the pictures of a batch, and all losses are means
INSTANCE = small("size=64", "norm=instance", "lambda_kl=0")
PICTURES = ToyLandscapes(4, (64, 64), seed=5)


def halves() -> list[Inputs]:
    batch = collate(list(PICTURES))
    return [Inputs.of(batch[:2], INSTANCE), Inputs.of(batch[2:], INSTANCE)]


def frozen_state(recipe: Recipe = INSTANCE) -> TrainState:
    """A state whose optimisers leave the weights alone, so that gradients can be compared."""
    state = new_state(recipe)
    for optimizer in (state.optimizer_g, state.optimizer_d):
        optimizer.step = lambda closure=None: None  # type: ignore[method-assign]
    return state


def gradients(net: nn.Module) -> list[torch.Tensor]:
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in net.parameters()]


def test_accumulated_gradients_are_the_mean_of_the_parts():
    parts, together, apart = halves(), frozen_state(), frozen_state()
    torch.manual_seed(1)
    losses, fakes = step_generator(together, INSTANCE, parts)
    losses_d = step_discriminator(together, INSTANCE, parts, fakes)

    torch.manual_seed(1)
    seen, painted, each, each_d = [], [], [], []
    for part in parts:
        terms, fake = step_generator(apart, INSTANCE, [part])
        seen.append(terms)
        painted += fake
        each.append(gradients(apart.networks))
    for part, fake in zip(parts, painted, strict=True):
        seen.append(step_discriminator(apart, INSTANCE, [part], [fake]))
        each_d.append(gradients(apart.objective.discriminator))

    for net, two in ((together.networks, each), (together.objective.discriminator, each_d)):
        ours = gradients(net)
        assert any(g.abs().max() > 0 for g in ours)
        for got, first, second in zip(ours, *two, strict=True):
            torch.testing.assert_close(got, (first + second) / 2, rtol=1e-4, atol=1e-7)
    for name, value in losses.items():
        assert float(value) == pytest.approx(float(seen[0][name] + seen[1][name]) / 2, rel=1e-5)
    for name, value in losses_d.items():
        assert float(value) == pytest.approx(float(seen[2][name] + seen[3][name]) / 2, rel=1e-5)


def test_kl_of_the_parts_adds_up_to_that_of_the_batch():
    weights = ("lambda_gan=0", "lambda_feat=0", "lambda_color=0", "lambda_kl=0.3")
    recipe, batch = (
        small("size=64", "norm=instance", "encoder_norm=instance", *weights),
        collate(list(PICTURES)),
    )
    whole, in_parts = frozen_state(recipe), frozen_state(recipe)
    for state, parts in ((whole, [batch]), (in_parts, [batch[:2], batch[2:]])):
        losses, _ = step_generator(state, recipe, [Inputs.of(part, recipe) for part in parts])
        state.seconds = float(losses["kl"])
    assert in_parts.seconds == pytest.approx(whole.seconds, rel=1e-6)
    of_encoder = [gradients(state.networks["encoder"]) for state in (whole, in_parts)]
    assert max(float(g.abs().max()) for g in of_encoder[0]) > 0
    for one, two in zip(*of_encoder, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-2, atol=1e-6)  # spectral norm moves at every part


def test_a_step_moves_only_its_own_networks():
    parts, state = halves(), new_state(INSTANCE)
    painter, judge = copy.deepcopy(state.networks), copy.deepcopy(state.objective.discriminator)

    def moved(net: nn.Module, before: nn.Module) -> bool:
        return any(not torch.equal(a, b) for a, b in zip(net.parameters(), before.parameters(), strict=True))

    _, fakes = step_generator(state, INSTANCE, parts)
    assert moved(state.networks, painter)
    assert not moved(state.objective.discriminator, judge)
    assert all(p.requires_grad and p.grad is None for p in state.objective.discriminator.parameters())
    assert not any(fake.image.requires_grad for fake in fakes)
    painter = copy.deepcopy(state.networks)
    step_discriminator(state, INSTANCE, parts, None)  # paints anew
    assert moved(state.objective.discriminator, judge)
    assert not moved(state.networks, painter)


@needs_backbone
def test_the_judge_sees_again_what_the_generators_step_saw():
    recipe = small(*BACKBONE)
    state, inputs = frozen_state(recipe), Inputs.of(collate(list(PICTURES)), recipe)
    state.objective.calibrate([inputs.image])
    _, (painting,) = step_generator(state, recipe, [inputs])
    assert painting.features is not None
    assert not any(t.requires_grad for seen in painting.features for t in seen)
    state.objective.discriminator.eval()  # or spectral norm would move between the two
    known = state.objective.discriminator_losses(inputs, painting)
    anew = state.objective.discriminator_losses(inputs, replace(painting, features=None))
    for name, loss in known.items():
        torch.testing.assert_close(loss, anew[name], rtol=1e-4, atol=1e-5)


def small_net(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


@pytest.mark.parametrize(
    ("step", "decay", "weight"),
    [
        (0, 0.999, 0.9),
        (1, 0.999, 9 / 11),
        (90, 0.999, 0.09),
        (0, 0.05, 0.95),
        (10**6, 0.999, 0.001),
        (90, 0.5, 0.5),
    ],
)
def test_the_moving_average_is_its_formula(step: int, decay: float, weight: float):
    average, source = small_net(0), small_net(1)
    with torch.no_grad():
        source[1].running_mean.add_(2)
    source[1].num_batches_tracked.fill_(17)
    before = copy.deepcopy(average.state_dict())
    update_average(average, source, decay, step)
    for name, value in average.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert int(value) == 17
        else:
            expected = (1 - weight) * before[name] + weight * source.state_dict()[name]
            torch.testing.assert_close(value, expected)


def test_averaged_weights_keep_spectral_norm_one():
    """The singular vectors turn a lot while the weights move little: their means would be too short."""
    torch.manual_seed(0)
    source = spectral_norm(nn.Conv2d(6, 8, 3))
    average = copy.deepcopy(source).eval()
    weight = source.parametrizations.weight.original
    for step in range(100, 160):
        with torch.no_grad():
            weight.copy_(torch.randn_like(weight) / 10 + torch.eye(8, 54).view_as(weight))
        source(torch.zeros(1, 6, 3, 3))  # one power iteration
        update_average(average, source, 0.98, step)
    largest = torch.linalg.matrix_norm(average.weight.detach().flatten(1), 2)
    assert 0.9 < float(largest) < 1.15


def test_the_average_does_not_learn_by_itself(tmp_path: Path):
    state = run(small("total_images=8"), tmp_path)
    assert not any(p.requires_grad for p in state.average.parameters())
    assert not state.average.training
    assert state.networks.training


@pytest.mark.parametrize(
    ("done", "factor"), [(0, 1.0), (499, 1.0), (500, 1.0), (600, 0.8), (750, 0.5), (999, 0.002), (1000, 0.0)]
)
@pytest.mark.parametrize(("ttur", "of_g", "of_d"), [("true", 0.5, 2.0), ("false", 1.0, 1.0)])
def test_learning_rates_fall_linearly_to_zero(done: int, factor: float, ttur: str, of_g: float, of_d: float):
    recipe = small("total_images=1000", "decay_from=0.5", "lr=0.01", f"ttur={ttur}")
    state = new_state(recipe)
    state.images_seen = done
    set_learning_rates(state, recipe)
    assert state.optimizer_g.param_groups[0]["lr"] == pytest.approx(0.01 * of_g * factor)
    assert state.optimizer_d.param_groups[0]["lr"] == pytest.approx(0.01 * of_d * factor)


def test_rates_stay_without_decay():
    state = new_state(small("lr=0.01", "ttur=true"))
    assert state.optimizer_g.param_groups[0]["lr"] == 0.005
    assert state.optimizer_d.param_groups[0]["lr"] == 0.02
    state.images_seen = 79
    set_learning_rates(state, small("lr=0.01", "ttur=true"))
    assert state.optimizer_g.param_groups[0]["lr"] == 0.005


def test_first_weights_are_xaviers_and_depend_on_the_seed():
    a, b, c = (new_state(small(f"seed={seed}", "ngf=8", "init_gain=0.5")) for seed in (0, 0, 1))
    for (name, x), y, z in zip(
        a.networks.named_parameters(), b.networks.parameters(), c.networks.parameters(), strict=True
    ):
        assert torch.equal(x, y), name
        if name.endswith(("bias", "noise_strength")):
            assert not x.any(), name
        else:
            assert not torch.equal(x, z), name
    weight = a.generator.blocks["head_0"].norm_0.mlp_gamma.weight.detach()  # type: ignore[union-attr,operator]
    fan = (weight.shape[0] + weight.shape[1]) * 9
    assert float(weight.std()) == pytest.approx(0.5 * (2 / fan) ** 0.5, rel=0.05)
    assert torch.equal(a.generator.fc.weight, a.average["generator"].fc.weight)  # type: ignore[union-attr]
