"""Which pictures of a batch a process trains on, and what it draws for them.

Several processes share every batch. They draw the same random numbers, for all of its pictures, and each uses
those of its own: so a batch is the same batch whether one process trains on it or many.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from spadework.nn import together


@dataclass(frozen=True)
class Roles:
    """How many pictures of a batch, from its front, are painted in others' styles, and how many have twins.

    Of an enlarger's batch the first `painted` are paintings.

    The first `swapped` maps get the styles of the last `swapped` photos; the first `twins` of them are
    the same as the next so many.
    """

    length: int
    swapped: int = 0
    twins: int = 0
    painted: int = 0

    def groups(self) -> list[range]:
        """Runs of pictures with one role; of each every process takes as many."""
        ends = [self.twins, 2 * self.twins, self.swapped]
        back = self.length - self.swapped
        bounds = [0, *ends, back, *(back + end for end in ends)]
        if self.painted:
            bounds = [0, self.painted, self.length]
        return [range(a, b) for a, b in pairwise(bounds) if b > a]

    def own(self, most: int | None = None) -> list[int]:
        """The pictures of this process, of the first `most`, in an order that keeps the roles."""
        count, rank = together.count(), together.rank()
        rows = []
        for group in self.groups():
            share = len(group) // count
            rows += group[rank * share : (rank + 1) * share]
        return rows if most is None else [row for row in rows if row < most]

    def demand_equal_shares(self) -> None:
        """ValueError where the processes cannot have as many pictures of every role."""
        count = together.count()
        if not self._fits(count):
            fitting = next(n for n in range(self.length, 1 << 20) if self._resized(n)._fits(count))
            raise ValueError(
                f"{count} processes cannot share {self.length} pictures (of these {self.swapped} in others' "
                f"styles and {self.twins} twins) equally: {fitting} would do; --set batch_size"
            )

    def _fits(self, count: int) -> bool:
        return not any(len(group) % count for group in self.groups())

    def _resized(self, length: int) -> "Roles":
        swapped, painted = (length * n // self.length for n in (self.swapped, self.painted))
        return Roles(length, swapped, swapped // 2 if self.twins else 0, painted)


def drawn(draw: Callable[[int], Tensor], roles: Roles, most: int | None = None) -> Tensor:
    """What `draw` makes for the whole batch, or its first `most` pictures: this process's rows of it."""
    values = draw(roles.length if most is None else most)
    return values if together.count() == 1 else values[roles.own(most)]


def batch_rows(parts: Sequence[Roles]) -> list[int] | None:
    """The pictures of this process in a batch that is computed in parts; None: all of them."""
    if together.count() == 1:
        return None
    rows, start = [], 0
    for roles in parts:
        roles.demand_equal_shares()
        rows += [start + row for row in roles.own()]
        start += roles.length
    return rows
