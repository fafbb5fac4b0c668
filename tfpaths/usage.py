"""The flags of the command line, in the groups in which `--help` shows them. Does not import TensorFlow."""

import dataclasses
import shutil
import textwrap

_SUMMARY = "Trains, evaluates, samples, exports and compares GANs. Every experiment has a name; --list shows them all."
_EXAMPLES = (
    ("Train the main experiment, and evaluate its samples:", "--exp=color_mnist_dragan_ns --steps=1500"),
    ("Change any field of its config:", "--exp=cifar10_wgan_gp --set variant.penalty.weight=5 --workdir=runs/weight_5"),
    ("Your own images:", "--exp=folder_dragan_ns --set data.path=DIRECTORY --set data.image_size=128"),
    ("Try several values of a field:", "--exp=color_mnist_gan_gp --sweep variant.penalty.weight=1,10,100"),
    ("Sample a finished run:", "--mode=sample --workdir=runs/weight_5 --num_samples=64 --out=samples.png"),
    ("Compare two runs on one page:", "--mode=report --workdir=runs/weight_5 --workdir=runs/color_mnist_dragan_ns"),
)
_COMMAND = "python -m tfpaths.launch"


@dataclasses.dataclass(frozen=True)
class Flag:
    """A flag of the command line.

    Attributes:
      name: The name, without `--`.
      value: The placeholder after `=` in `--help`; "" for a switch.
      text: What the flag does, as `--help` shows it.
      default: The value if the flag is not given; False for a switch, a list for a flag that may be repeated.
      default_text: The default as `--help` shows it, if it differs from `default`.

    Example:
      >>> Flag("mode", "MODE", "What to do.", "train").help
      'What to do. Default: train.'
    """

    name: str
    value: str
    text: str
    default: str | bool | list[str] | None = None
    default_text: str = ""

    @property
    def help(self) -> str:
        """What the flag does, whether it may be repeated, and its default."""
        default = self.default_text or (self.default if isinstance(self.default, str) else "")
        repeatable = " Repeatable." if isinstance(self.default, list) else ""
        return f"{self.text}{repeatable}{f' Default: {default}.' if default else ''}"


GROUPS: dict[str, tuple[Flag, ...]] = {
    "What to run": (
        Flag("exp", "NAME", "The experiment. With --list, a pattern such as 'color_mnist_*'."),
        Flag("list", "", "Lists the experiments: name, kind, description.", False),
        Flag("mode", "MODE", "One of train (and evaluate at the end), evaluate, sample, export, report.", "train"),
        Flag("workdir", "DIRECTORY", "The run directory; more than one with --mode=report.", [], "runs/NAME"),
        Flag("import", "MODULE", "Imports your module, which registers losses, penalties, data sets and so on.", []),
        Flag("debug", "", "Shows the whole traceback of an error, and TensorFlow's messages at its start.", False),
    ),
    "Change the experiment (train, evaluate)": (
        Flag("steps", "INTEGER", "Generator updates in all.", None, "the experiment's"),
        Flag("batch_size", "INTEGER", "Examples in a batch, over all devices.", None, "the experiment's"),
        Flag("seed", "INTEGER", "The run's seed. With --mode=sample, the latents'.", None, "the experiment's; 0"),
        Flag("precision", "NAME", "One of float32, mixed_bfloat16, mixed_float16, auto.", None, "the experiment's"),
        Flag("set", "PATH=VALUE", "Sets any other field of the config, such as variant.penalty.weight=5.", []),
    ),
    "Data (train, evaluate)": (
        Flag("data_dir", "DIRECTORY", "Prepared TFDS data.", None, "TFDS_DATA_DIR, then TFDS's own directory"),
        Flag("source", "NAME", "Where digits come from: auto, tfds (MNIST) or embedded (UCI digits).", None, "auto"),
    ),
    "Devices (train, evaluate)": (
        Flag("strategy", "NAME", "One of auto, one_device, mirrored, multi_worker, tpu.", "auto"),
        Flag("tpu", "NAME", "The TPU's name or address, with --strategy=tpu."),
        Flag("cluster_timeout", "SECONDS", "How long the workers of multi_worker wait for each other.", None, "300"),
        Flag("profile", "", "Traces ten steps of training for TensorBoard's profiler.", False),
    ),
    "Sweeps (train)": (
        Flag(
            "sweep", "PATH=VALUES", "Tries several values of a field: v1,v2 or log(low,high) or uniform(low,high).", []
        ),
        Flag("trials", "INTEGER", "How many settings are drawn.", None, "every combination of listed values"),
        Flag("engine", "NAME", "What runs the trials: local processes, or a ray cluster.", None, "local"),
        Flag("jobs", "INTEGER", "How many processes at once.", None, "one for each GPU, or core"),
        Flag("shard", "i/n", "Runs only this part of the trials, i from 0 to n - 1."),
        Flag("yes", "", "Allows more than 100,000 trials.", False),
    ),
    "Sample and report": (
        Flag("num_samples", "INTEGER", "How many samples.", None, "64"),
        Flag(
            "out", "PATH", "With sample: a .png (of texts a .txt), a .npz or a directory. With report: the .html file."
        ),
        Flag("interpolate", "", "Rows of eight samples, from one latent to another.", False),
        Flag("refine", "INTEGER", "Langevin steps that refine each sample.", None, "as many as the game makes"),
        Flag("member", "INTEGER", "Samples or exports only this generator of a mix.", None, "all of the mix"),
        Flag("overwrite", "", "Replaces a file at --out.", False),
        Flag("trust", "", "Loads a SavedModel whatever it contains; a stranger's can read and write files.", False),
    ),
}


def text(width: int | None = None) -> str:
    """Returns what `--help` prints.

    Args:
      width: Characters in a line, at most 120; None for the terminal's width.

    Example:
      >>> text(60).splitlines()[0]
      'Trains, evaluates, samples, exports and compares GANs. Every'
    """
    width = min(width or shutil.get_terminal_size().columns, 120)
    lines = [*textwrap.wrap(_SUMMARY, width), "", "Examples:"]
    for what, flags in _EXAMPLES:
        lines += [f"  {what}", f"    {_COMMAND} {flags}"]
    for group, members in GROUPS.items():
        lines += ["", f"{group}:"]
        for flag in members:
            name = f"  --{flag.name}{f'={flag.value}' if flag.value else ''}"
            lines += textwrap.wrap(flag.help, width, initial_indent=f"{name:<29}", subsequent_indent=" " * 29)
    return "\n".join(
        [*lines, "", "docs/quickstart.md explains each flag. The error for an unknown name suggests the nearest one."]
    )
