"""Which training a recipe is of."""

from collections.abc import Callable, Sequence
from typing import Any

from spadework.data.sample import Sample
from spadework.model import Checkpoint
from spadework.training.enlarger_recipe import EnlargerRecipe
from spadework.training.enlarging import EnlargerTraining
from spadework.training.loop import Training
from spadework.training.painting import PainterTraining
from spadework.training.recipes import AnyRecipe
from spadework.training.segmenter_recipe import SegmenterRecipe
from spadework.training.segmenting import SegmenterTraining


def training_of(
    recipe: AnyRecipe,
    pairs: Sequence[Sample],
    previews: Sequence[Sample],
    load: Callable[[str], Checkpoint],
) -> Training[Any]:
    """What is particular to the networks that a recipe makes; `load` opens the painter of an enlarger's."""
    if isinstance(recipe, SegmenterRecipe):
        return SegmenterTraining(recipe, pairs, previews)
    if isinstance(recipe, EnlargerRecipe):
        return EnlargerTraining(recipe, pairs, load(recipe.painter), previews)
    return PainterTraining(recipe, pairs, previews)
