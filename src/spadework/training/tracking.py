"""Where figures and sample grids go besides the run's folder: TensorBoard, Weights & Biases, MLflow."""

import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from spadework.files import Fault, atomic_write
from spadework.nn import together
from spadework.picture import Picture
from spadework.training.rundir import RunDir
from spadework.training.settings import RunSettings

PACKAGES = {"wandb": "wandb", "mlflow": "mlflow"}
"""What may be asked for, and the module it needs."""

PROJECT = "spadework"
"""What runs stand under at a service."""


class Tracker(Protocol):
    """What keeps figures and grids of a run."""

    def figures(self, values: Mapping[str, float], images: int) -> None:
        """Named figures after so many images."""
        ...

    def picture(self, path: Path, picture: Picture, images: int) -> None:
        """The sample grid after so many images, and where it lies."""
        ...

    def close(self) -> None:
        """Nothing more comes in this session."""
        ...


def demand_installed(services: Sequence[str]) -> None:
    """ValueError where the package of one of them is missing, before a training begins."""
    for service in services:
        if service not in PACKAGES:
            raise Fault(f"--track {service} is unknown", f"give {' or '.join(PACKAGES)}")
        if find_spec(PACKAGES[service]) is None:
            raise Fault(
                f"--track {service} needs the package {service}, which is not installed",
                "pip install 'spadework[track]'",
            )


@contextmanager
def following(run: RunDir, recipe: RunSettings, services: Sequence[str]) -> Iterator[list[Tracker]]:
    """TensorBoard, where it is installed, and those services; none in any process but the first.

    A run that a service knows already goes on there, whether or not it is asked for again.
    """
    kept = [] if together.rank() else _trackers(run, recipe, services)
    try:
        yield kept
    except BaseException:
        for tracker in kept:
            with suppress(Exception):  # what ended the training is to be told
                tracker.close()
        raise
    for tracker in kept:
        tracker.close()


def _trackers(run: RunDir, recipe: RunSettings, services: Sequence[str]) -> list[Tracker]:
    known = _known(run)
    wanted = [service for service in PACKAGES if service in {*services, *known}]
    demand_installed(wanted)
    made: list[Tracker] = [*_tensorboard(run)]
    for service in wanted:
        tracker = MAKERS[service](run, recipe, known.get(service))
        known[service] = tracker.id
        made.append(tracker)
    if wanted:
        with run.surviving():
            atomic_write(run.tracked, json.dumps(known).encode())
    return made


def _known(run: RunDir) -> dict[str, str]:
    """The names of the run at the services; none for a new one."""
    with suppress(OSError, ValueError):
        return dict(json.loads(run.tracked.read_bytes()))
    return {}


class _TensorBoard:
    """Curves and grids in the folder `tensorboard`."""

    def __init__(self, run: RunDir, writer: Any) -> None:
        self.run, self.writer = run, writer

    def figures(self, values: Mapping[str, float], images: int) -> None:
        with self.run.surviving():
            for name, value in values.items():
                self.writer.add_scalar(name, value, images)

    def picture(self, path: Path, picture: Picture, images: int) -> None:
        with self.run.surviving():
            self.writer.add_image("samples", picture.pixels, images, dataformats="HWC")

    def close(self) -> None:
        with self.run.surviving():
            self.writer.close()


def _tensorboard(run: RunDir) -> list[_TensorBoard]:
    """None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return []
    if not isinstance(threading.excepthook, _Quiet):
        threading.excepthook = _Quiet(threading.excepthook)
    with run.surviving():
        return [_TensorBoard(run, SummaryWriter(str(run.root / "tensorboard")))]


@dataclass(frozen=True)
class _Quiet:
    """TensorBoard writes in a thread, and raises its faults once more in ours: told once is enough."""

    before: Callable[[Any], object]

    def __call__(self, args: Any) -> None:
        if type(args.thread).__name__ != "_AsyncWriterThread" or not isinstance(args.exc_value, OSError):
            self.before(args)


class _Wandb:
    """A run of Weights & Biases, online or not as WANDB_MODE says; its files lie in the run's folder."""

    def __init__(self, run: RunDir, recipe: RunSettings, known: str | None) -> None:
        import wandb

        self.wandb, self.id = wandb, known or secrets.token_hex(4)
        try:
            self.run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                name=run.root.resolve().name,
                id=self.id,
                resume="allow",
                dir=run.root,
                config=recipe.model_dump(mode="json"),
                settings=wandb.Settings(silent=True, console="off"),
            )
        except wandb.Error as error:
            raise Fault(
                f"Weights & Biases takes no run ({_line(error)})",
                "type wandb login, or set WANDB_MODE=offline",
            ) from error
        self.run.define_metric(
            "*", step_metric="images"
        )  # its own steps may never go back, a resumed run may

    def figures(self, values: Mapping[str, float], images: int) -> None:
        self.run.log(dict(values) | {"images": images})

    def picture(self, path: Path, picture: Picture, images: int) -> None:
        self.run.log({"samples": self.wandb.Image(picture.pixels), "images": images})

    def close(self) -> None:
        self.run.finish()


class _Mlflow:
    """A run of MLflow at MLFLOW_TRACKING_URI, else in the folder `mlruns` of the run."""

    def __init__(self, run: RunDir, recipe: RunSettings, known: str | None) -> None:
        from mlflow import MlflowClient, exceptions

        self.fault = exceptions.MlflowException
        where = os.environ.get("MLFLOW_TRACKING_URI")
        if where is None:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # of a folder, which needs no data base
            where = (run.root.resolve() / "mlruns").as_uri()
        try:
            self.client = MlflowClient(where)
            self.id = known or self._begun(run, recipe)
            self.client.update_run(self.id, status="RUNNING")
        except self.fault as error:
            raise Fault(
                f"MLflow takes no run at {where} ({_line(error)})", "check MLFLOW_TRACKING_URI"
            ) from error

    def _begun(self, run: RunDir, recipe: RunSettings) -> str:
        """A new run's name at the service."""
        from mlflow.entities import Param

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = self.client.get_experiment_by_name(name)
        number = self.client.create_experiment(name) if experiment is None else experiment.experiment_id
        begun = self.client.create_run(number, run_name=run.root.resolve().name).info.run_id
        values = recipe.model_dump(mode="json")
        self.client.log_batch(begun, params=[Param(key, str(value)[:6000]) for key, value in values.items()])
        return begun

    def figures(self, values: Mapping[str, float], images: int) -> None:
        from time import time

        from mlflow.entities import Metric

        now = int(1000 * time())
        metrics = [Metric(name, value, now, images) for name, value in values.items()]
        self._send(lambda: self.client.log_batch(self.id, metrics))

    def picture(self, path: Path, picture: Picture, images: int) -> None:
        self._send(lambda: self.client.log_artifact(self.id, str(path), "samples"))

    def close(self) -> None:
        self._send(lambda: self.client.set_terminated(self.id))

    def _send(self, call: Callable[[], object]) -> None:
        """A server that is away for a while ends no training: the run's folder has everything."""
        try:
            call()
        except self.fault as error:
            logging.getLogger(__name__).warning("MLflow did not take it: %s", _line(error))


MAKERS: dict[str, Callable[[RunDir, RunSettings, str | None], Any]] = {"wandb": _Wandb, "mlflow": _Mlflow}


def _line(error: Exception) -> str:
    """The first line of what a package says."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
