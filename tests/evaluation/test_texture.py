"""Texture of pictures whose texture is known: noise, gratings, lattices, frames, and two draws of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from spadework.evaluation import texture
from spadework.evaluation.measures import MEASURES, Table
from spadework.sketch.palette import Palette

LANDSCAPE = Palette.load("landscape")
SKY, SEA, ROAD = (LANDSCAPE.id_of(name) for name in ("sky", "sea", "road"))

Plane = NDArray[np.float64]


def noise(size: tuple[int, int] = (256, 256), seed: int = 0, deviation: float = 0.2) -> Plane:
    """White: every pixel is drawn by itself."""
    return np.random.default_rng(seed).normal(0, deviation, size)


def picture(grey: Plane, shift: tuple[float, ...] = (0, 0, 0)) -> NDArray[np.uint8]:
    """Bytes of a luminance in [-1, 1], every color shifted."""
    return ((grey[..., None] + shift + 1) * 127.5).round().clip(0, 255).astype(np.uint8)


def grating(cycles: float, size: tuple[int, int] = (256, 256), axis: int = 1) -> Plane:
    """A sine of so many cycles per 256 px along an axis."""
    place = np.indices(size)[axis]
    return 0.5 * np.sin(2 * np.pi * cycles * place / 256 + 0.3)


def halves(size: tuple[int, int] = (64, 64), below: int = SEA) -> NDArray[np.uint8]:
    """A map of sky, and from the middle row on of another class."""
    ids = np.full(size, SKY, np.uint8)
    ids[size[0] // 2 :] = below
    return ids


def observed(painted: Plane, photo: Plane, ids: NDArray[np.uint8]) -> Table:
    """The table of one map."""
    row = texture.observe(picture(painted), picture(photo), ids, LANDSCAPE)
    return {key: np.asarray(value)[None] for key, value in row.items()}


def figure(name: str, table: Table, real: bool = False) -> float:
    measure = next(m for m in MEASURES if m.name == name)
    value = measure.real if real else measure.value
    assert value is not None
    return value(table)


def test_luminance_is_the_mean_of_the_colors():
    image = np.array([[(0, 0, 0), (255, 255, 255), (255, 0, 0), (30, 60, 90)]], np.uint8)
    assert texture.luminance(image)[0] == pytest.approx([-1, 1, 2 / 3 - 1, 60 / 127.5 - 1])


def test_local_deviation_is_of_every_window_inside_the_picture():
    grey = noise((20, 31))
    found = texture.local_deviation(grey)
    assert found.shape == (12, 23)
    for i, j in ((0, 0), (5, 7), (11, 22)):
        assert found[i, j] == pytest.approx(grey[i : i + 9, j : j + 9].std(), rel=1e-9)
    for value in range(256):
        blank = texture.luminance(np.full((16, 16, 3), value, np.uint8))
        assert texture.local_deviation(blank).max() == texture.band_power(np.tile(blank, (2, 2))).max() == 0
    faint = np.full((9, 9, 3), 255, np.uint8)
    faint[4, 4, 1] = 254
    assert texture.local_deviation(texture.luminance(faint))[0, 0] == pytest.approx(80**0.5 / 81 / 382.5)


def test_windows_keep_off_outlines_as_far_as_they_say():
    ids = halves((40, 40))
    ids[3, 35] = ROAD
    inside, on = texture.windows(ids)
    rows, columns = np.nonzero(texture.outlines(ids))
    assert set(rows) == {2, 3, 4, 19, 20}
    for i in range(32):
        for j in range(32):
            away = np.maximum(abs(rows - i - 4), abs(columns - j - 4)).min()  # to the nearest outline pixel
            assert inside[i, j] == (away > 5), (i, j)
            assert on[i, j] == (away < 2), (i, j)
    blank = texture.windows(np.zeros((16, 16), np.uint8))
    assert blank[0].all()
    assert not blank[1].any()


@pytest.mark.parametrize("size", [(256, 256), (128, 64), (256, 512)])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_grating_has_its_power_in_its_band(size: tuple[int, int], axis: int):
    for band, (low, high) in enumerate(texture.BANDS):
        power = texture.band_power(0.4 + grating((low + high) / 2, size, axis))
        assert power.argmax() == band
        assert power[band] > 0.97 * power.sum()


def test_white_noise_has_the_same_power_in_all_bands():
    power = np.mean([texture.band_power(noise(seed=seed)) for seed in range(4)], 0)
    hann = np.sin(np.pi * np.arange(256) / 256) ** 2
    assert power == pytest.approx(0.2**2 * (hann**2).sum() ** 2, rel=0.05)  # Parseval


def test_a_lattice_shows_in_the_steps_of_its_period():
    quarter = np.repeat(noise((64, 256)), 4, axis=0)  # nearest doubling, twice, of rows only
    rows, columns = texture.steps(quarter)
    assert (len(rows), len(columns)) == (255, 255)
    assert texture.phases(rows, 4).tolist() == pytest.approx([0, 0, 4, 0])  # inner steps start at row 1
    assert sorted(texture.phases(rows, 16)) == pytest.approx([0] * 12 + [4] * 4, abs=0.25)
    assert texture.phases(columns, 4) == pytest.approx(1, abs=0.03)
    white = texture.steps(noise())
    for profile in white:
        assert texture.phases(profile, 4) == pytest.approx(1, abs=0.03)
        assert texture.phases(profile, 16) == pytest.approx(1, abs=0.06)
    assert np.isnan(texture.phases(np.zeros(63), 4)).all()


def test_a_frame_is_told_by_its_color_and_not_taken_for_a_lattice():
    framed = picture(noise(deviation=0.05))
    plain = texture.border(framed)
    assert plain.max() < 0.02  # what differs along a side cancels
    phases = texture.phases(texture.steps(texture.luminance(framed))[0], 4)
    framed[0] += np.array([51, 0, 256 - 51], np.uint8)  # +.4 red, -.4 blue: the luminance stays
    framed[:, -1] += np.uint8(51)
    found = texture.border(framed)
    assert found == pytest.approx([0.8 / 3, 0, 0, 0.4], abs=0.02)
    assert texture.border(framed[::-1, ::-1]) == pytest.approx(found[[1, 0, 3, 2]])
    assert texture.phases(texture.steps(texture.luminance(framed))[0], 4) == pytest.approx(phases, abs=0.02)


def draws(*pairs: tuple[Plane, Plane]) -> float:
    """The structure of pairs of draws."""
    coarse = [(texture.cells(a), texture.cells(b)) for a, b in pairs]
    apart = np.array([(a - b).var() for a, b in coarse])
    return float(texture.structure(apart, np.array([a.var() + b.var() for a, b in coarse])))


def test_structure_is_0_for_the_same_place_and_1_for_another():
    places = [np.kron(noise((16, 16), seed), np.ones((16, 16))) for seed in range(40)]
    assert draws((places[0], places[0])) == 0
    assert draws((places[0], places[0] + 0.3)) == pytest.approx(0, abs=1e-6)  # brighter, not elsewhere
    assert draws((places[0], -places[0])) == pytest.approx(2**0.5)
    assert draws(*zip(places[::2], places[1::2], strict=True)) == pytest.approx(1, abs=0.03)
    common = [0.6 * place + 0.8 * places[0] for place in places[1:]]  # of its variance .36 is its own
    assert draws(*zip(common[::2], common[1::2], strict=False)) == pytest.approx(0.6, abs=0.03)
    fine = [places[0] + noise(seed=seed, deviation=0.1) for seed in (50, 51)]
    assert draws((fine[0], fine[1])) < 0.05  # other texture in the same place
    blank = np.zeros((64, 64))
    assert draws((blank, blank)) == 0


def test_cells_are_means_of_squares():
    grey = noise((40, 32))
    found = texture.cells(grey)
    assert found.shape == (2, 2)
    assert found[1, 0] == pytest.approx(grey[16:32, :16].mean())


def test_observed_deviations_are_summed_by_class_and_unknown_pixels_left_out():
    ids = halves((64, 64))
    ids[:, 50:] = 255
    photo, grey = noise((64, 64)), picture(noise((64, 64)))
    row = texture.observe(picture(0 * photo), grey, ids, LANDSCAPE)
    names = [c.name for c in LANDSCAPE.classes]
    sky, sea = names.index("sky"), names.index("sea")
    assert np.flatnonzero(row["windows"]).tolist() == sorted([sky, sea])
    # rows 4 to 25: the outline lies in rows 31 and 32; columns 4 to 43: it lies in 49
    assert row["windows"][sky] == 22 * 40
    deviation = texture.local_deviation(texture.luminance(grey))
    assert row["inside/photo"][sky] == pytest.approx(deviation[:22, :40].sum())
    assert row["inside/painted"].sum() == pytest.approx(0, abs=1e-6)
    assert row["pixels"].sum() == pytest.approx(50 / 64)
    on = np.zeros((56, 56), bool)
    on[26:30] = on[:, 44:48] = True
    assert row["outline/photo"] == pytest.approx(deviation[:, :46][on[:, :46]].sum())


def test_figures_hold_paintings_against_photos():
    ids, photo = halves(), noise((64, 64), deviation=0.1)
    table = observed(photo / 2, photo, ids)
    assert figure("deviation_inside", table) == pytest.approx(0.5, rel=0.02)
    assert figure("deviation_outlines", table) == pytest.approx(0.5, rel=0.02)
    assert figure("deviation_inside", table, real=True) == 1
    for low, high in texture.BANDS:
        assert figure(f"power_{low}_{high}", table) == pytest.approx(0.25, rel=0.05)
    framed = np.pad(photo[1:-1, 1:-1], 1, constant_values=0.6)
    for name in ("border", "border_row"):
        assert figure(name, observed(framed / 2, framed, ids)) == pytest.approx(0.5, rel=0.05)
    topless = np.concatenate([framed[1:2], framed[1:]])  # one side of four steps no more
    assert figure("border_row", observed(topless, framed, ids)) == pytest.approx(0, abs=0.01)
    assert figure("border", observed(topless, framed, ids)) == pytest.approx(0.75, abs=0.03)
    striped = observed(photo + grating(70, (64, 64)), photo, ids)
    assert figure("power_64_80", striped) > 10
    assert figure("power_96_112", striped) < 1.5


def test_figures_of_lattices_are_the_extremes_of_paintings_and_of_photos():
    small, photo = noise((16, 64), deviation=0.1), noise((64, 64), 1, 0.1)
    table = observed(np.repeat(small, 4, axis=0), photo, halves())
    for period in (4, 16):
        assert figure(f"rows_{period}_low", table) == 0
        assert figure(f"rows_{period}_high", table) > 3.5
        assert (
            0.8 < figure(f"columns_{period}_low", table) < 1 < figure(f"columns_{period}_high", table) < 1.2
        )
        assert 0.8 < figure(f"rows_{period}_low", table, real=True) < 1


def test_one_framed_photo_does_not_hide_the_frames_of_paintings():
    ids, photo = halves(), noise((64, 64), deviation=0.1)
    painting, odd = photo.copy(), photo.copy()
    painting[0] += 0.2
    odd[0] = -1
    rows = [observed(painting, p, ids) for p in (photo, photo, odd)]
    table = {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}
    assert figure("border_row", table) == pytest.approx(figure("border_row", rows[0]))
    assert figure("border_row", rows[0]) > 5


def test_what_is_not_there_has_no_figure():
    blank = observed(noise((64, 64)), np.zeros((64, 64)), halves())
    assert np.isnan(figure("deviation_inside", blank))
    assert np.isnan(figure("power_16_32", blank))
    assert np.isnan(figure("border", blank))
    striped = np.resize(np.array([SKY, SEA], np.uint8), (64, 64))
    assert np.isnan(figure("deviation_inside", observed(noise((64, 64)), noise((64, 64)), striped)))
