"""What a batch is to paint, and what became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spadework.bulk.items import Item
from spadework.bulk.manifest import Row
from spadework.files import Fault


@dataclass(frozen=True)
class Task:
    """A picture that is wanted, and its name below the place where pictures go."""

    item: Item
    seed: int
    picture: str


@dataclass(frozen=True)
class Painting:
    """What became of a task: its row, and unless it failed the picture as a PNG and the map as it came."""

    row: Row
    png: bytes = b""
    labels: bytes = b""


def tasks_of(items: Iterable[Item], seeds: Sequence[int], dots: bool = True) -> list[Task]:
    """Every map with every seed: NAME.png, or NAME-SEED.png where there are more seeds.

    `dots=False` makes dots in NAME underscores: a sample of WebDataset ends its name at the first one.
    Raises ValueError where two pictures would have one name.
    """
    tasks: dict[str, Task] = {}
    for item in items:
        folder, slash, name = item.name.rpartition("/")
        name = folder + slash + (name if dots else name.replace(".", "_"))
        for seed in seeds:
            picture = f"{name}.png" if len(seeds) == 1 else f"{name}-{seed}.png"
            if picture in tasks:
                both = f"{tasks[picture].item.name} and {item.name}"
                raise Fault(f"{both} would both become {picture}", "rename one, or paint them apart")
            tasks[picture] = Task(item, seed, picture)
    return list(tasks.values())
