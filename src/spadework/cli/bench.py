"""`spadework bench`."""

import json as text
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from spadework.cli.loading import Threads, use_threads
from spadework.cli.telling import complain, tell
from spadework.files import atomic_write

if TYPE_CHECKING:
    from spadework.bench.batch import BatchCase
    from spadework.bench.engine import EngineCase, Options
    from spadework.bench.frames import FirstCase, FramesCase
    from spadework.bench.studio import StudioCase
    from spadework.bench.train import TrainCase

HONEST = 0.65
"""The dense baseline must reach this share of the speed of a lone convolution."""


def bench(
    what: Annotated[
        Literal["engine", "train", "studio", "batch"],
        typer.Argument(help="Painting, training steps, strokes in a browser, or bulk painting."),
    ],
    cases: Annotated[
        list[str] | None, typer.Option("--case", metavar="NAME", help="Only cases whose names begin so.")
    ] = None,
    repeats: Annotated[int, typer.Option(metavar="N", help="Runs of every version on every map.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="The shipped model's shape on three maps, once: about a minute.")
    ] = False,
    published: Annotated[
        bool, typer.Option(help="Also run the network as it was published, which is slow.")
    ] = True,
    compile: Annotated[
        bool, typer.Option(help="Let dense use torch.compile where that is faster; compiling takes minutes.")
    ] = True,
    memory: Annotated[
        bool, typer.Option(help="Also measure the memory of every version, in processes of their own.")
    ] = True,
    threads: Threads = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the figures as JSON; - prints nothing else.")
    ] = None,
) -> None:
    """Measure our speed beside a plain dense network of the same weights.

    All versions run in turns, in one process; batch measures that command beside a plain loop of `paint`;
    studio needs chromium and playwright, and measures from a stroke to its picture, how soon a fresh server
    shows one, and how evenly a large sheet moves. The maps are those of the folder that SPADEWORK_DATA names,
    and the example sketches; cases without their maps are left out.
    """
    if repeats < 1:
        raise ValueError(f"--repeats {repeats}: give 1 or more")
    use_threads(threads)
    from spadework.bench.engine import Options
    from spadework.bench.machine import machine

    thorough = Options(repeats, published, compile, memory)
    options = Options(1, published=False, compile=False, memory=False, most=3) if quick else thorough
    kinds = {"engine": _engine, "train": _train, "studio": _studio, "batch": _batch}
    rows: list[EngineCase | TrainCase | StudioCase | FirstCase | FramesCase | BatchCase] = []
    for row in kinds[what](cases, quick, options):
        rows.append(row)
        if json != "-":
            _tell_all(row.lines())
    figures: dict[str, Any] = {"machine": machine(), "cases": [row.model_dump() for row in rows]}
    if what == "engine":
        figures["baseline"] = _baseline(rows)
    if json == "-":
        tell(text.dumps(figures, indent=1))
        return
    if json is not None:
        atomic_write(json, f"{text.dumps(figures, indent=1)}\n".encode())
    if "baseline" in figures:
        _tell_baseline(figures["baseline"])
    tell(", ".join(f"{key} {value}" for key, value in figures["machine"].items()))


def _tell_all(lines: list[str]) -> None:
    for line in lines:
        tell(line)


def _chosen(module: Any, cases: list[str] | None, quick: bool) -> list[Any]:
    """The scenarios of a module of the bench that are asked for."""
    scenarios = [scenario for scenario in module.SCENARIOS if not quick or scenario.name in module.QUICK]
    if not cases:
        return scenarios
    found = [scenario for scenario in (*scenarios, *module.SMOKE) if scenario.name.startswith(tuple(cases))]
    if not found:
        known = ", ".join(dict.fromkeys(scenario.name for scenario in scenarios))
        raise ValueError(f"no case begins with {' or '.join(cases)}: known are {known}")
    return found


def _engine(cases: list[str] | None, quick: bool, options: "Options") -> "Iterator[EngineCase]":
    from spadework.bench import engine

    return engine.run(_chosen(engine, cases, quick), options)


def _train(cases: list[str] | None, quick: bool, options: "Options") -> "Iterator[TrainCase]":
    from spadework.bench import train

    return train.run(_chosen(train, cases, quick), options.repeats, options.memory)


def _batch(cases: list[str] | None, quick: bool, options: "Options") -> "Iterator[BatchCase]":
    from spadework.bench import batch

    return batch.run(_chosen(batch, cases, quick), options.repeats)


def _studio(
    cases: list[str] | None, quick: bool, options: "Options"
) -> "Iterator[StudioCase | FirstCase | FramesCase]":
    from spadework.bench import frames, studio

    studio.browser_file()
    known: dict[str, Callable[[], StudioCase | FirstCase | FramesCase]] = {
        "studio": studio.measure,
        "first-picture": frames.measure_first,
        "large-sheet": frames.measure_frames,
    }
    chosen = [name for name in known if not cases or name.startswith(tuple(cases))]
    if not chosen:
        raise ValueError(f"no case begins with {' or '.join(cases or ())}: known are {', '.join(known)}")
    for name in chosen:
        yield known[name]()


def _baseline(rows: "Sequence[Any]") -> dict[str, float]:
    """How fast dense multiplies, beside a lone convolution in the same run."""
    from spadework.bench.baseline import gigaflops, multiply_adds
    from spadework.bench.shapes import SHAPES

    shapes = {(shape.name, shape.semantics.semantic_nc): shape for shape in SHAPES.values()}
    lone = gigaflops()
    figures = {"lone_conv_gflops": lone}
    for shape in shapes.values():
        fitting = [
            row.dense_s for row in rows if row.shape == shape.name and shape.name in ("coco", "ade20k")
        ]
        if fitting:
            figures[f"{shape.name}_dense_gflops"] = 2 * multiply_adds(shape) / min(fitting) / 1e9
    return figures


def _tell_baseline(baseline: dict[str, float]) -> None:
    lone = baseline["lone_conv_gflops"]
    tell(f"a lone 3x3 convolution of 1024 channels: {lone:.0f} GFLOP/s")
    for name, value in baseline.items():
        if name.endswith("dense_gflops"):
            tell(
                f"{name.removesuffix('_dense_gflops')} dense: {value:.0f} GFLOP/s, {value / lone:.0%} of that"
            )
            if value < HONEST * lone:
                complain(
                    f"dense reached less than {HONEST:.0%} of the lone convolution: this run is no proof"
                )
