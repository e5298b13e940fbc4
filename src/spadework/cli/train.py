"""`spadework train`."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.affording import afford
from spadework.cli.planning import Plan, plan_of_flags, plan_of_recipe
from spadework.cli.published import checked, published
from spadework.cli.telling import INTERRUPTED, command, show_table, tell
from spadework.cli.watching import train_watched
from spadework.nvlabs.flags import IGNORED, TrainFlags

if TYPE_CHECKING:
    from spadework.training.loop import Training
    from spadework.training.runconfig import RunConfig
    from spadework.training.rundir import RunDir
    from spadework.training.state import State

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
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps; else auto.")
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the networks first: pays on a GPU after a few minutes.")
    ] = False,
    terms: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What the data's terms allow; it goes on the model's card."),
    ] = None,
    track: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Keep figures and grids with wandb or mlflow too; may be repeated."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A run.yaml that says all this; what is typed wins over it."),
    ] = None,
    plan_only: Annotated[
        bool,
        typer.Option(
            "--plan", help="Tell memory, images/s and the time to the end by a few steps, and stop."
        ),
    ] = False,
    memory: Annotated[
        str | None,
        typer.Option(metavar="GB", help="Fit into so much: 8, 12, 24, 80, ..., or auto: what there is."),
    ] = None,
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
    from spadework.nn.together import from_first
    from spadework.training.recipes import parsed
    from spadework.training.runconfig import NAME
    from spadework.training.rundir import RunDir
    from spadework.training.tracking import demand_installed

    given = {"recipe": recipe, "data": data, "palette": palette, "out": out, "starts": first or None}
    given |= {"minutes": minutes, "device": device, "terms": terms, "track": track or None}
    given |= {"settings": parsed(changes or []), "flags": typed, "compile": compiled or None}
    asked = _asked(given, config, resume)
    if plan_only or memory:
        asked = afford(asked, memory, resume)
    if plan_only:
        return
    demand_installed(asked.track)
    where = _joined(asked.device)
    deadline = None if asked.minutes is None else time.monotonic() + 60 * asked.minutes
    flags = _flags(asked.flags)
    run = RunDir(_folder(asked, flags))
    plan = _plan(asked, flags, run, resume)
    if asked.compile and getattr(plan.recipe, "recompute", False):
        raise ValueError("--compile and recompute=true exclude each other: leave one of them out")
    training = _training(plan)
    asked = asked.model_copy(update={"terms": _terms(asked)})
    if not plan.resume:
        from_first(lambda: run.describe(NAME, asked.text()))
    state = train_watched(training, plan, run, where, deadline, asked.compile, asked.track)
    if not _goes_on_alone():
        return
    in_time = deadline is not None and time.monotonic() >= deadline
    unfinished = state.images_seen < plan.recipe.total_images and not in_time
    if unfinished:
        again = command("train", *_place(flags, asked.data), "--out", run.root, "--resume")
        tell(f"stopped after {state.images_seen:,} images, all is saved; go on with: {again}")
    _leave(training, state, plan, run, _data_name(flags, asked.data), asked.terms)
    if unfinished:
        raise typer.Exit(INTERRUPTED)


def _asked(given: dict[str, Any], config: Path | None, resume: bool) -> "RunConfig":
    """What is typed, over what a file says: that of --config, or of the run that is resumed."""
    from spadework.training.runconfig import NAME, RunConfig

    values = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
    typed = checked(RunConfig, {key: value for key, value in values.items() if value not in (None, {})})
    if resume and config is None and typed.out and not typed.flags:
        config = Path(typed.out) / NAME
        config = config if config.is_file() else None
    if config is None:
        return typed
    told = RunConfig.read(config)
    return typed.over(told.going_on() if resume else told)


def _folder(asked: "RunConfig", flags: TrainFlags | None) -> str:
    """Of the run."""
    if asked.out is not None:
        return asked.out
    if flags and flags.name:
        return str(Path(flags.checkpoints_dir) / flags.name)
    raise ValueError("no --out: name the folder of the run, for example --out runs/first")


def _plan(asked: "RunConfig", flags: TrainFlags | None, run: "RunDir", resume: bool) -> Plan:
    if asked.starts and (resume or flags):
        raise ValueError("--from begins a run of a RECIPE: leave out --resume and SPADE's own flags")
    if flags and asked.palette:
        raise ValueError("--palette goes with a RECIPE: with --dataset_mode its data have their own classes")
    data = Path(asked.data) if asked.data else None
    if flags:
        return plan_of_flags(flags, asked.recipe, data, run, asked.settings, resume)
    return plan_of_recipe(asked.recipe, data, run, asked.settings, resume, asked.starts, asked.palette)


def _leave(
    training: "Training", state: "State", plan: Plan, run: "RunDir", data_name: str, terms: str
) -> None:
    """The model, its figures and the light state; what to do with them is told."""
    exported, light = run.model(state.images_seen), run.light(state.images_seen)
    with run.surviving():
        trial = training.export(state, exported, data_name, terms)
        _measure(plan, exported)
    tell(f"model after {state.images_seen:,} images: {exported}")
    with run.surviving():
        kept = training.keep(state, light)
    if kept:
        tell(f"to go on from it anywhere: {command('train', plan.recipe.name, '--from', light)}")
    tell(f"try it: {command(*trial)}")


def _terms(asked: "RunConfig") -> str:
    """Those of the data, and of the weights that the run begins with."""
    from spadework.engine import model_file
    from spadework.model import ModelCard
    from spadework.modelfile import is_model, read_model

    terms = asked.terms
    for start in asked.starts:
        path = model_file(start)
        card = read_model(path, ModelCard)[0] if is_model(path) else None
        begun = f"model {card.name} ({card.licence_weights})" if card else f"{path.name} (ask who trained it)"
        if begun not in terms:  # a run that is repeated by its file has them already
            terms += f"; begun with the weights of {begun}"
    return terms


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


def _place(flags: TrainFlags | None, data: str | None) -> list[str]:
    """The words that name the data once more."""
    if flags is None:
        return ["--data", data] if data else []
    stated = {name: value for name in OF_THE_DATA if (value := getattr(flags, name)) not in (None, False)}
    return [
        word
        for name, value in stated.items()
        for word in ([f"--{name}"] if value is True else [f"--{name}", str(value)])
    ]


def _data_name(flags: TrainFlags | None, data: str | None) -> str:
    """For the card; nobody's folders above the data are told."""
    where = flags.dataroot or flags.label_dir if flags else data
    return Path(where).resolve().name if where else "procedural toy landscapes"


def _training(plan: Plan) -> "Training":
    from spadework.engine import model_file
    from spadework.model import load_checkpoint
    from spadework.training.kinds import training_of

    return training_of(plan.recipe, plan.pairs, plan.held_out, lambda name: load_checkpoint(model_file(name)))


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


def _list_recipes() -> None:
    """Settings down, recipes across."""
    from spadework.training.recipes import ENLARGERS, RECIPES, SEGMENTERS

    for recipes in (RECIPES, SEGMENTERS, ENLARGERS):
        made = [make() for make in recipes.values()]
        keys = [key for key in type(made[0]).model_fields if key != "name"]
        show_table(["setting", *recipes], [[key, *(str(getattr(r, key)) for r in made)] for key in keys])
