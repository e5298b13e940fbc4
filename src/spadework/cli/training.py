"""`spadework train`."""

import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.published import checked, published
from spadework.cli.telling import INTERRUPTED, bar, command, show_table, tell
from spadework.nvlabs.flags import IGNORED, TrainFlags

if TYPE_CHECKING:
    from spadework.data.folder import PairedFolder
    from spadework.data.sample import Sample
    from spadework.nvlabs.files import Published
    from spadework.segmenter import Segmenter
    from spadework.training.journal import Progress
    from spadework.training.recipes import AnyRecipe, Recipe
    from spadework.training.rundir import RunDir
    from spadework.training.segmenting import SegmenterState
    from spadework.training.state import TrainState

LINE_EVERY = 30.0
"""Seconds between lines of progress where no bar can be drawn."""

PREVIEWS = 8
"""So many held-out pairs are painted in every sample grid."""

MAIN_LOSSES = ("g_gan", "g_feat", "g_perceptual", "g_pixel", "d_real", "d_fake", "cross_entropy", "accuracy")

OF_THE_DATA = (
    *("dataset_mode", "dataroot", "label_dir", "image_dir", "instance_dir", "phase", "label_nc"),
    *("contain_dontcare_label", "no_instance", "preprocess_mode", "load_size", "crop_size", "aspect_ratio"),
)
"""Published flags that say which pairs are seen and how: a resumed run needs them again."""

FREE_ON_RESUME = re.compile(
    "lr|precision|total_images|save_every|sample_every|decay_from|ema|accumulate|sketch_share|scale|flip|lambda_.+|"
    "trunk_lr|warm_up|weight_decay|jitter"
)
"""Settings that a resumed run may change; the others shape the networks, or what they have seen so far."""


@published(TrainFlags, IGNORED)
def train(
    typed: dict[str, Any],
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE", help="Name of a recipe; not needed with --resume.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder or tar of images/ and labels/; toy needs none.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="RUN", help="Folder of the run.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE ...", help="Change settings of the recipe."),
    ] = None,
    terms: Annotated[
        str, typer.Option(metavar="TEXT", help="What the data's terms allow; it goes on the model's card.")
    ] = "unstated",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in RUN.")] = False,
    show: Annotated[
        bool, typer.Option("--list", help="List the recipes with their settings, and stop.")
    ] = False,
) -> None:
    """Train a model, or go on training it.

    Ctrl-C saves the state and the model so far; --resume goes on as if nothing had happened. With
    --dataset_mode the flags of SPADE's train.py take the place of RECIPE and --data; the recipe that they
    make is printed.
    """
    if show:
        return _list_recipes()
    flags = _flags(typed)
    if flags and out is None and flags.name:
        out = Path(flags.checkpoints_dir) / flags.name
    if out is None:
        raise ValueError("no --out: name the folder of the run, for example --out runs/first")
    from spadework.training.rundir import RunDir

    run = RunDir(out)
    if flags:
        plan = _plan_of_flags(flags, recipe, data, run, changes or [], resume)
    else:
        plan = _plan_of_recipe(recipe, data, run, changes or [], resume)
    state = _train(plan, run)
    unfinished = state.images_seen < plan.recipe.total_images
    if unfinished:
        again = command("train", *_place(flags, data), "--out", out, "--resume")
        tell(f"stopped after {state.images_seen:,} images, all is saved; go on with: {again}")
    model = run.model(state.images_seen)
    where = flags.dataroot or flags.label_dir if flags else data
    data_name = _data_name(Path(where) if where else None)
    trial = _export(state, plan, model, data_name, terms)
    tell(f"model after {state.images_seen:,} images: {model}")
    tell(f"try it: {trial}")
    if unfinished:
        raise typer.Exit(INTERRUPTED)


def _flags(typed: dict[str, Any]) -> TrainFlags | None:
    """The published flags, if --dataset_mode is among them."""
    if typed and "dataset_mode" not in typed:
        first = next(iter(typed))
        raise ValueError(f"--{first} is a flag of SPADE's train.py: give --dataset_mode too, or use --set")
    return checked(TrainFlags, typed) if typed else None


def _place(flags: TrainFlags | None, data: Path | None) -> list[str]:
    """The words that name the data once more."""
    if flags is None:
        return ["--data", str(data)] if data else []
    stated = {name: value for name in OF_THE_DATA if (value := getattr(flags, name)) not in (None, False)}
    return [
        word
        for name, value in stated.items()
        for word in ([f"--{name}"] if value is True else [f"--{name}", str(value)])
    ]


@dataclass(frozen=True)
class Plan:
    """What is trained on which pairs, from where: a resumed run, or a new one as `begin` leaves it."""

    recipe: "AnyRecipe"
    pairs: "Sequence[Sample]"
    held_out: "Sequence[Sample]"
    resume: bool
    begin: "Callable[[TrainState], None]" = lambda state: None


def _plan_of_recipe(
    name: str | None, data: Path | None, run: "RunDir", changes: Sequence[str], resume: bool
) -> Plan:
    recipe = _resumed(name, run, changes) if resume else _fresh(name, run, changes)
    return Plan(recipe, *_data(recipe, data), resume)


def _plan_of_flags(
    flags: TrainFlags,
    name: str | None,
    data: Path | None,
    run: "RunDir",
    changes: Sequence[str],
    resume: bool,
) -> Plan:
    from spadework.training.published import begin_with, from_weights, pairs_of

    if name is not None or data is not None:
        raise ValueError("--dataset_mode takes the place of RECIPE and --data: leave them out")
    pairs = pairs_of(flags)
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


def _mapped(flags: TrainFlags, photos: int, run: "RunDir", changes: Sequence[str]) -> "Recipe":
    from spadework.training.published import recipe_of
    from spadework.training.recipes import changed

    if run.state.exists():
        raise ValueError(
            f"{run.root} already holds a run: go on with --continue_train, or choose another --name"
        )
    recipe = changed(recipe_of(flags, photos), changes)
    show_table(["setting", "from the flags"], [[key, str(value)] for key, value in recipe])
    return recipe


def _fresh(name: str | None, run: "RunDir", changes: Sequence[str]) -> "AnyRecipe":
    from spadework.training.recipes import RECIPES, SEGMENTERS, named

    if name is None:
        raise ValueError(f"no recipe named: choose one of {', '.join([*RECIPES, *SEGMENTERS])}")
    if run.state.exists():
        raise ValueError(f"{run.root} already holds a run: go on with --resume, or choose another --out")
    return named(name, changes)


def _resumed(name: str | None, run: "RunDir", changes: Sequence[str]) -> "AnyRecipe":
    """The run's own recipe; changes that a resumed run can bear are kept in its folder."""
    from spadework.files import atomic_write
    from spadework.training.recipes import changed

    recipe = run.recipe()
    if name not in (None, recipe.name):
        raise ValueError(f"{run.root} was started with recipe {recipe.name}, not {name}: leave the name out")
    for key in (change.partition("=")[0] for change in changes):
        if key in type(recipe).model_fields and not FREE_ON_RESUME.fullmatch(key):
            raise ValueError(f"--set {key} cannot change on --resume: start a new run with another --out")
    if changes:
        recipe = changed(recipe, changes)
        atomic_write(run.root / "config.json", f"{recipe.model_dump_json(indent=1)}\n".encode())
    return recipe


def _data(recipe: "AnyRecipe", data: Path | None) -> "tuple[Sequence[Sample], Sequence[Sample]]":
    """Training pairs and held-out pairs, decoded and checked whole before the first step."""
    from spadework.data.folder import PairedFolder
    from spadework.data.toy import ToyLandscapes

    if data is None and recipe.name == "toy":
        return ToyLandscapes(size=recipe.size, seed=recipe.seed), ()
    if data is None:
        raise ValueError("no --data: give the folder that holds images/ and labels/")
    pairs = PairedFolder(data, short_side=recipe.short_side)
    held_out = _val(pairs)
    for folder in [pairs, *held_out]:
        _decode(folder)
        folder.check_ids({*range(recipe.label_nc), *([255] if recipe.unknown else [])})
    return pairs, held_out[0] if held_out else ()


def _data_name(data: Path | None) -> str:
    """For the card; nobody's folders above the data are told."""
    return "procedural toy landscapes" if data is None else data.resolve().name


def _val(pairs: "PairedFolder") -> "list[PairedFolder]":
    """The val split beside a train split, if there is one."""
    if pairs.split != "train":
        return []
    try:
        return [type(pairs)(pairs.root, "val", pairs.short_side)]
    except ValueError as error:
        if "no split" in str(error):
            return []
        raise


def _decode(folder: "PairedFolder") -> None:
    with bar() as progress:
        task = progress.add_task(f"reading {folder.root} {folder.split}".strip(), total=len(folder))
        folder.decode(progress=lambda done, total: progress.update(task, completed=done))


def _train(plan: Plan, run: "RunDir") -> "TrainState | SegmenterState":
    from spadework.training.loop import train as train_painter
    from spadework.training.recipes import Recipe
    from spadework.training.segmenting import train_segmenter

    with _stoppable() as stop, bar("{task.fields[pace]}", "{task.fields[losses]}") as progress:
        task = progress.add_task(plan.recipe.name, total=plan.recipe.total_images, pace="", losses="")
        told = time.monotonic()

        def listen(step: "Progress") -> None:
            nonlocal told
            pace, losses = _pace(step), _losses(step)
            progress.update(task, completed=step.images_seen, pace=pace, losses=losses)
            if progress.disable and time.monotonic() - told > LINE_EVERY:
                tell(f"{step.images_seen:,} of {step.total_images:,} images, {pace}, {losses}")
                told = time.monotonic()

        told_to = {"resume": plan.resume, "listener": listen, "stop": stop}
        if not isinstance(plan.recipe, Recipe):
            return train_segmenter(plan.recipe, plan.pairs, run.root, **told_to)
        previews = [plan.held_out[i] for i in range(min(PREVIEWS, len(plan.held_out)))]
        told_to |= {"previews": previews, "begin": plan.begin}
        return train_painter(plan.recipe, plan.pairs, run.root, **told_to)


def _export(state: "TrainState | SegmenterState", plan: Plan, model: Path, data_name: str, terms: str) -> str:
    """Writes the model file; returns the command that tries it."""
    from spadework.training.export import export_model
    from spadework.training.recipes import Recipe
    from spadework.training.segmenting import export_segmenter
    from spadework.training.state import TrainState

    recipe = plan.recipe
    if isinstance(state, TrainState) and isinstance(recipe, Recipe):
        export_model(state, recipe, plan.pairs, model, data_name, terms)
        return command("paint", "SKETCH.png", "--model", model)
    assert not isinstance(state, TrainState)
    assert not isinstance(recipe, Recipe)
    segmenter = export_segmenter(state, recipe, plan.pairs, model, data_name, terms)
    if plan.held_out:
        _measure(segmenter, plan.held_out, model)
    return command("label", "--from-photo", "PHOTO", "--segmenter", model)


def _measure(segmenter: "Segmenter", held_out: "Sequence[Sample]", model: Path) -> None:
    """Puts the figures of the held-out pairs on the card and tells them."""
    from spadework.evaluation.photos import measure_segmenter

    figures = measure_segmenter(segmenter, held_out)
    segmenter.with_metrics(figures).save(model)
    show_table(["measure", "value"], [[name, str(value)] for name, value in figures.items()])


def _pace(step: "Progress") -> str:
    minutes, seconds = divmod(int(step.seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{step.images_per_s:.1f} images/s, {hours}:{minutes:02}:{seconds:02} left"


def _losses(step: "Progress") -> str:
    return " ".join(f"{name} {step.losses[name]:.2f}" for name in MAIN_LOSSES if name in step.losses)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM has come. A second one no longer waits for the step to end."""
    asked = threading.Event()

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _list_recipes() -> None:
    """Settings down, recipes across."""
    from spadework.training.recipes import RECIPES, SEGMENTERS

    for recipes in (RECIPES, SEGMENTERS):
        made = [make() for make in recipes.values()]
        keys = [key for key in type(made[0]).model_fields if key != "name"]
        show_table(["setting", *recipes], [[key, *(str(getattr(r, key)) for r in made)] for key in keys])
