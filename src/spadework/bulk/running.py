"""A batch from end to end: what is painted is stored once, and told in the manifest."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

from spadework.bulk.manifest import Manifest, Row
from spadework.bulk.outputs import Output
from spadework.bulk.tasks import Painting, Task
from spadework.files import Fault


def stored(
    paintings: Generator[list[Painting]], todo: Sequence[Task], output: Output, manifest: Manifest
) -> Iterator[list[Row]]:
    """Stores what comes of tasks, each once however often it comes; yields the rows of what came.

    What an output holds back is on the disk when this ends or is closed. Raises ValueError where some tasks
    came to nothing.
    """
    missing = {(task.item.name, task.seed) for task in todo}
    try:
        with closing(paintings):
            for group in paintings:
                new = [one for one in group if (one.row.item, one.row.seed) in missing]
                missing -= {(one.row.item, one.row.seed) for one in new}
                manifest.add(output.put(new))
                yield [one.row for one in new]
    finally:
        manifest.add(output.close())
    if missing:
        raise Fault(f"{len(missing)} pictures did not come back", "type the same command again, it goes on")
