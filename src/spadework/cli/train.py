"""`spadework train`."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
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
    from spadework.training.journal import Progress
    from spadework.training.loop import Training
    from spadework.training.rundir import RunDir
    from spadework.training.state import State

LINE_EVERY = 30.0
"""Seconds between lines of progress where no bar can be drawn."""

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
    palette: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The classes of the label maps: a palette, or a .json file."),
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
    if show:
        return _list_recipes()
    where = _joined(device)
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    flags = _flags(typed)
    if flags and out is None and flags.name:
        out = Path(flags.checkpoints_dir) / flags.name
    if out is None:
        raise ValueError("no --out: name the folder of the run, for example --out runs/first")
    from spadework.training.rundir import RunDir

    run = RunDir(out)
    if first and (resume or flags):
        raise ValueError("--from begins a run of a RECIPE: leave out --resume and SPADE's own flags")
    if flags and palette:
        raise ValueError("--palette goes with a RECIPE: with --dataset_mode its data have their own classes")
    if flags:
        plan = plan_of_flags(flags, recipe, data, run, changes or [], resume)
    else:
        plan = plan_of_recipe(recipe, data, run, changes or [], resume, first or (), palette)
    training = _training(plan)
    state = _train(training, plan, run, where, deadline, compiled)
    if not _goes_on_alone():
        return
    in_time = deadline is not None and time.monotonic() >= deadline
    unfinished = state.images_seen < plan.recipe.total_images and not in_time
    if unfinished:
        again = command("train", *_place(flags, data), "--out", out, "--resume")
        tell(f"stopped after {state.images_seen:,} images, all is saved; go on with: {again}")
    exported = run.model(state.images_seen)
    where = flags.dataroot or flags.label_dir if flags else data
    data_name = _data_name(Path(where) if where else None)
    with run.surviving():
        trial = training.export(state, exported, data_name, terms)
        _measure(plan, exported)
    tell(f"model after {state.images_seen:,} images: {exported}")
    light = run.light(state.images_seen)
    with run.surviving():
        kept = training.keep(state, light)
    if kept:
        tell(f"to go on from it anywhere: {command('train', plan.recipe.name, '--from', light)}")
    tell(f"try it: {command(*trial)}")
    if unfinished:
        raise typer.Exit(INTERRUPTED)


def _joined(device: str) -> str:
    """The device to train on; under torchrun this process joins the others first."""
    from spadework.executor import device_of

    if os.environ.get("WORLD_SIZE", "1") in ("", "1"):
        return device_of(device)
    from spadework.nn import together

    return together.join(device_of(device))


def _goes_on_alone() -> bool:
    """After the last step: what is left to do is done by one process, and the others end."""
    from spadework.nn import together

    first = together.rank() == 0
    together.leave()
    return first


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


def _training(plan: Plan) -> "Training":
    """What is particular to the kind of networks that the plan's recipe makes."""
    from spadework.engine import model_file
    from spadework.model import load_checkpoint
    from spadework.training.enlarger_recipe import EnlargerRecipe
    from spadework.training.enlarging import EnlargerTraining
    from spadework.training.painting import PainterTraining
    from spadework.training.segmenter_recipe import SegmenterRecipe
    from spadework.training.segmenting import SegmenterTraining

    recipe, pairs, previews = plan.recipe, plan.pairs, plan.held_out
    if isinstance(recipe, SegmenterRecipe):
        return SegmenterTraining(recipe, pairs, previews)
    if isinstance(recipe, EnlargerRecipe):
        return EnlargerTraining(recipe, pairs, load_checkpoint(model_file(recipe.painter)), previews)
    return PainterTraining(recipe, pairs, previews)


def _train(
    training: "Training",
    plan: Plan,
    run: "RunDir",
    device: str,
    deadline: float | None,
    compiled: bool,
) -> "State":
    from spadework.fast.memory import keep_freed_memory
    from spadework.training.loop import train as train_until

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

        return train_until(
            training,
            run.root,
            resume=plan.resume,
            begin=plan.begin,
            listener=listen,
            stop=stop,
            device=device,
            deadline=deadline,
            compiled=compiled,
        )


def _measure(plan: Plan, model: Path) -> None:
    """Puts a segmenter's figures of the held-out pairs on its card and tells them."""
    from spadework.evaluation.photos import measure_segmenter
    from spadework.segmenter.segmenter import Segmenter
    from spadework.training.segmenter_recipe import SegmenterRecipe

    if not isinstance(plan.recipe, SegmenterRecipe) or not plan.held_out:
        return
    segmenter = Segmenter.load(model)
    figures = measure_segmenter(segmenter, plan.held_out)
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
