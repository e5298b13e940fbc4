"""Reads a reference file, computes here in float64 what it holds, and compares.

A file's tensors are either given (weights, inputs) or expected (outputs, gradients, losses, pictures): our
code makes the expected ones from the given ones, and `differences` compares them name by name.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from spadework import nvlabs
from spadework.data.sample import Batch
from spadework.fast.labels import ContextLabels
from spadework.training import losses
from spadework.training.inputs import Inputs
from spadework.training.painter_recipe import Recipe
from spadework.training.state import TrainState, new_state
from spadework.training.steps import step_discriminator, step_generator

EXACT = 1e-9
ROUNDED = 1e-6  # what a file keeps as float32 of a longer float64 computation
Computed = dict[str, Tensor]
Way = Callable[["Reference"], Iterator[Computed]]
LOSSES = {"GAN": "g_gan", "GAN_Feat": "g_feat", "D_real": "d_real", "D_Fake": "d_fake"}


@dataclass(frozen=True)
class Reference:
    """A file: its header, each value decoded, and its tensors."""

    name: str
    header: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def family(self) -> str:
        """losses, training_step or a kind of network; ValueError for a file of no known form."""
        names = self.tensors.keys()
        if any(name.startswith("before.") for name in names):
            return "training_step"
        if any(name.startswith("state.") for name in names):
            return nvlabs.kind_of(self.under("state."))
        if "mu" in names or any(name.startswith("real.") for name in names):
            return "losses"
        raise ValueError(
            f"{self.name}: no family has tensors like {sorted(names)[:4]}; known are networks (state.NAME, "
            "input.N, output.N), losses (real.S.L, fake.S.L, mu, logvar), training_step (before.*, batchN.*)"
        )

    @property
    def given(self) -> list[str]:
        """Names of weights and inputs."""
        given = re.compile(GIVEN.get(self.family, r"state\.|input\."))
        return [name for name in self.tensors if given.match(name)]

    @property
    def expected(self) -> list[str]:
        """Names of everything else, which our code must reproduce."""
        given = set(self.given)
        return [name for name in self.tensors if name not in given]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, without the prefix."""
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}

    def expecting(self, pattern: str) -> "Reference":
        """A copy that expects only what begins so."""
        kept = {*self.given, *(name for name in self.expected if re.match(pattern, name))}
        return replace(self, tensors={k: v for k, v in self.tensors.items() if k in kept})

    def with_tensors(self, **changed: Tensor) -> "Reference":
        """A copy with some tensors replaced."""
        return replace(self, tensors={**self.tensors, **changed})

    def write(self, path: Path) -> None:
        """Writes it as a file of the same form."""
        save_file(self.tensors, path, {k: json.dumps(v) for k, v in self.header.items()})


GIVEN = {"losses": r"(real|fake)\.|mu$|logvar$", "training_step": r"before\.|batch\d+\."}


def read(path: Path) -> Reference:
    """Reads a reference file."""
    with safe_open(path, "pt") as file:
        header = {k: json.loads(v) for k, v in (file.metadata() or {}).items()}
        return Reference(path.name, header, {k: file.get_tensor(k) for k in file.keys()})  # noqa: SIM118


def differences(reference: Reference, compute: Way | None = None) -> dict[str, str]:
    """Name -> what differs, for all that the file expects and our code does not reproduce.

    `compute` is the way through our code, by default the plain one. AssertionError or ValueError when the
    file cannot be compared at all.
    """
    family, expected = reference.family, reference.expected
    assert expected, f"{reference.name}: nothing to compare with"
    found: dict[str, str] = {}
    for computed in (compute or COMPUTE.get(family, compute_network))(reference):
        unknown = [name for name in expected if name not in computed]
        assert not unknown, f"{reference.name}: nothing here corresponds to {unknown[:4]} of a {family} file"
        for name in expected:
            told = compare(computed[name], reference.tensors[name], tolerance(family, name))
            found |= {name: told} if told else {}
        if found:
            break
    return found


def tolerance(family: str, name: str) -> float:
    """Absolute and relative; the training step keeps gradients and weights as float32."""
    return ROUNDED if family == "training_step" and re.match(r"after\.|grad\d+\.", name) else EXACT


def compare(ours: Tensor, theirs: Tensor, within: float) -> str:
    """What differs by more than `within`, absolute plus relative, or "". A scalar may be a vector."""
    ours = ours.detach().double()
    ours = ours.reshape(theirs.shape) if theirs.numel() == ours.numel() == 1 else ours
    try:
        torch.testing.assert_close(ours, theirs.double(), rtol=within, atol=within)
    except AssertionError as error:
        return str(error)
    return ""


def flatten(outputs: Any) -> Iterator[Tensor]:
    """The tensors of nested lists and tuples, in order."""
    if isinstance(outputs, Tensor):
        yield outputs
    else:
        for part in outputs:
            yield from flatten(part)


def compute_network(
    reference: Reference,
    run: Callable[[nn.Module, list[Tensor]], Any] = lambda network, inputs: network(*inputs),
) -> Iterator[Computed]:
    """Outputs, and the gradients of sum over outputs of (output * linspace(-1, 1)).sum().

    `run` gives the file's inputs to the network.
    """
    kind = reference.family
    network = nvlabs.build(kind, reference.header, reference.under("state.")).double()
    given = reference.under("input.")
    inputs = [given[str(i)].double().requires_grad_() for i in range(len(given))]
    outputs = list(flatten(run(network, inputs)))
    scalar = sum((x * torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view_as(x)).sum() for x in outputs)
    scalar.backward()
    computed = {f"output.{i}": x for i, x in enumerate(outputs)}
    absent = computed.keys() - reference.tensors.keys()
    assert not absent, f"{reference.name} lacks {sorted(absent)}, which a {kind} returns"
    computed |= {f"grad_input.{i}": x.grad for i, x in enumerate(inputs) if x.grad is not None}
    yield computed | {f"grad.{k}": v for k, v in gradients(network, kind, reference.under("state.")).items()}


def gradients(network: nn.Module, kind: str, names: Iterable[str]) -> Computed:
    """Published name -> gradient, for the names that are parameters."""
    parameters = dict(network.named_parameters())
    ours = {name: parameters.get(nvlabs.our_name(kind, name)) for name in names}
    return {k: p.grad.clone() for k, p in ours.items() if p is not None and p.grad is not None}


def compute_losses(reference: Reference) -> Iterator[Computed]:
    """All losses of the file's scores, features and style."""
    real, fake = scales(reference.under("real.")), scales(reference.under("fake."))
    computed = {}
    if real and fake:
        scores = [[scale[-1] for scale in side] for side in (real, fake)]
        for name, (loss_d, loss_g) in losses.GAN_LOSSES.items():
            computed[f"{name}_g"] = loss_g(scores[1])
            computed[f"{name}_d_real"], computed[f"{name}_d_fake"] = loss_d(*scores)
        matching = losses.feature_matching([s[:-1] for s in real], [s[:-1] for s in fake])
        for name in reference.tensors:
            if match := re.fullmatch(r"feature_matching_lambda(\d+)", name):
                computed[name] = int(match[1]) * matching
    if "mu" in reference.tensors:
        computed["kld"] = losses.kl(reference.tensors["mu"], reference.tensors["logvar"])
    yield computed


def scales(numbered: dict[str, Tensor]) -> list[list[Tensor]]:
    """SCALE.LAYER -> layers of every scale, in order."""
    pairs = sorted(tuple(map(int, name.split("."))) for name in numbered)
    count = 1 + max((s for s, _ in pairs), default=-1)
    return [[numbered[f"{s}.{layer}"].double() for t, layer in pairs if t == s] for s in range(count)]


def recipe_of(options: dict[str, Any], contexts: bool) -> Recipe:
    """Our recipe for a file's training options, with the labels dense or as contexts."""
    assert not options.get("perceptual"), "a perceptual term needs weights that no file holds"
    assert not options.get("use_vae"), "a style is drawn at random, which no file holds"
    ratio = round(options["D_lr"] / options["G_lr"], 9)
    assert ratio in (1, 4), f"learning rates are 1:1, or 1:4 with two time scales, not 1:{ratio}"
    size = nvlabs.GeneratorOptions(semantic_nc=1, norm_G="spadebatch3x3", **shape_of(options)).config()
    return Recipe(
        name="reference",
        label_nc=options["label_nc"],
        unknown=options["contain_dontcare_label"],
        edges=options["instance_edges"],
        size=size.size,
        num_ups=size.num_ups,
        ngf=options["ngf"],
        ndf=options["ndf"],
        scales=options.get("num_D", 2),
        z_dim=None,
        gan_loss=options["gan_mode"],
        lambda_feat=options["lambda_feat"],
        lr=options["G_lr"] * (2 if ratio == 4 else 1),
        ttur=ratio == 4,
        betas=options["betas"],
        precision="float32",
        contexts=contexts,
        total_images=1,
    )


def shape_of(options: dict[str, Any]) -> dict[str, Any]:
    """The options that say how large the pictures are."""
    return {k: options[k] for k in ("crop_size", "aspect_ratio", "num_upsampling_layers") if k in options}


def trainer(reference: Reference, recipe: Recipe) -> TrainState:
    """A state of our training with the file's first weights, in float64."""
    state = new_state(recipe)
    state.networks.double()
    state.objective.discriminator.double()
    for kind, network, letter in networks(state):
        nvlabs.load(network, kind, reference.under(f"before.{letter}."))
    return state


def networks(state: TrainState) -> list[tuple[str, nn.Module, str]]:
    """(kind, network, its letter in the file)."""
    return [("generator", state.generator, "G"), ("discriminator", state.objective.discriminator, "D")]


def inputs_of(reference: Reference, recipe: Recipe, iteration: int) -> Inputs:
    """A batch through the gate that training uses, then float64."""
    batch = reference.under(f"batch{iteration}.")
    labels, instances = batch["label"][:, 0].to(torch.uint8), batch.get("instance")
    instances = None if instances is None else instances[:, 0].int()
    names = [str(i) for i in range(len(labels))]
    inputs = Inputs.of(Batch(labels, batch["image"].double(), instances, names), recipe)
    segmap = inputs.segmap.double()
    return replace(inputs, segmap=segmap, painted=ContextLabels(segmap, inputs.painted.levels))


def compute_training(reference: Reference) -> Iterator[Computed]:
    """Whole iterations of our training code: losses, pictures, gradients, and the weights after them."""
    for contexts in (False, True):
        recipe = recipe_of(reference.header["options"], contexts)
        state = trainer(reference, recipe)
        computed: Computed = {}
        for i in range(len({name.split(".")[0] for name in reference.tensors if name.startswith("batch")})):
            parts = [inputs_of(reference, recipe, i)]
            terms, paintings = step_generator(state, recipe, parts)
            terms |= step_discriminator(state, recipe, parts, paintings=None)
            computed[f"fake{i}"] = paintings[0].image
            computed |= {f"loss{i}.{k}": terms[v].double() for k, v in LOSSES.items()}
            computed |= by_letter(state, reference, f"grad{i}", gradients)
        yield computed | by_letter(state, reference, "after", weights)


def by_letter(state: TrainState, reference: Reference, what: str, read: Callable[..., Computed]) -> Computed:
    """WHAT.LETTER.NAME -> tensor, of both networks."""
    return {
        f"{what}.{letter}.{name}": value
        for kind, network, letter in networks(state)
        for name, value in read(network, kind, reference.under(f"before.{letter}.")).items()
    }


def weights(network: nn.Module, kind: str, names: Iterable[str]) -> Computed:
    """Published name -> parameter or buffer."""
    state = network.state_dict()
    return {name: state[nvlabs.our_name(kind, name)] for name in names}


COMPUTE: dict[str, Way] = {
    "losses": compute_losses,
    "training_step": compute_training,
}
