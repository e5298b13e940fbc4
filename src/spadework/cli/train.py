"""`spadework train`."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.loading import Device
from spadework.cli.planning import Plan, plan_of_flags, plan_of_recipe
from spadework.cli.published import checked, published
from spadework.cli.telling import INTERRUPTED, bar, command, show_table, tell
from spadework.nvlabs.flags import IGNORED, TrainFlags

if TYPE_CHECKING:
    from spadework.data.sample import Sample
    from spadework.segmenter.segmenter import Segmenter
    from spadework.training.journal import Progress
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
    first: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Begin with the weights of a model (a shipped one's name, or a file), a light state or a "
            "discriminator; may be given more than once.",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="End by the clock after so many minutes, with the learning rate at zero."
        ),
    ] = None,
    device: Device = "auto",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the networks first: pays on a GPU after a few minutes.")
    ] = False,
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
    make is printed. --from fine-tunes a model, for which a new discriminator learns first, or goes on from
    the light state that every run leaves beside its model.
    """
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    if show:
        return _list_recipes()
    _demand_one_process()
    flags = _flags(typed)
    if flags and out is None and flags.name:
        out = Path(flags.checkpoints_dir) / flags.name
    if out is None:
        raise ValueError("no --out: name the folder of the run, for example --out runs/first")
    from spadework.training.recipes import SEGMENTERS
    from spadework.training.rundir import RunDir

    if recipe in SEGMENTERS:
        _demand_cpu(device, deadline)
    run = RunDir(out)
    if first and (resume or flags):
        raise ValueError("--from begins a run of a RECIPE: leave out --resume and SPADE's own flags")
    if flags:
        plan = plan_of_flags(flags, recipe, data, run, changes or [], resume)
    else:
        plan = plan_of_recipe(recipe, data, run, changes or [], resume, first or ())
    state = _train(plan, run, device, deadline, compiled)
    in_time = deadline is not None and time.monotonic() >= deadline
    unfinished = state.images_seen < plan.recipe.total_images and not in_time
    if unfinished:
        again = command("train", *_place(flags, data), "--out", out, "--resume")
        tell(f"stopped after {state.images_seen:,} images, all is saved; go on with: {again}")
    exported = run.model(state.images_seen)
    where = flags.dataroot or flags.label_dir if flags else data
    data_name = _data_name(Path(where) if where else None)
    with run.surviving():
        trial = _export(state, plan, exported, data_name, terms)
    tell(f"model after {state.images_seen:,} images: {exported}")
    with run.surviving():
        light = _keep_light(state, plan, run)
    if light:
        tell(f"to go on from it anywhere: {command('train', plan.recipe.name, '--from', light)}")
    tell(f"try it: {trial}")
    if unfinished:
        raise typer.Exit(INTERRUPTED)


def _demand_one_process() -> None:
    """Raises ValueError under torchrun, whose processes would all write into one run."""
    count = os.environ.get("WORLD_SIZE", "1")
    if count not in ("", "1"):
        raise ValueError(
            f"torchrun started {count} processes, and a training is one process, on one device: start it "
            "once, with spadework train"
        )


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


def _data_name(data: Path | None) -> str:
    """For the card; nobody's folders above the data are told."""
    return "procedural toy landscapes" if data is None else data.resolve().name


def _train(
    plan: Plan, run: "RunDir", device: str, deadline: float | None, compiled: bool
) -> "TrainState | SegmenterState":
    from spadework.engine import device_of, model_file
    from spadework.fast.memory import keep_freed_memory
    from spadework.model import load_checkpoint
    from spadework.training.enlarger_recipe import EnlargerRecipe
    from spadework.training.enlarging import train_enlarger
    from spadework.training.loop import train as train_painter
    from spadework.training.segmenter_recipe import SegmenterRecipe
    from spadework.training.segmenting import train_segmenter

    keep_freed_memory()  # of this process, so not of a library's call
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
        if isinstance(plan.recipe, SegmenterRecipe):
            _demand_cpu(device, deadline)
            return train_segmenter(plan.recipe, plan.pairs, run.root, **told_to)
        previews = [plan.held_out[i] for i in range(min(PREVIEWS, len(plan.held_out)))]
        told_to |= {"previews": previews, "begin": plan.begin}
        told_to |= {"device": device_of(device), "deadline": deadline, "compiled": compiled}
        if isinstance(plan.recipe, EnlargerRecipe):
            painter = load_checkpoint(model_file(plan.recipe.painter))
            return train_enlarger(plan.recipe, plan.pairs, run.root, painter, **told_to)
        return train_painter(plan.recipe, plan.pairs, run.root, **told_to)


def _demand_cpu(device: str, deadline: float | None) -> None:
    """ValueError for what a segmenter's training does not know."""
    if device not in ("auto", "cpu") or deadline is not None:
        raise ValueError("segmenters train on the CPU to the end: leave out --device and --minutes")


def _keep_light(state: "TrainState | SegmenterState", plan: Plan, run: "RunDir") -> Path | None:
    """Writes the light state of a painter's training."""
    from spadework.training.lightstate import write_light
    from spadework.training.painter_recipe import Recipe
    from spadework.training.state import TrainState

    if not isinstance(state, TrainState) or not isinstance(plan.recipe, Recipe):
        return None
    write_light(run.light(state.images_seen), state, plan.recipe)
    return run.light(state.images_seen)


def _export(state: "TrainState | SegmenterState", plan: Plan, model: Path, data_name: str, terms: str) -> str:
    """Writes the model file; returns the command that tries it."""
    from spadework.training.enlarger_recipe import EnlargerRecipe
    from spadework.training.enlarging import export_enlarger
    from spadework.training.export import export_model
    from spadework.training.painter_recipe import Recipe
    from spadework.training.segmenter_recipe import SegmenterRecipe
    from spadework.training.segmenting import export_segmenter
    from spadework.training.state import TrainState

    recipe = plan.recipe
    if isinstance(state, TrainState) and isinstance(recipe, Recipe):
        export_model(state, recipe, plan.pairs, model, data_name, terms)
        return command("paint", "SKETCH.png", "--model", model)
    if isinstance(state, TrainState) and isinstance(recipe, EnlargerRecipe):
        export_enlarger(state, recipe, model, data_name, terms)
        return command("paint", "SKETCH.png", "--upscale", 2, "--enlarger", model)
    assert not isinstance(state, TrainState)
    assert isinstance(recipe, SegmenterRecipe)
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
    share = "" if step.peak_share is None else f" ({step.peak_share:.0%} of the card's peak)"
    return f"{step.images_per_s:.1f} images/s{share}, {hours}:{minutes:02}:{seconds:02} left"


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
    from spadework.training.recipes import ENLARGERS, RECIPES, SEGMENTERS

    for recipes in (RECIPES, SEGMENTERS, ENLARGERS):
        made = [make() for make in recipes.values()]
        keys = [key for key in type(made[0]).model_fields if key != "name"]
        show_table(["setting", *recipes], [[key, *(str(getattr(r, key)) for r in made)] for key in keys])
