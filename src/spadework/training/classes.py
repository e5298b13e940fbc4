"""A start of other classes: each class of a run begins as the one of the start's that is nearest by name.

Where it is given as a channel of a map, or as a verdict on a pixel, weights are copied by channel. Shapes:
K semantic channels of the start's maps.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spadework.model import Checkpoint
from spadework.nn.generator import Generator
from spadework.nn.labels import SemanticsConfig
from spadework.nn.spectral import fold_spectral_norm
from spadework.sketch.palette import Palette
from spadework.sketch.translate import partner
from spadework.training.lightstate import LightState
from spadework.training.painter_recipe import Recipe

Sources = tuple[tuple[int, ...], ...]
"""For every channel those of the start that it begins as the mean of; without any it begins silent."""

AHEAD = re.compile(
    r"mlp_shared\.0\.weight$|(^|\.)fc\.weight$|enter\.first\.|^scales\.\d+\.layers\.0\.weight$"
)
BEHIND = re.compile(r"^heads\.\d+\.conv_0\.(.+\.original|weight)$")
VERDICTS = re.compile(r"^classify\.(.+\.original|weight|bias)$")
"""Tensors that take a map's channels before all others or after them, or say a class: its last is "fake"."""


@dataclass(frozen=True)
class Classes:
    """How a start's K channels become a run's; `told`: what begins as what, a sentence a class."""

    start: SemanticsConfig
    run: SemanticsConfig
    sources: Sources
    told: tuple[str, ...]

    @classmethod
    def between(
        cls, start: tuple[SemanticsConfig, Palette], run: tuple[SemanticsConfig, Palette]
    ) -> "Classes":
        """By name or alias, then by the table of names; what is like nothing begins as unknown pixels do."""
        (theirs, old), (ours, new) = start, run
        known = tuple((c.id,) for c in old.classes)
        neutral = (theirs.label_nc,) if theirs.unknown else tuple(id for (id,) in known)
        as_what = "unknown pixels" if theirs.unknown else "the mean of all"
        sources, told = [neutral] * ours.label_nc, []
        for c in new.classes:
            found = partner(c.name, c.aliases, old)
            if found is None:
                told.append(f"{c.name} begins as {as_what}: {old.name} has nothing like it")
                continue
            sources[c.id] = (found,)
            if old.name_of(found) != c.name:
                told.append(f"{c.name} begins as {old.name_of(found)}")
        sources += [neutral] * ours.unknown
        sources += [(theirs.semantic_nc - 1,) if theirs.edges else ()] * ours.edges
        return cls(theirs, ours, tuple(sources), tuple(told))

    @property
    def same(self) -> bool:
        """Whether nothing changes."""
        return self.start == self.run and self.sources == tuple((k,) for k in range(self.start.semantic_nc))

    def moved(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of a network of K channels as those of one with the run's."""
        result = dict(tensors)
        for name, value in tensors.items():
            count = self.start.semantic_nc
            if AHEAD.search(name) and value.ndim == 4:
                result[name] = _gathered(value, 1, 0, count, self.sources)
            elif BEHIND.search(name):
                result[name] = _gathered(value, 1, value.shape[1] - count, count, self.sources)
            elif VERDICTS.search(name):
                result[name] = _gathered(value, 0, 0, len(value) - 1, self._verdicts(len(value) - 1))
        for name in [n for n in result if n.endswith(".weight.original") and result[n] is not tensors[n]]:
            left, _, right = torch.linalg.svd(result[name].float().flatten(1), full_matrices=False)
            base = name.removesuffix("original")
            result |= {f"{base}0._u": left[:, 0], f"{base}0._v": right[0]}
        return result

    def _verdicts(self, count: int) -> Sources:
        """Of verdicts that tell so many classes apart: with unknown pixels as one of them, or without."""
        if count == self.start.semantic_nc:
            return self.sources
        every = tuple(range(count))
        return tuple(s if max(s) < count else every for s in self.sources[: self.run.label_nc])


def _gathered(value: Tensor, dim: int, first: int, count: int, sources: Sources) -> Tensor:
    """With the `count` channels from `first` on exchanged for one of each of the sources."""
    before, channels, after = value.split([first, count, value.shape[dim] - first - count], dim)
    each = [
        channels.index_select(dim, torch.tensor(s)).float().mean(dim, keepdim=True).to(value.dtype)
        if s
        else torch.zeros_like(channels.narrow(dim, 0, 1))
        for s in sources
    ]
    return torch.cat([before, *each, after], dim).contiguous()


def classes_of(start: Checkpoint | LightState) -> tuple[SemanticsConfig, Palette] | None:
    """What a start holds; None for a discriminator alone. ValueError where its classes have no names."""
    if isinstance(start, Checkpoint):
        return start.card.semantics, start.card.palette
    return None if start.recipe is None else _named(start.recipe, start.origin)


def _named(recipe: Recipe, what: str) -> tuple[SemanticsConfig, Palette]:
    if recipe.classes is None:
        raise ValueError(f"the classes of {what} have no names: give --palette, so that they can be matched")
    return recipe.semantics, recipe.classes


def change_of_classes(start: tuple[SemanticsConfig, Palette], recipe: Recipe) -> Classes | None:
    """What a start of these classes must go through for a run of the recipe; None where they are the same."""
    if start[0] == recipe.semantics and (
        recipe.classes is None or recipe.classes.classes == start[1].classes
    ):
        return None
    change = Classes.between(start, _named(recipe, f"recipe {recipe.name}"))
    return None if change.same else change


def with_classes(start: Checkpoint | LightState, change: Classes, recipe: Recipe) -> Checkpoint | LightState:
    """The start as one of the run's classes, which has seen none of their photos."""
    if isinstance(start, Checkpoint):
        return _model_with(start, change, recipe)
    parts = {part: change.moved(tensors) for part, tensors in start.parts.items()}
    known = start.recipe and start.recipe.model_copy(
        update={key: getattr(recipe, key) for key in ("palette", "label_nc", "unknown", "edges")}
    )
    return replace(start, parts=parts, recipe=known, step=0, images_seen=0, seconds=0.0, rng=None)


def _model_with(model: Checkpoint, change: Classes, recipe: Recipe) -> Checkpoint:
    config = model.generator.config.model_copy(update={"semantic_nc": change.run.semantic_nc})
    with torch.random.fork_rng(devices=[]):
        generator = fold_spectral_norm(Generator(config))
    generator.load_state_dict(change.moved(model.generator.state_dict()))
    training = model.card.training.model_copy(update={"images_seen": 0, "seconds": 0.0})
    about = {"semantics": change.run, "generator": config, "prior": None, "training": training}
    palette = recipe.classes or model.card.palette
    card = model.card.model_copy(update=about | {"palette": palette})
    return Checkpoint(card, generator, model.encoder)
