"""A training step of each variant at each size: tfpaths through `fit`, PyTorch and JAX.

    pip install torch jax flax optax && python -m benchmarks.steps [--turns=5] [--sizes=28,32,64] [--variants=ns,…]

Prints a table, and writes `benchmarks/results/steps.json` after each variant. Networks, losses, penalties, batches of
64 and the number of updates are the same; the peers are in `benchmarks/peers/`. All contenders of a variant are started
together, each in its own process with all cores, and take turns. A ratio is of one turn, and the median is over turns.
The same turns measure the machine's best float32 and bfloat16 matrix product, of 2,048 rows by PyTorch or TensorFlow.
Libraries that are not installed are left out. With `--bfloat16=auto`, bfloat16 is left out on a CPU whose float32
matrix product is faster.
"""

import statistics

from absl import app, flags

from benchmarks import fit, machine, noise, operations, spread, store, turns
from tfpaths import experiments

_TURNS = flags.DEFINE_integer("turns", 5, "Turns, at least 2: each measures every contender once.", lower_bound=2)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "Approximate length of a measurement, in seconds.")
_SIZES = flags.DEFINE_list("sizes", ["28", "32", "64"], "Sides of the images, in pixels.")
# The variants of the paper, which the peers have too.
_PAPER = ["minimax", "ns", "wgan", "wgan_gp", "gan_gp", "dragan", "dragan_ns"]
_VARIANTS = flags.DEFINE_list("variants", _PAPER, "Variants that the peers have.")
_BFLOAT16 = flags.DEFINE_enum("bfloat16", "auto", ["auto", "yes", "no"], "Whether bfloat16 is measured too.")
_LIBRARIES = flags.DEFINE_list("libraries", ["tensorflow", "torch", "flax"], "The libraries to measure.")
_NAME = flags.DEFINE_string("name", "steps", "The name of the file of results.")

_ROWS = 2048


def tfpaths(variant, side, precision):
    """Returns the contender of tfpaths."""
    return fit.contender(noise.experiment(variant, precision), noise.images(side))


def torch_step(variant, side, options):
    """Returns the contender of PyTorch."""
    from benchmarks.peers import torch_images

    return torch_images.build(experiments.get(f"cifar10_{variant}").variant, side, **options)


def flax_step(variant, side):
    """Returns the contender of JAX."""
    from benchmarks.peers import flax_images

    return flax_images.build(experiments.get(f"cifar10_{variant}").variant, side)


# Name -> (library, the function that makes the contender, its arguments after variant and side, precision).
CONTENDERS = {
    "tfpaths": ("tensorflow", tfpaths, ("float32",), "float32"),
    "tfpaths, mixed_bfloat16": ("tensorflow", tfpaths, ("mixed_bfloat16",), "bfloat16"),
    "PyTorch": ("torch", torch_step, ({"channels_last": False},), "float32"),
    "PyTorch, channels last": ("torch", torch_step, ({},), "float32"),
    "PyTorch, compiled": ("torch", torch_step, ({"compiled": True},), "float32"),
    "PyTorch, bfloat16": ("torch", torch_step, ({"bfloat16": True},), "bfloat16"),
    "PyTorch, bfloat16, compiled": ("torch", torch_step, ({"bfloat16": True, "compiled": True},), "bfloat16"),
    "JAX": ("flax", flax_step, (), "float32"),
}
PRODUCTS = {
    (library, precision): (library, make, (_ROWS, precision))
    for library, make in (("torch", turns.torch_product), ("tensorflow", turns.tensorflow_product))
    for precision in ("float32", "bfloat16")
}


def measure(variant, side, products, contenders):
    """Returns the measurements of one variant at one size."""
    running = {
        name: turns.Contender(library, make, (variant, side, *arguments), _SECONDS.value)
        for name, (library, make, arguments, _) in contenders.items()
    }
    times = turns.compete({**running, **products}, _TURNS.value)
    seconds = {key: values for key, values in times.items() if isinstance(key, str)}
    rates = {}
    for precision in ("float32", "bfloat16"):
        product_rates = [[2 * _ROWS**3 / s for s in times[key]] for key in times if key[1] == precision]
        # The better library's rate in each turn.
        rates[precision] = [max(turn) for turn in zip(*product_rates, strict=True)]
    about = {
        name: {
            "first_step_seconds": running[name].first,
            "memory": running[name].memory,
            "process_memory": running[name].process_memory,
        }
        for name in seconds
    }
    for contender in running.values():
        contender.close()
    return {"variant": variant, "side": side, "seconds": seconds, "contenders": about, "product_flops": rates}


def ratios(seconds, precision):
    """Returns the ratio of each turn: the fastest PyTorch contender's seconds over those of the fastest of tfpaths.

    Args:
      seconds: Contender -> its seconds in each turn.
      precision: Compares the contenders of this precision only; None compares all.
    """
    names = [name for name in seconds if precision is None or CONTENDERS[name][3] == precision]

    def quickest(ours):
        return min(
            (name for name in names if name.startswith("tfpaths") == ours and not name.startswith("JAX")),
            key=lambda name: statistics.median(seconds[name]),
        )

    return [peer / own for own, peer in zip(seconds[quickest(True)], seconds[quickest(False)], strict=True)]


def show(row):
    """Prints the measurements of one variant at one size."""
    seconds = row["seconds"]
    print(f"{row['variant']}, {row['side']}×{row['side']}: {row['operations'] / 1e9:.1f} GFLOP a step")
    for name, values in seconds.items():
        rates = row["product_flops"][CONTENDERS[name][3]]
        share = statistics.median(row["operations"] / s / rate for s, rate in zip(values, rates, strict=True))
        ratio = spread([s / own for s, own in zip(values, seconds["tfpaths"], strict=True)])
        memory = row["contenders"][name]["memory"] / 2**20
        milliseconds = spread([1e3 * s for s in values])
        print(f"  {name:<28}{milliseconds:>16} ms{ratio:>18} over ours{share:>6.0%} of peak{memory:>7.0f} MiB")
    if any(name.startswith("PyTorch") for name in seconds):
        for text, precision in (("float32", "float32"), ("any precision", None)):
            print(f"  best PyTorch over ours, {text}: {spread(ratios(seconds, precision))}", flush=True)


def main(argv):
    del argv
    products = {key: turns.Contender(library, *rest, 0.3) for key, (library, *rest) in PRODUCTS.items()}
    about = machine("tensorflow", "keras", "torch", "jax", "flax")
    quickest = {"float32": [], "bfloat16": []}
    for (_, precision), seconds in turns.compete(products, 3).items():
        quickest[precision] += seconds
    choice = _BFLOAT16.value
    half = choice == "yes" or (choice == "auto" and min(quickest["bfloat16"]) < min(quickest["float32"]))
    if not half:
        print(
            "bfloat16 is left out" + (": this machine's float32 matrix product is faster." if choice == "auto" else ".")
        )
    wanted_contenders = {
        name: entry
        for name, entry in CONTENDERS.items()
        if (half or entry[3] == "float32") and entry[0] in _LIBRARIES.value
    }
    rows = []
    for side in map(int, _SIZES.value):
        for variant in _VARIANTS.value:
            row = measure(variant, side, products, wanted_contenders)
            row["operations"] = sum(operations.count(variant, side).values())
            show(row)
            rows.append(row)
            store(_NAME.value, {**about, "steps": rows})
    for product in products.values():
        product.close()


if __name__ == "__main__":
    app.run(main)
