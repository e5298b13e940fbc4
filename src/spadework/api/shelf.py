"""Several models by name, as many of them in memory as fit; the one used longest ago makes room."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

from spadework.engine import Engine, model_file
from spadework.fast.cpu import CACHE_BYTES
from spadework.files import Fault
from spadework.model import ModelCard
from spadework.modelfile import read_model
from spadework.service.faults import Refusal

COPIES = 8
"""Bytes that a weight takes: float32, once as it was and once as the processor wants it."""


def memory_of(path: str | os.PathLike[str]) -> tuple[ModelCard, int]:
    """The card of a model file, and about how many bytes an engine of it takes with all its tables.

    Raises ValueError for what is no model.
    """
    card, tensors = read_model(model_file(path), ModelCard)
    return card, COPIES * sum(tensor.numel() for tensor in tensors.values()) + CACHE_BYTES


class Shelf:
    """Models by name; engines are loaded when they are asked for. `first` is the one of requests without."""

    def __init__(
        self,
        models: Mapping[str, str | os.PathLike[str]],
        memory: int | None = None,
        load: Callable[[str | os.PathLike[str]], Engine] = Engine.load,
    ) -> None:
        """`memory`: bytes for all engines, if limited. Raises ValueError for no models, and larger ones."""
        if not models:
            raise Fault("no model came", "name one with --model")
        self._paths, self._memory, self._load = dict(models), memory, load
        read = {name: memory_of(path) for name, path in models.items()}
        self.cards = {name: card for name, (card, _) in read.items()}
        self._needs = {name: needed for name, (_, needed) in read.items()}
        for name, needed in self._needs.items():
            if memory is not None and needed > memory:
                raise Fault(
                    f"model {name} takes {needed / 2**30:.1f} GiB, for all there are {memory / 2**30:.1f}",
                    "give a larger --memory",
                )
        self.first = next(iter(models))
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._lock = threading.Lock()
        self._check: Callable[[], None] | None = None

    def watch(self, check: Callable[[], None]) -> None:
        """Engines ask this between the steps of long work; what it raises ends it."""
        self._check = check
        for engine in self._engines.values():
            self._watched(engine)

    @property
    def loaded(self) -> list[str]:
        """The names of the models in memory, the one used last at the end."""
        return list(self._engines)

    def named(self, name: str | None) -> str:
        """The name of a model, the first one's for None. Raises Refusal 404."""
        if name is None:
            return self.first
        if name not in self.cards:
            raise Refusal(404, f"No model {name} is served here", f"Choose of {', '.join(self.cards)}.")
        return name

    def engine(self, name: str) -> Engine:
        """The engine of a model, loaded if need be; others leave until it fits."""
        with self._lock:
            if name not in self._engines:
                while self._engines and not self._fits(name):
                    self._engines.popitem(last=False)
                self._engines[name] = self._watched(self._load(self._paths[name]))
            self._engines.move_to_end(name)
            return self._engines[name]

    def _fits(self, name: str) -> bool:
        needed = sum(self._needs[loaded] for loaded in self._engines) + self._needs[name]
        return self._memory is None or needed <= self._memory

    def _watched(self, engine: Engine) -> Engine:
        if engine.enlarger is not None and self._check is not None:
            engine.enlarger.check = self._check
        return engine
