"""Several processes that train the same networks, each on its part of every batch.

What a batch has in common (means of a norm, counts of classes) is summed over all processes, and gradients go
the same way back. One process alone sums nothing, and computes as if this module were not there.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from spadework.nn.recompute import repeating

T = TypeVar("T")

PATIENCE = timedelta(hours=2)
"""So long the others may wait for one, which may have to decode all photos first."""


class PeerLost(ValueError):
    """Another process of the training has ended."""

    def __init__(self) -> None:
        super().__init__(
            "another process of this training has ended, its own lines say why: start all of them again with "
            "--resume; what was saved last is whole"
        )


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is; number 0 writes."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def join(device: str) -> str:
    """Meets the processes that torchrun started; the device of this one: its own card, or the CPU.

    Raises ValueError where there are fewer cards than processes.
    """
    local, cards = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if device == "cuda":
        if local >= cards:
            here = os.environ.get("LOCAL_WORLD_SIZE", "several")
            raise ValueError(
                f"{here} processes on a host with {cards} GPUs: torchrun --nproc-per-node {cards}"
            )
        torch.cuda.set_device(local)
        device = f"cuda:{local}"
    dist.init_process_group("cpu:gloo,cuda:nccl" if device != "cpu" else "gloo", timeout=PATIENCE)
    return device


def leave() -> None:
    """Every process goes its own way."""
    if count() > 1:
        dist.destroy_process_group()


def _exchanged(exchange: Callable[[], T]) -> T:
    try:
        return exchange()
    except RuntimeError as error:  # of gloo and of NCCL
        raise PeerLost from error


def _summed(x: Tensor) -> Tensor:
    y = x.detach().clone(memory_format=torch.contiguous_format)
    _exchanged(lambda: dist.all_reduce(y))
    return y


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return _summed(x)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        return _summed(grads[0])


def total(x: Tensor) -> Tensor:
    """Sum over the processes, differentiable: each one's loss is a part of the whole."""
    return x if count() == 1 else _Total.apply(x)


def mean(x: Tensor) -> Tensor:
    """Mean over the processes, differentiable; every process has as many pictures."""
    return x if count() == 1 else total(x) / count()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Every gradient becomes its mean over the processes, in one exchange for each precision."""
    if count() == 1:
        return
    by_dtype: dict[torch.dtype, list[Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            by_dtype.setdefault(parameter.grad.dtype, []).append(parameter.grad)
    for grads in by_dtype.values():
        whole = _summed(torch.cat([grad.flatten() for grad in grads])) / count()
        for grad, part in zip(grads, whole.split([grad.numel() for grad in grads]), strict=True):
            grad.copy_(part.view(grad.shape))


def averaged(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Losses as those of the whole batch."""
    if count() == 1:
        return dict(losses)
    values = _summed(torch.stack([value.double() for value in losses.values()])) / count()
    return dict(zip(losses, values.unbind(), strict=True))


def anyone(flag: bool) -> bool:
    """Whether the flag is up in any process."""
    return flag if count() == 1 else bool(_summed(torch.tensor(int(flag))))


def from_first(make: Callable[[], T]) -> T:
    """What process 0 makes, in every process; its error is raised in all of them."""
    if count() == 1:
        return make()
    told: list[Any] = [None, None]
    if rank() == 0:
        try:
            told[0] = make()
        except (OSError, ValueError) as error:
            told[1] = str(error)
            _exchanged(lambda: dist.broadcast_object_list(told))
            raise
    _exchanged(lambda: dist.broadcast_object_list(told))
    if told[1] is not None:
        raise ValueError(told[1])
    return told[0]


def alike(networks: Iterable[nn.Module]) -> None:
    """Every process gets the weights of process 0."""
    if count() == 1:
        return
    for network in networks:
        for value in network.state_dict().values():
            _exchanged(lambda value=value: dist.broadcast(value, 0))


class BatchNorm(nn.BatchNorm2d):
    """Batch norm over the pictures of all processes; on any device, as PyTorch's own is not."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W), in each process as many -> the same."""
        x = input
        if self.training and repeating() and count() == 1:
            middle, spread = (None if t is None else t.clone() for t in (self.running_mean, self.running_var))
            return F.batch_norm(x, middle, spread, self.weight, self.bias, training=True, eps=self.eps)
        if not self.training or count() == 1:
            return super().forward(x)
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        middle = mean(exact.mean((0, 2, 3)))
        centred = exact - middle[:, None, None]
        variance = mean(centred.square().mean((0, 2, 3)))
        self.remember(middle.detach(), variance.detach(), x.numel() // x.shape[1])
        out = (centred * (variance + self.eps).rsqrt()[:, None, None]).to(x.dtype)
        return out if self.weight is None else out * self.weight[:, None, None] + self.bias[:, None, None]

    def remember(self, middle: Tensor, variance: Tensor, pixels: int) -> None:
        """Moves the running statistics towards those (C,) of a batch with so many pixels in each process."""
        if repeating():
            return
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        seen = pixels * count()
        self.running_mean.lerp_(middle.to(self.running_mean.dtype), share)
        unbiased = variance * (seen / max(1, seen - 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), share)
