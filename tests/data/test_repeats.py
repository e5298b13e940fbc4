"""Pairs with rare classes come more often, and a batch stays a function of its number."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from spadework.data.loader import BatchPlan
from spadework.data.repeats import Odds, odds_of, repeat_factors
from spadework.data.sample import Sample

SHOWN = [{0, 1}] * 6 + [{0}] * 8 + [{0, 2}, {0, 1, 3}]
"""Of 16 pairs all show class 0, 7 show 1, one shows 2, another 3."""


def pairs() -> list[Sample]:
    image = np.zeros((8, 8, 3), np.uint8)
    samples = []
    for i, ids in enumerate(SHOWN):
        labels = np.full((8, 8), 255 if i == 3 else 0, np.uint8)
        labels[0, : len(ids)] = sorted(ids)
        samples.append(Sample(labels, image, None, str(i)))
    return samples


def test_factors_are_the_papers() -> None:
    factors = repeat_factors(SHOWN, 0.25)
    assert factors.tolist() == [1.0] * 14 + [2.0, 2.0]  # sqrt(0.25 / (1 / 16))
    assert repeat_factors(SHOWN, 0.7)[0] == pytest.approx((0.7 * 16 / 7) ** 0.5)
    assert repeat_factors([set(), {1}], 0.1).tolist() == [1.0, 1.0]


def test_an_epoch_draws_each_pair_as_often_as_its_share_says() -> None:
    odds = Odds(np.array([0.1, 0.2, 0.05, 0.65]))
    drawn: Counter[int] = Counter()
    for epoch in range(500):
        picks = odds.epoch(np.random.default_rng(epoch))
        assert len(picks) == 4
        counts = np.bincount(picks, minlength=4)
        assert (np.abs(counts - 4 * odds.shares) < 1).all()
        drawn.update(picks.tolist())
    found = np.array([drawn[i] for i in range(4)]) / 2000
    assert found == pytest.approx(odds.shares, abs=0.02)


def test_unknown_pixels_are_no_rare_class() -> None:
    odds = odds_of(pairs(), range(15), 0.25)
    assert odds is not None
    assert odds.shares[3] == odds.shares[0]
    assert odds.shares[15] == pytest.approx(2 * odds.shares[0])
    assert odds_of(pairs(), range(15), 0.0) is None
    assert odds_of(pairs(), range(2), 0.25) is None  # none of these is rare


def test_a_balanced_plan_is_a_function_of_the_batchs_number() -> None:
    odds = odds_of(pairs(), range(15), 0.25)
    plan = BatchPlan(pairs(), (8, 8), 4, seed=7, odds=odds)
    first = [plan.batch(k).names for k in range(12)]
    again = BatchPlan(pairs(), (8, 8), 4, seed=7, odds=odds_of(pairs(), range(15), 0.25))
    assert [again.batch(k).names for k in reversed(range(12))] == first[::-1]
    plain = replace(plan, odds=None)
    assert [plain.batch(k).names for k in range(12)] != first
    rows = replace(plan, rows=[1, 3])
    assert [rows.batch(k).names for k in range(3)] == [[b[1], b[3]] for b in first[:3]]
    seen = Counter(name for k in range(400) for name in (str(plan.index(4 * k + i)) for i in range(4)))
    assert seen["15"] / seen["0"] == pytest.approx(2, rel=0.15)
