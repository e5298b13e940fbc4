"""The named recipes, and how a person changes their settings."""

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError

from spadework.files import Misfit
from spadework.sketch.palette import PALETTES, Palette
from spadework.training.enlarger_recipe import EnlargerRecipe
from spadework.training.painter_recipe import Recipe
from spadework.training.segmenter_recipe import SegmenterRecipe
from spadework.training.settings import today

AnyRecipe = Recipe | SegmenterRecipe | EnlargerRecipe
Known = TypeVar("Known", bound=AnyRecipe)


def spade_256() -> Recipe:
    """The paper's training at 256x256 with the style VAE, for a folder with the landscape palette.

    Networks, losses and rates are the published ones (`vgg` names the file for the perceptual loss, which
    is left out without it). What departs: 4 pictures a batch, not 32 on eight GPUs; 2,000,000 images, where
    COCO had 100 epochs; a model is the moving average of the weights.
    """
    return Recipe(  # type: ignore[call-arg]
        name="spade_256",
        palette="landscape",
        label_nc=15,
        unknown=True,
        total_images=2_000_000,
        batch_size=4,
        ttur=True,
        decay_from=0.5,
        scale=(1.0, 1.12),
    )


def oasis_256() -> Recipe:
    """OASIS (arXiv 2012.04781): a U-Net that tells N classes and "fake" apart at every pixel is all there is.

    Published are the discriminator from scratch, classes balanced over a batch, LabelMix (weight 10), a 3D
    noise of 64 channels beside the map instead of the VAE, no feature matching and no perceptual loss, and
    the rates. What departs: the generator is `spade_256`'s to a channel (OASIS doubles once more and
    halves its widths); unknown pixels are a channel of the map; one noise vector a picture, also where it is
    painted, where OASIS may draw another for every region; and weights begin as PyTorch has them. Those of
    Xavier times 0.02 are so small that a first step of Adam turns them round: the spectral norms are then of
    other weights, twelve layers multiply that, and one gradient of 10^7 stops Adam for thousands of steps.
    """
    return Recipe(  # type: ignore[call-arg]
        name="oasis_256",
        palette="landscape",
        label_nc=15,
        unknown=True,
        total_images=2_000_000,
        batch_size=20,
        ttur=True,
        betas=(0.0, 0.999),
        scale=(1.0, 1.12),
        z_dim=64,
        z_map=True,
        discriminator="unet",
        lambda_feat=0.0,
        lambda_perceptual=0.0,
        lambda_kl=0.0,
        lambda_pixel=1.0,
        lambda_mix=10.0,
        ema=0.9999,
        init_gain=None,
    )


def concat_bn() -> Recipe:
    """What SPADE is measured against: `spade_256`, but plain batch norms, and the map only at the input.

    Strided convolutions bring the whole map to the first grid, where the style is added (which is what a
    convolution of the two side by side does); every norm has one learned scale and shift a channel.
    """
    return spade_256().model_copy(update={"name": "concat_bn", "modulation": "affine"})


def landscape() -> Recipe:
    """The model that ships: small, over a frozen classifier, minutes on a GPU or a day on two cores."""
    return Recipe(  # type: ignore[call-arg]
        name="landscape",
        palette="landscape",
        label_nc=15,
        unknown=True,
        total_images=200_000,
        decay_from=0.6,  # at a constant rate the last texture never settles
        sketch_share=0.35,
        scale=(1.0, 1.0),  # enlarged photos teach blur
        betas=(0.0, 0.99),
        num_ups=6,
        widths=(384, 384, 320, 192, 96, 32, 16),
        hidden=(64, 64, 64, 64, 64, 32, 32),
        z_dim=64,
        start="point",  # a grid of start features became one picture for all maps in the first 2,000 images
        style_blocks=True,  # from the start alone the style was lost on its way to the picture
        noise=True,
        padding="replicate",  # zeros print a frame, and tell where the canvas ends:
        label_padding="replicate",  # without them noise alone decides what lies where
        bilinear_ups=4,  # nearest doublings of the coarse grids print a lattice
        encoder_ngf=32,
        encoder_norm="batch",
        discriminator="backbone",
        lambda_feat=0.0,  # pairs punish another place, and the noise is learned away
        lambda_statistics=2.5,
        statistics_strides=(2, 4, 8, 16),
        lambda_means=3.0,  # these hold the class, and leave the place free
        lambda_region_color=4.0,
        lambda_pixel=0.7,
        quiet=2,
        lambda_color=2.0,
        color_grid=2,
        lambda_phase=1.0,
        lambda_spectrum=0.3,
        lambda_seek=0.6,
        zoom=0.4,
        crop=0.4,
        jitter=0.5,
        cutout=0.25,
        flood=0.6,
        swap_share=0.5,  # a style must carry over to maps that are not its own
        lambda_style=0.7,
        lambda_kl=0.002,  # summed over a batch; 0.05 left the style empty after 1,500 images
        init_gain=None,
        ema=0.998,
    )


def toy() -> Recipe:
    """Procedural landscapes at 64x64: seconds, no data needed. For tests and first steps."""
    return Recipe(  # type: ignore[call-arg]
        name="toy",
        palette="landscape",
        label_nc=15,
        unknown=True,
        size=(64, 64),
        total_images=1600,
        save_every=400,
        sample_every=400,
        ngf=4,
        hidden=16,
        z_dim=8,
        encoder_ngf=8,
        encoder_size=64,
        encoder_norm="batch",
        ndf=8,
        lr=2e-3,
        batch_size=4,
        init_gain=None,
        ttur=True,
        ema=0.98,
        lambda_color=20.0,
        lambda_kl=0.01,
        precision="float32",
    )


def segmenter_landscape() -> SegmenterRecipe:
    """The segmenter that ships: photo -> the 15 landscape classes, about forty minutes on two cores."""
    return SegmenterRecipe(  # type: ignore[call-arg]
        name="segmenter_landscape",
        palette="landscape",
        label_nc=15,
        unknown=True,
        size=(192, 192),
        scale=(1.0, 1.8),
        total_images=104_000,
        batch_size=16,
        lr=8e-4,
        ema=0.998,
    )


def enlarger_landscape() -> EnlargerRecipe:
    """The enlarger that ships: pictures of the 15 landscape classes at twice their size."""
    return EnlargerRecipe(  # type: ignore[call-arg]
        name="enlarger_landscape",
        palette="landscape",
        label_nc=15,
        unknown=True,
        scale=(1.0, 1.0),
        total_images=80_000,
        save_every=8000,
        ema=0.998,
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    f.__name__: f for f in (spade_256, oasis_256, concat_bn, landscape, toy)
}
"""Trainings of painters."""

SEGMENTERS: dict[str, Callable[[], SegmenterRecipe]] = {f.__name__: f for f in (segmenter_landscape,)}
"""Trainings of segmenters."""

ENLARGERS: dict[str, Callable[[], EnlargerRecipe]] = {f.__name__: f for f in (enlarger_landscape,)}
"""Trainings of enlargers."""

ALL = RECIPES | SEGMENTERS | ENLARGERS


def nearest_name(word: str, known: Sequence[str]) -> str:
    """ "did you mean X? " for a name that resembles the word, else nothing."""
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}? " if close else ""


Changes = Sequence[str] | Mapping[str, Any]
"""Of settings: `key=value` as one types them, or by key."""


def named(name: str, changes: Changes = (), palette: Palette | None = None) -> AnyRecipe:
    """The recipe of that name[, for a palette] with changes; ValueError for unknown ones.

    Values are JSON where they parse as JSON (`size=[128,128]`, `widths=null`), else text; a single number
    for `size` means a square.
    """
    if name not in ALL:
        raise ValueError(f"no recipe {name!r}; {nearest_name(name, list(ALL))}known: {', '.join(ALL)}")
    recipe = ALL[name]()
    return changed(recipe if palette is None else of_palette(recipe, palette), changes)


def of_palette(recipe: Known, palette: Palette) -> Known:
    """The recipe for the classes of another palette, which it carries whole unless it is a shipped one."""
    shipped = palette.name in PALETTES and Palette.load(palette.name) == palette
    classes = {"label_nc": palette.label_nc, "unknown": palette.unknown is not None}
    values = recipe.model_dump() | classes | {"palette": palette.name if shipped else palette.model_dump()}
    if palette.unknown is None and values.get("cutout"):
        values["cutout"] = 0.0  # which makes pixels unknown
    return checked(values, f"recipe {recipe.name}", type(recipe))


def changed(recipe: Known, changes: Changes) -> Known:
    """The recipe with changes, validated as a whole."""
    values = recipe.model_dump()
    for key, value in (changes if isinstance(changes, Mapping) else parsed(changes)).items():
        if key not in values:
            raise ValueError(
                f"no setting {key!r}; {nearest_name(key, list(values))}known: {', '.join(values)}"
            )
        values[key] = value
    return checked(values, f"recipe {recipe.name}", type(recipe))


def parsed(changes: Sequence[str]) -> dict[str, Any]:
    """Settings by key, of `key=value` as one types them; the last of a key counts."""
    values: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        key = today(key)
        if not equals:
            raise ValueError(f"--set {change}: expected key=value, for example --set batch_size=4")
        try:
            values[key] = meant(key, json.loads(text))
        except json.JSONDecodeError:
            values[key] = meant(key, text)
    return values


def meant(key: str, value: Any) -> Any:
    """A number for a square, a file for the palette in it; any other value is itself."""
    if key == "palette" and isinstance(value, str) and value.endswith(".json"):
        return Palette.load(value).model_dump()
    return (value, value) if key == "size" and isinstance(value, int) else value


def checked(values: Any, what: str, kind: type[Known]) -> Known:
    """The recipe of these values, its networks' configs too, or one ValueError that begins with `what`."""
    try:
        recipe = kind.model_validate(values)
        recipe.demand_networks()
    except ValidationError as error:
        first = Misfit.first_of(error)
        where = f"{first.key} is {first.came!r}: " if first.key else ""
        raise ValueError(f"{what}: {where}{first.said}") from error
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    return recipe


KINDS: dict[str, type[AnyRecipe]] = {"segmenter": SegmenterRecipe, "enlarger": EnlargerRecipe}


def kind_of(values: Any) -> type[AnyRecipe]:
    """The kind of recipe that a run's config holds."""
    return KINDS.get(values.get("trains", ""), Recipe) if isinstance(values, dict) else Recipe
