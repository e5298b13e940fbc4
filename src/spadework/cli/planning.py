"""What `spadework train` is to do: which recipe on which pairs, anew or from where it stopped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.cli.telling import bar, show_table, tell
from spadework.nvlabs.flags import TrainFlags

if TYPE_CHECKING:
    from spadework.data.folder import PairedFolder
    from spadework.data.sample import Sample
    from spadework.nvlabs.files import Published
    from spadework.sketch.palette import Palette
    from spadework.training.painter_recipe import Recipe
    from spadework.training.recipes import AnyRecipe
    from spadework.training.runconfig import RunConfig
    from spadework.training.rundir import RunDir
    from spadework.training.starting import Start
    from spadework.training.state import TrainState

WARM_UP = 2000
"""Images for which a fine-tuned generator waits, more or less, for its new discriminator."""


@dataclass(frozen=True)
class Plan:
    """What is trained on which pairs, from where: a resumed run, or a new one as `begin` leaves it."""

    recipe: "AnyRecipe"
    pairs: "Sequence[Sample]"
    held_out: "Sequence[Sample]"
    resume: bool
    begin: "Callable[[Any], None]" = lambda state: None


def plan_of_recipe(
    name: str | None,
    data: Path | None,
    run: "RunDir",
    changes: Mapping[str, Any],
    resume: bool,
    starts: Sequence[str] = (),
    palette: "str | Palette | None" = None,
) -> Plan:
    if palette is not None and resume:
        raise ValueError("--palette begins a run: leave it out with --resume, the run has its own")
    if starts:
        return _tuning(name, data, run, changes, starts, palette)
    from spadework.nn import together

    choose = lambda: _resumed(name, run, changes) if resume else _fresh(name, run, changes, palette)  # noqa: E731
    recipe = together.from_first(choose)
    return Plan(recipe, *_data(recipe, data), resume)


def _tuning(
    name: str | None,
    data: Path | None,
    run: "RunDir",
    changes: Mapping[str, Any],
    starts: Sequence[str],
    palette: "str | Palette | None",
) -> Plan:
    """A new run that begins with the weights of models, light states or discriminators."""
    from spadework.engine import model_file
    from spadework.model import Checkpoint
    from spadework.training.enlarger_recipe import EnlargerRecipe
    from spadework.training.segmenter_recipe import SegmenterRecipe
    from spadework.training.starting import begin_from, demand_fit, read_start, with_run_classes

    recipe = _fresh(name, run, changes, palette)
    if isinstance(recipe, SegmenterRecipe):
        raise ValueError(f"--from begins with a painter, and {recipe.name} trains a segmenter: leave it out")
    given = [read_start(model_file(start)) for start in starts]
    if isinstance(recipe, EnlargerRecipe):
        return Plan(recipe, *_data(recipe, data), resume=False, begin=_with_discriminator(given, recipe.name))
    judged = not all(isinstance(start, Checkpoint) for start in given)
    if not judged and "warm_up" not in changes:
        recipe = recipe.model_copy(update={"warm_up": WARM_UP})
    given, told = with_run_classes(given, recipe)
    _tell_all(told)
    for start in given:
        demand_fit(recipe, start)

    def begin(state: "TrainState") -> None:
        for start in given:
            begin_from(state, recipe, start)

    return Plan(recipe, *_data(recipe, data), resume=False, begin=begin)


def _with_discriminator(given: "Sequence[Start]", name: str) -> "Callable[[TrainState], None]":
    """What gives an enlarger's run the discriminator of painters' trainings."""
    from dataclasses import replace

    from spadework.model import Checkpoint
    from spadework.training.lightstate import fill_from

    discriminators = [start for start in given if not isinstance(start, Checkpoint)]
    if len(discriminators) < len(given):
        raise ValueError(
            f"{name} begins with a discriminator: give --from a light state of a painter's training"
        )

    def begin(state: "TrainState") -> None:
        for start in discriminators:
            fill_from(state, replace(start, parts=dict(start.parts) | {"average": {}}))

    return begin


def plan_of_flags(
    flags: TrainFlags,
    name: str | None,
    data: Path | None,
    run: "RunDir",
    changes: Mapping[str, Any],
    resume: bool,
) -> Plan:
    from spadework.nvlabs.training import begin_with, from_weights, pairs_of

    if name is not None or data is not None:
        raise ValueError("--dataset_mode takes the place of RECIPE and --data: leave them out")
    pairs = pairs_of(flags)
    _tell_all(pairs.notes)
    if resume or (flags.continue_train and run.state.exists()):
        return Plan(_resumed(None, run, changes), pairs, (), resume=True)
    if not flags.continue_train:
        return Plan(_mapped(flags, len(pairs), run, changes), pairs, (), resume=False)
    weights = _published_weights(run.root, flags.which_epoch)

    def begin(state: "TrainState") -> None:
        fresh = begin_with(state, weights)
        lacking = "".join(f"; no {kind} there, it starts anew" for kind in fresh)
        tell(f"first weights: {weights.origin}{lacking}")

    recipe = _mapped(from_weights(flags, weights), len(pairs), run, changes)
    return Plan(recipe, pairs, (), resume=False, begin=begin)


def _published_weights(folder: Path, which: str) -> "Published":
    from spadework.nvlabs.files import find

    if not list(folder.glob("*_net_G.pth")):
        raise ValueError(
            f"nothing to go on with in {folder}: expected state.safetensors of a run, or {which}_net_G.pth "
            "of a published checkpoint; start anew by leaving out --continue_train"
        )
    return find(folder, which)


def _mapped(flags: TrainFlags, photos: int, run: "RunDir", changes: Mapping[str, Any]) -> "Recipe":
    from spadework.nvlabs.training import recipe_of
    from spadework.training.recipes import changed

    if run.state.exists():
        raise ValueError(
            f"{run.root} already holds a run: go on with --continue_train, or choose another --name"
        )
    recipe = changed(recipe_of(flags, photos), changes)
    show_table(["setting", "from the flags"], [[key, str(value)] for key, value in recipe])
    return recipe


def recipe_asked(asked: "RunConfig", resume: bool) -> "AnyRecipe":
    """The recipe of what is asked, of no run or of that which is resumed."""
    from spadework.training.rundir import RunDir

    if resume and asked.out is None:
        raise ValueError("no --out: name the folder of the run that is resumed")
    if resume:
        return _changed_run(None, RunDir(str(asked.out)), asked.settings)
    return _fresh(asked.recipe, None, asked.settings, asked.palette)


def _fresh(
    name: str | None, run: "RunDir | None", changes: Mapping[str, Any], palette: "str | Palette | None" = None
) -> "AnyRecipe":
    from spadework.sketch.palette import Palette
    from spadework.training.recipes import ALL, named

    if name is None:
        raise ValueError(f"no recipe named: choose one of {', '.join(ALL)}")
    if run is not None and run.state.exists():
        raise ValueError(f"{run.root} already holds a run: go on with --resume, or choose another --out")
    return named(name, changes, Palette.load(palette) if isinstance(palette, str) else palette)


def _resumed(name: str | None, run: "RunDir", changes: Mapping[str, Any]) -> "AnyRecipe":
    """The run's own recipe; changes that a resumed run can bear are kept in its folder."""
    from spadework.files import atomic_write

    wanted = _changed_run(name, run, changes)
    if wanted != run.recipe():
        atomic_write(run.root / "config.json", f"{wanted.model_dump_json(indent=1)}\n".encode())
    return wanted


def _changed_run(name: str | None, run: "RunDir", changes: Mapping[str, Any]) -> "AnyRecipe":
    """The run's own recipe with changes; ValueError for those that a resumed run cannot bear."""
    from spadework.training.recipes import changed

    recipe = run.recipe()
    if name not in (None, recipe.name):
        raise ValueError(f"{run.root} was started with recipe {recipe.name}, not {name}: leave the name out")
    wanted = changed(recipe, changes)
    for key in type(recipe).model_fields:
        if getattr(wanted, key) != getattr(recipe, key) and not recipe.may_change(key):
            raise ValueError(f"--set {key} cannot change on --resume: start a new run with another --out")
    return wanted


def _data(recipe: "AnyRecipe", data: Path | None) -> "tuple[Sequence[Sample], Sequence[Sample]]":
    """Training pairs and held-out pairs, decoded and checked whole before the first step."""
    from spadework.data.folder import PairedFolder
    from spadework.data.toy import ToyLandscapes

    if data is None and recipe.name == "toy":
        return ToyLandscapes(size=recipe.size, seed=recipe.seed), ()
    if data is None:
        raise ValueError("no --data: give the folder that holds images/ and labels/")
    pairs = PairedFolder(data, short_side=recipe.short_side, palette=recipe.classes)
    held_out = _val(pairs)
    for folder in [pairs, *held_out]:
        _tell_all(folder.notes)
        _decode(folder)
        folder.check_ids(recipe.legal_ids)
        _tell_all(folder.doubts())
    return pairs, held_out[0] if held_out else ()


def _tell_all(lines: Sequence[str]) -> None:
    for line in lines:
        tell(line)


def _val(pairs: "PairedFolder") -> "list[PairedFolder]":
    """The val split beside a train split, if there is one."""
    from spadework.data.listing import NoSplit

    if pairs.split != "train":
        return []
    try:
        return [type(pairs)(pairs.root, "val", pairs.short_side, pairs.palette)]
    except NoSplit:
        return []


def _decode(folder: "PairedFolder") -> None:
    from spadework.nn import together

    with bar() as progress:
        task = progress.add_task(f"reading {folder.root} {folder.split}".strip(), total=len(folder))
        together.from_first(
            lambda: _all_of(folder, lambda done, total: progress.update(task, completed=done))
        )
        folder.decode()  # at once, but for processes on another host


def _all_of(folder: "PairedFolder", progress: "Callable[[int, int], None]") -> None:
    folder.decode(progress=progress)
