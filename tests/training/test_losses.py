"""Every loss against numpy in float64, written from its equation."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from spadework.training import losses

WITHIN = 1e-13


def some(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def scores(seed: int) -> list[Tensor]:
    """Two scales of different sizes."""
    return [some(2, 1, 4, 5, seed=seed), some(2, 1, 2, 3, seed=seed + 1)]


def mean_over_scales(term: Callable[[np.ndarray], np.ndarray], maps: list[Tensor]) -> float:
    return float(np.mean([term(x.numpy()).mean() for x in maps]))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


GAN: dict[str, tuple[Callable, Callable, Callable]] = {  # d on photos, d on paintings, g on paintings
    "hinge": (lambda x: np.maximum(0, 1 - x), lambda x: np.maximum(0, 1 + x), lambda x: -x),
    "ls": (lambda x: (x - 1) ** 2, lambda x: x**2, lambda x: (x - 1) ** 2),
    "original": (
        lambda x: -np.log(sigmoid(x)),
        lambda x: -np.log(1 - sigmoid(x)),
        lambda x: -np.log(sigmoid(x)),
    ),
}


@pytest.mark.parametrize("name", losses.GAN_LOSSES)
def test_adversarial_losses(name: str) -> None:
    real, fake = scores(1), scores(5)
    loss_d, loss_g = losses.GAN_LOSSES[name]
    d_real, d_fake = loss_d(real, fake)
    expected = [mean_over_scales(GAN[name][i], maps) for i, maps in enumerate((real, fake, fake))]
    assert [float(d_real), float(d_fake), float(loss_g(fake))] == pytest.approx(expected, abs=WITHIN)


def test_scales_weigh_alike_whatever_their_size() -> None:
    large, small = torch.full((1, 1, 8, 8), 3.0), torch.full((1, 1, 2, 2), 1.0)
    assert float(losses.hinge_g([large, small])) == -2


def test_original_loss_is_finite_where_the_sigmoid_saturates() -> None:
    far = [torch.tensor([-800.0, 800.0])]
    assert float(losses.original_g(far)) == 400


def test_feature_matching_sums_layers_and_averages_scales() -> None:
    real = [[some(2, 3, 5, 4, seed=1), some(2, 4, 3, 2, seed=2)], [some(2, 3, 3, 2, seed=3)]]
    fake = [[some(2, 3, 5, 4, seed=4), some(2, 4, 3, 2, seed=5)], [some(2, 3, 3, 2, seed=6)]]
    pairs = [[(r.numpy(), f.numpy()) for r, f in zip(*s, strict=True)] for s in zip(real, fake, strict=True)]
    expected = sum(np.abs(r - f).mean() for scale in pairs for r, f in scale) / 2
    assert float(losses.feature_matching(real, fake)) == pytest.approx(expected, abs=WITHIN)


def test_only_the_painting_gets_a_gradient() -> None:
    real, fake = some(2, 3, 4, 4, seed=1).requires_grad_(), some(2, 3, 4, 4, seed=2).requires_grad_()
    (losses.feature_matching([[real]], [[fake]]) + losses.perceptual([real], [fake], [1.0])).backward()
    assert real.grad is None
    assert torch.equal(fake.grad, 2 * torch.sign(fake - real).detach() / fake.numel())


def test_perceptual_weighs_layers() -> None:
    real, fake = [some(1, 2, 3, 3, seed=s) for s in (1, 2)], [some(1, 2, 3, 3, seed=s) for s in (3, 4)]
    terms = [np.abs(r.numpy() - f.numpy()).mean() for r, f in zip(real, fake, strict=True)]
    expected = 0.25 * terms[0] + 2 * terms[1]
    assert float(losses.perceptual(real, fake, [0.25, 2.0])) == pytest.approx(expected, abs=WITHIN)
    with pytest.raises(ValueError, match="zip"):
        losses.perceptual(real, fake, [1.0])


def test_kl_is_the_integral_summed_over_batch_and_dimensions() -> None:
    """KL(p || q) = integral of p log(p / q), one dimension at a time."""
    mu, logvar = some(2, 3, seed=1), some(2, 3, seed=2)
    x = np.linspace(-30, 30, 60_001)
    expected = 0.0
    for m, s in zip(mu.numpy().ravel(), np.exp(logvar.numpy().ravel() / 2), strict=True):
        log_p = -(((x - m) / s) ** 2) / 2 - np.log(s * np.sqrt(2 * np.pi))
        log_q = -(x**2) / 2 - np.log(np.sqrt(2 * np.pi))
        expected += np.sum(np.exp(log_p) * (log_p - log_q)) * (x[1] - x[0])
    assert float(losses.kl(mu, logvar)) == pytest.approx(expected, rel=1e-9)
    assert float(losses.kl(torch.zeros(4, 5), torch.zeros(4, 5))) == 0


def frequencies(labels: np.ndarray, classes: int, cap: float) -> np.ndarray:
    """Pixels that count / (classes present * pixels of the class), at most `cap`."""
    counts = np.array([(labels == c).sum() for c in range(classes)])
    present = np.count_nonzero(counts)
    return np.array([min(cap, counts.sum() / (present * n)) if n else 0 for n in counts])


def test_class_weights_are_inverse_frequencies() -> None:
    labels = torch.tensor([[[0, 0, 0, 0], [0, 0, 2, 2], [0, 3, 5, 5]]], dtype=torch.uint8)
    for cap in (1.5, 4.0):
        expected = frequencies(labels.numpy(), 5, cap)
        assert losses.class_weights(labels, 5, cap).tolist() == pytest.approx(expected.tolist(), rel=1e-6)
    weights = losses.class_weights(labels, 5, cap=100.0)
    assert float(weights[labels[labels < 5].long()].mean()) == pytest.approx(1, rel=1e-6)


def test_class_weights_without_any_counted_pixel_are_zero() -> None:
    assert losses.class_weights(torch.full((1, 2, 2), 255, dtype=torch.uint8), 3).tolist() == [0, 0, 0]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def test_pixel_labels_is_the_weighted_cross_entropy() -> None:
    logits, weights = some(2, 5, 3, 4, seed=1), torch.tensor([0.5, 2.0, 1.0, 0.0])
    labels = torch.randint(4, (2, 3, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    labels[0, 0] = 255
    logs, expected = log_softmax(logits.numpy()), 0.0
    for b, i, j in np.ndindex(2, 3, 4):
        label = int(labels[b, i, j])
        if label < 4:
            expected -= float(weights[label]) * logs[b, label, i, j] / (2 * 3 * 4)
    assert float(losses.pixel_labels(logits, labels, weights)) == pytest.approx(expected, abs=WITHIN)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradients_of_pixel_losses_are_those_of_cross_entropy(layout: torch.memory_format) -> None:
    """Over more pixels than are computed at a time, with ids that have no weight."""
    logits = some(2, 5, 130, 130, seed=5).contiguous(memory_format=layout).requires_grad_()
    labels = torch.randint(0, 6, (2, 130, 130), generator=torch.Generator().manual_seed(6), dtype=torch.uint8)
    weights = torch.tensor([0.5, 2.0, 0.0, 1.5])
    of_pixel = torch.cat([weights, torch.zeros(2)])[labels.long()].double()
    log_p = torch.log_softmax(logits, 1)
    expected = {
        losses.pixel_labels(logits, labels, weights): (
            -log_p.gather(1, labels.long().clamp(max=4)[:, None])[:, 0] * of_pixel
        ).mean(),
        losses.pixel_fake(logits): -log_p[:, 4].mean(),
    }
    for ours, plain in expected.items():
        gradient, wanted = (torch.autograd.grad(3 * x, logits, retain_graph=True)[0] for x in (ours, plain))
        torch.testing.assert_close(gradient, wanted, rtol=1e-12, atol=1e-18)


def test_pixel_losses_of_half_precise_logits_are_summed_in_float32() -> None:
    exact = some(1, 4, 40, 40, seed=7)
    logits = exact.bfloat16().requires_grad_()
    loss = losses.pixel_fake(logits)
    assert loss.dtype == torch.float32
    exactly = losses.pixel_fake(logits.detach().double())
    assert float(loss.detach()) == pytest.approx(float(exactly), abs=1e-6)
    assert torch.autograd.grad(loss, logits)[0].dtype == torch.bfloat16


def test_pixel_fake_is_the_cross_entropy_to_the_last_class() -> None:
    logits = some(2, 5, 3, 4, seed=1)
    expected = -log_softmax(logits.numpy())[:, -1].mean()
    assert float(losses.pixel_fake(logits)) == pytest.approx(expected, abs=WITHIN)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: sum(losses.hinge_d([x], [x])),
        lambda x: losses.lsgan_g([x]),
        lambda x: losses.original_g([x]),
        lambda x: losses.kl(x, x),
        lambda x: losses.pixel_fake(x),
        lambda x: losses.pixel_labels(x, torch.zeros(1, 2, 2, dtype=torch.uint8), torch.ones(2)),
    ],
)
def test_gradients_are_those_of_the_values(loss: Callable[[Tensor], Tensor]) -> None:
    assert torch.autograd.gradcheck(loss, some(1, 3, 2, 2, seed=3).requires_grad_())


def regions_of(ids: list[list[int]], classes: int) -> Tensor:
    """One-hot (1, K, H, W)."""
    return torch.nn.functional.one_hot(torch.tensor([ids]), classes).permute(0, 3, 1, 2).double()


def test_region_statistics_are_means_and_deviations_by_region() -> None:
    ids = [[0] * 8] * 6 + [[1] * 8] * 4
    regions = regions_of(ids, 3)
    ours, theirs = some(1, 5, 10, 8, seed=1), some(1, 5, 10, 8, seed=2)
    total, weights = 0.0, 0.0
    for rows, cells in ((slice(0, 6), 48), (slice(6, 10), 32)):
        a, b = (x[0, :, rows].flatten(1).numpy() for x in (ours, theirs))
        apart = np.abs(a.mean(1) - b.mean(1)) + np.abs(a.std(1) - b.std(1))
        total, weights = total + apart.mean() * cells**0.5, weights + cells**0.5
    assert float(losses.region_statistics(ours, theirs, regions)) == pytest.approx(total / weights, rel=1e-4)
    few = losses.region_statistics(ours, theirs, regions, least=40)  # leaves out the smaller one
    a, b = (x[0, :, :6].flatten(1).numpy() for x in (ours, theirs))
    expected = (np.abs(a.mean(1) - b.mean(1)) + np.abs(a.std(1) - b.std(1))).mean()
    assert float(few) == pytest.approx(expected, rel=1e-4)


def test_region_statistics_count_cells_of_one_region_alone() -> None:
    ids = [[0] * 5 + [1] * 11] * 16  # at half the resolution the cells of columns 4 and 5 hold both
    ours, theirs = some(1, 2, 8, 8, seed=1), some(1, 2, 8, 8, seed=2)
    before = losses.region_statistics(ours, theirs, regions_of(ids, 2), least=1)
    ours[:, :, :, 2] += 100
    assert float(losses.region_statistics(ours, theirs, regions_of(ids, 2), least=1)) == float(before)


def test_region_means_weigh_cells_by_their_share() -> None:
    ids = [[0] * 3 + [1] * 5] * 8
    ours, theirs = some(1, 3, 4, 4, seed=1), some(1, 3, 4, 4, seed=2)
    share = np.array([1, 0.5, 0, 0])
    total, weights = 0.0, 0.0
    for by_column in (share, 1 - share):
        cells = np.tile(by_column, (4, 1))
        a, b = ((x[0].numpy() * cells).sum((1, 2)) / cells.sum() for x in (ours, theirs))
        total, weights = total + np.abs(a - b).mean() * cells.sum() ** 0.5, weights + cells.sum() ** 0.5
    assert float(losses.region_means(ours, theirs, regions_of(ids, 2))) == pytest.approx(
        total / weights, rel=1e-5
    )


def test_another_place_costs_no_region_terms() -> None:
    regions, ours = regions_of([[0] * 16] * 16, 2), some(1, 3, 16, 16, seed=4)
    moved = ours.roll((5, 3), (2, 3))
    assert float(losses.region_statistics(moved, ours, regions)) == pytest.approx(0, abs=1e-5)
    assert float(losses.region_means(moved, ours, regions)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("term", [losses.region_statistics, losses.region_means])
def test_region_terms_teach_the_painting_alone(term: Callable[..., Tensor]) -> None:
    ours, theirs = (some(1, 3, 8, 8, seed=i).requires_grad_() for i in (1, 2))
    term(ours, theirs, regions_of([[0] * 8] * 8, 2), least=1).backward()
    assert ours.grad is not None
    assert ours.grad.abs().max() > 0
    assert theirs.grad is None


def test_phase_is_the_spread_of_gradients_over_four_phases() -> None:
    image = some(2, 3, 49, 37, seed=3).float()
    expected = 0.0
    for axis in (1, 2):
        step = np.diff(image.mean(1).numpy().astype(np.float64), axis=axis)
        h, w = (side // 12 * 12 for side in step.shape[1:])
        step = step[:, :h, :w]
        around = np.abs(step).reshape(2, h // 12, 12, w // 12, 12).mean((2, 4)).repeat(12, 1).repeat(12, 2)
        relative = step / (around + 0.005)
        for values in (np.abs(relative), relative):
            lines = values.mean((0, 3 - axis))
            means = np.array([lines[k::4].mean() for k in range(4)])
            expected += np.abs(means - means.mean()).mean()
    assert float(losses.phase(image)) == pytest.approx(expected, rel=1e-4)


def test_phase_sees_a_lattice_of_period_four_in_rows_or_columns() -> None:
    plain = 0.1 * some(4, 3, 128, 128, seed=5).float()
    lattice = plain.clone()
    lattice[:, :, ::4] += 0.1
    assert float(losses.phase(plain)) < 0.15
    assert float(losses.phase(lattice)) > 4 * float(losses.phase(plain))
    assert float(losses.phase(lattice.transpose(2, 3))) == pytest.approx(
        float(losses.phase(lattice)), rel=0.2
    )


def test_spectrum_is_zero_for_equal_power_and_logarithmic() -> None:
    photo = some(2, 3, 64, 64, seed=6).float() / 4
    assert float(losses.spectrum(photo.roll(1, 0), photo)) == pytest.approx(0, abs=1e-4)
    twice = float(losses.spectrum(2 * photo, photo))
    assert twice == pytest.approx(np.log(4), rel=0.05)


def test_spectrum_finds_the_band_of_a_grating() -> None:
    photo = 0.1 * some(1, 3, 256, 256, seed=7).float()
    wave = torch.sin(2 * torch.pi * 72 / 256 * torch.arange(256.0)).expand(1, 3, 256, 256)
    ours, theirs = losses._power(photo + 0.2 * wave).log(), losses._power(photo).log()
    assert losses.BANDS[int((ours - theirs).argmax())] == (64, 80)


def test_place_is_zero_for_equal_and_one_for_unrelated_layouts() -> None:
    regions = torch.ones(1, 1, 64, 64)
    light = torch.nn.functional.interpolate(some(1, 1, 16, 16, seed=8).float(), size=64).expand(1, 3, 64, 64)
    dark = torch.zeros_like(light)
    assert float(losses.place(light, light, regions)) == 0
    assert float(losses.place(light, -light, regions)) == pytest.approx(1, abs=0.05)
    assert float(losses.place(light, light + 3, regions)) == pytest.approx(0, abs=1e-5)  # the class's mean
    assert float(losses.place(dark, dark, regions)) == 0


def test_seek_is_bounded_and_half_place_half_features() -> None:
    near, far = torch.zeros(2, 4, 3, 3), torch.full((2, 4, 3, 3), 9.0)
    assert float(losses.seek(torch.zeros(2), near, near)) == 0
    assert float(losses.seek(torch.ones(2), near, far)) == -1
    assert float(losses.seek(torch.full((2,), 0.25), near, near)) == -0.25
    assert float(losses.seek(torch.zeros(2), near, near + 0.5)) == -0.25


def test_label_mix_takes_whole_classes_from_the_photo() -> None:
    channels = torch.tensor([[[0, 1, 2], [2, 2, 0]], [[0, 1, 2], [2, 2, 0]]])
    chosen = torch.tensor([[True, False, False], [False, False, True]])
    mask = losses.class_mask(channels, chosen)
    assert mask.tolist() == [
        [[[True, False, False], [False, False, True]]],
        [[[False, False, True], [True, True, False]]],
    ]


def test_label_mix_is_the_squared_distance_to_the_verdicts_put_together() -> None:
    mixed, photo, painted = (some(2, 4, 2, 3, seed=s) for s in (1, 2, 3))
    mask = some(2, 1, 2, 3, seed=4) > 0
    m = mask.numpy()
    expected = ((mixed.numpy() - m * photo.numpy() - (1 - m) * painted.numpy()) ** 2).mean()
    assert float(losses.label_mix(mixed, photo, painted, mask)) == pytest.approx(expected, rel=1e-12)


def test_classes_without_a_bound_weigh_the_same_together() -> None:
    """OASIS's balance: every class that is there adds as much, however few its pixels."""
    labels = torch.tensor([[[0] * 30 + [1] * 9 + [3]]])
    weights = losses.class_weights(labels, 4, cap=float("inf"))
    torch.testing.assert_close(weights, torch.tensor([40 / 90, 40 / 27, 0, 40 / 3]))
