"""A training step of `text_wgan_gp` at the width of the authors' code: tfpaths through `fit`, and PyTorch.

    pip install torch && python -m benchmarks.text [--turns=3] [--width=512] [--precisions=float32,bfloat16]

Texts of 32 of 76 characters, batches of 64, ten updates of the critic, float32 and bfloat16. Networks, loss, penalty,
optimisers and the number of updates are the same; the peer is `benchmarks/peers/torch_text.py`: `nn.Conv1d`,
`nn.Conv2d` of one row with channels last, and compiled. The contenders take turns, each in its own process with all
cores; a ratio is of one turn, the best of a library is its contender with the smallest median, and the table has
medians. Prints it and writes `benchmarks/results/text.json`.

A step needs at least 6.2e12 floating-point operations: a pass of one network through a batch 64 x 32 x 10 x 5 x 512 x
512 multiplications, an update of the critic 11 passes (fake texts 1, loss 6, penalty 4), one of the generator 5.
"""

import os
import statistics

from absl import app, flags

from benchmarks import fit, machine, peers, spread, store, turns
from tfpaths import experiments

_TURNS = flags.DEFINE_integer("turns", 3, "Turns, at least 2: each measures every contender once.", lower_bound=2)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "Least length of a measurement, in seconds; it has at least one step.")
_WIDTH = flags.DEFINE_integer("width", 512, "Channels of the networks.", lower_bound=1)
_PRECISIONS = flags.DEFINE_list("precisions", ["float32", "bfloat16"], "One or both of float32 and bfloat16.")
flags.register_validator("precisions", lambda names: 0 < len(names) == len(set(names) & {"float32", "bfloat16"}))
_CLOCK = flags.DEFINE_enum("clock", "wall", turns.CLOCKS, "What is measured; `processor` on a machine with other work.")
_NAME = flags.DEFINE_string("name", "text", "The name of the file of results.")

LENGTH, CHARACTERS = 32, 76


def experiment(width):
    """Returns the experiment; its data set is not used."""
    value = experiments.get("text_wgan_gp")
    return value.replace(networks=value.networks.replace(width=width))


def tfpaths(width, precision):
    """Returns the contender of tfpaths in a precision, on as many random texts as the peer has."""
    import numpy as np

    from tfpaths.data import strings

    places = np.random.default_rng(0).integers(0, CHARACTERS, (peers.BATCH * peers.BATCHES, LENGTH), dtype=np.uint8)
    alphabet = "".join(map(chr, range(32, 32 + CHARACTERS)))
    return fit.contender(
        experiment(width).replace(precision=precision), strings.one_hot("noise", "train", "drawn", places, alphabet)
    )


def torch_step(width, options):
    """Returns a contender of PyTorch."""
    from benchmarks.peers import torch_text

    value = experiment(width)
    return torch_text.build(value.variant, value.networks, LENGTH, CHARACTERS, **options)


def contenders(precision):
    """Returns name -> (library, the function that makes the contender, its arguments after the width)."""
    end, policy = ("", "float32") if precision == "float32" else (", bfloat16", "mixed_bfloat16")
    found = {f"tfpaths{end}": ("tensorflow", tfpaths, (policy,))}
    for compiled in (False, True):
        for channels_last in (False, True):
            name = f"PyTorch{', channels last' * channels_last}{', compiled' * compiled}{end}"
            options = {"channels_last": channels_last, "compiled": compiled, "bfloat16": precision == "bfloat16"}
            found[name] = ("torch", torch_step, (options,))
    return found


def best(seconds, library):
    """Returns the contender of a library with the smallest median, None if there is none.

    Args:
      seconds: Contender -> its seconds of a step in each turn.
      library: How its name begins: `tfpaths` or `PyTorch`.

    Example:
      >>> best({"tfpaths": [1.0], "PyTorch": [2.0], "PyTorch, compiled": [1.5]}, "PyTorch")
      'PyTorch, compiled'
    """
    names = [name for name in seconds if name.startswith(library)]
    return min(names, key=lambda name: statistics.median(seconds[name]), default=None)


def show(seconds):
    """Prints the table."""
    fastest = seconds[best(seconds, "tfpaths")]
    for name, values in seconds.items():
        ratio = spread([value / own for value, own in zip(values, fastest, strict=True)])
        print(f"{name:<34}{spread([1e3 * value for value in values]):>18} ms{ratio:>18} over ours", flush=True)
    print(f"the best: {best(seconds, 'tfpaths')!r} and {best(seconds, 'PyTorch')!r}")


def main(argv):
    del argv
    width = _WIDTH.value
    running = {
        name: turns.Contender(library, make, (width, *arguments), _SECONDS.value)
        for precision in _PRECISIONS.value
        for name, (library, make, arguments) in contenders(precision).items()
    }
    seconds = turns.compete(running, _TURNS.value, _CLOCK.value)
    about = {name: {"first_step_seconds": running[name].first, "memory": running[name].memory} for name in seconds}
    for contender in running.values():
        contender.close()
    show(seconds)
    value = experiment(width)
    content = {
        "load": os.getloadavg()[2],
        "clock": _CLOCK.value,
        "length": LENGTH,
        "characters": CHARACTERS,
        "width": width,
        "batch_size": value.schedule.batch_size,
        "discriminator_steps": value.variant.discriminator_steps,
        "contenders": about,
        "seconds": seconds,
    }
    store(_NAME.value, {**machine("tensorflow", "keras", "torch"), **content})


if __name__ == "__main__":
    app.run(main)
