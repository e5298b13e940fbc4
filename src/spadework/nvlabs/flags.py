"""The published command lines: their flags, their defaults, and what they mean here. No torch."""

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Width = Literal["normal", "more", "most"]


class ShapeFlags(BaseModel):
    """Flags that shape a network. None: as the data set's preset has it, or as the weights show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label_nc: int | None = Field(None, description="Number of classes, without the unknown one.")
    contain_dontcare_label: bool = Field(False, description="Id 255 is a class of its own: unknown.")
    no_instance: bool = Field(False, description="No channel for the edges of instances.")
    crop_size: int | None = Field(None, description="Width that is painted, in pixels.")
    aspect_ratio: float | None = Field(None, description="Width / height that is painted.")
    num_upsampling_layers: Width | None = Field(
        None, description="normal, more or most: 5, 6 or 7 doublings."
    )


class ImportFlags(ShapeFlags):
    """Flags of import, for what weights and preset do not say."""

    which_epoch: str = Field("latest", description="Which of a folder's checkpoints.")


class DataFlags(ShapeFlags):
    """Flags that test and train share."""

    name: str | None = Field(None, description="Name of the experiment: its folder in --checkpoints_dir.")
    dataset_mode: str | None = Field(None, description="coco, ade20k, cityscapes, facades or custom.")
    dataroot: str | None = Field(None, description="Folder of the data set.")
    label_dir: str | None = Field(None, description="Label maps, with --dataset_mode custom.")
    image_dir: str | None = Field(None, description="Photos, with --dataset_mode custom.")
    instance_dir: str | None = Field(None, description="Instance maps, with --dataset_mode custom.")
    checkpoints_dir: str = Field("./checkpoints", description="Folder of the checkpoints.")
    gpu_ids: str = Field("0", description="-1 paints on the CPU; else a GPU where there is one.")
    preprocess_mode: str | None = Field(None, description="How pictures get their size.")
    load_size: int | None = Field(None, description="Size to which pictures are scaled.")
    batchSize: int | None = Field(None, description="Pictures per step (test: one, whatever is given).")
    ngf: int | None = Field(None, description="Width unit of the generator.")
    norm_G: str | None = Field(None, description="Such as spectralspadesyncbatch3x3.")
    use_vae: bool = Field(False, description="With a style.")
    z_dim: int | None = Field(None, description="Length of the style.")
    phase: str | None = Field(None, description="Which files of the data set: train, val or test.")


class TestFlags(DataFlags):
    """Flags of test alone."""

    __test__ = False  # no class of pytest's

    results_dir: str = Field("./results/", description="Folder of the results.")
    which_epoch: str = Field("latest", description="Which of the checkpoints.")
    how_many: int | None = Field(None, description="Paint the first so many maps.")


class TrainFlags(DataFlags):
    """Flags of train alone; epochs are turned into images."""

    niter: int = Field(50, description="Epochs at the full learning rate.")
    niter_decay: int = Field(0, description="Epochs in which it falls to zero.")
    lr: float = Field(2e-4, description="Learning rate of Adam.")
    beta1: float = Field(0.0, description="Decay of Adam's first average.")
    beta2: float = Field(0.9, description="Decay of Adam's second average.")
    no_TTUR: bool = Field(False, description="One learning rate for both networks.")
    gan_mode: Literal["hinge", "ls", "original"] = Field("hinge", description="Adversarial loss.")
    no_ganFeat_loss: bool = Field(False, description="No feature matching.")
    no_vgg_loss: bool = Field(False, description="No perceptual loss (nor is there one without --set vgg).")
    lambda_feat: float = Field(10.0, description="Weight of feature matching.")
    lambda_vgg: float = Field(10.0, description="Weight of the perceptual loss.")
    lambda_kld: float = Field(0.05, description="Weight of the style's KL divergence.")
    ndf: int = Field(64, description="Width unit of the discriminator.")
    nef: int = Field(64, description="Accepted; the published encoder has the width of --ngf.")
    num_D: int = Field(2, description="Scales of the discriminator.")
    no_flip: bool = Field(False, description="No mirrored pairs.")
    continue_train: bool = Field(
        False, description="Go on with the run, or from the published checkpoint in its folder."
    )
    which_epoch: str = Field("latest", description="Which of the published checkpoints.")


class Ignored(NamedTuple):
    """Whether a value follows a published flag that changes nothing here, and why it does not."""

    valued: bool
    why: str


IGNORED: dict[str, Ignored] = {
    "batch_size": Ignored(True, "--batchSize says how many pictures a step has"),
    "cache_filelist_read": Ignored(False, "files are listed anew, which is quick"),
    "cache_filelist_write": Ignored(False, "files are listed anew, which is quick"),
    "debug": Ignored(False, "there is no debug mode"),
    "display_freq": Ignored(True, "--set sample_every says when samples are drawn"),
    "display_winsize": Ignored(True, "pages show pictures at their size"),
    "init_type": Ignored(True, "layers begin as the paper has it, or by --set init_gain"),
    "init_variance": Ignored(True, "--set init_gain says it"),
    "max_dataset_size": Ignored(True, "all files are taken; test takes --how_many"),
    "model": Ignored(True, "there is one model, pix2pix"),
    "nThreads": Ignored(True, "loading has threads of its own"),
    "netD": Ignored(True, "there is one discriminator, multiscale"),
    "netG": Ignored(True, "there is one generator, spade"),
    "no_html": Ignored(False, "the page costs nothing"),
    "no_pairing_check": Ignored(False, "partners must have one name"),
    "norm_D": Ignored(True, "the discriminator has spectral and instance norm"),
    "norm_E": Ignored(True, "the encoder has spectral and instance norm"),
    "optimizer": Ignored(True, "the optimiser is Adam"),
    "output_nc": Ignored(True, "pictures have three channels"),
    "print_freq": Ignored(True, "progress is shown all the time"),
    "save_epoch_freq": Ignored(True, "--set save_every says when states are saved"),
    "save_latest_freq": Ignored(True, "--set save_every says when states are saved"),
    "serial_batches": Ignored(False, "--set seed decides the order; test keeps the files' order"),
    "tf_log": Ignored(False, "curves are written where TensorBoard is installed"),
}
"""Published flags that change nothing here."""


def shaped(flags: ShapeFlags, preset: Any) -> Any:
    """The preset with the classes and the size that the flags state."""
    return preset.changed(
        label_nc=flags.label_nc,
        contain_dontcare_label=flags.contain_dontcare_label or None,
        instances=preset.instances and not flags.no_instance,
        crop_size=flags.crop_size,
        aspect_ratio=flags.aspect_ratio,
    )


def chosen(flags: DataFlags, preset: Any) -> Any:
    """The preset as the flags have it."""
    return shaped(flags, preset).changed(
        preprocess_mode=flags.preprocess_mode,
        load_size=flags.load_size or flags.crop_size or None,
        train_load_size=flags.load_size,
    )
