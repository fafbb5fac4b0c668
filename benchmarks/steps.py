"""A training step of each variant at each size: ours through `fit`, beside PyTorch and JAX.

    pip install torch jax flax optax && python -m benchmarks.steps [--turns=5] [--sizes=28,32,64] [--variants=ns,…]

Prints a table and writes `benchmarks/results/steps.json`, after each variant anew. Networks, losses, penalties, batches
of 64 and the number of updates are the same; the peers are in `benchmarks/peers/`. All contenders of a variant are
alive at once, each in a process of its own on all cores, and take turns; a ratio is of one turn's own measurements, and
the median is over turns. Beside them, in the same turns, the machine's best float32 and bfloat16 matrix product, of
2,048 rows by PyTorch or by TensorFlow. What is not installed is left out; so is bfloat16, with `--bfloat16=auto`, on a
processor whose float32 matrix product is the faster one.
"""

import statistics

from absl import app, flags

from benchmarks import machine, noise, operations, spread, store, turns
from tfpaths import experiments
from tfpaths.experiments.variants import VARIANTS

_TURNS = flags.DEFINE_integer("turns", 5, "Rounds in which each is measured once, at least 2.", lower_bound=2)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "About how long a measurement takes.")
_SIZES = flags.DEFINE_list("sizes", ["28", "32", "64"], "Pixels.")
_VARIANTS = flags.DEFINE_list("variants", [], "Variants; all of them if none is named.")
_BFLOAT16 = flags.DEFINE_enum("bfloat16", "auto", ["auto", "yes", "no"], "Whether bfloat16 is measured too.")
_LIBRARIES = flags.DEFINE_list("libraries", ["tensorflow", "torch", "flax"], "Whose contenders take part.")
_NAME = flags.DEFINE_string("name", "steps", "Of the file of results.")

_ROWS = 2048


def tfpaths(variant, side, precision):
    """Ours: `fit` goes on in a thread, and waits where it has made as many steps as were asked for."""
    import threading

    from tfpaths import startup

    startup.import_tensorflow()
    import keras

    from tfpaths.runs import build

    go, done = threading.Semaphore(0), threading.Semaphore(0)

    class Gate(keras.callbacks.Callback):
        left = 0

        def on_train_batch_begin(self, batch, logs=None):
            if self.left == 0:
                done.release()
                go.acquire()
            self.left -= 1

    gate, images = Gate(), noise.images(side)
    value = noise.experiment(variant, precision)
    gan = build.build(value, images.shape)
    batches = images.batches(value.schedule.batch_size)
    fit = lambda: gan.fit(batches, steps_per_epoch=10**9, verbose=0, callbacks=[gate])  # noqa: E731
    threading.Thread(target=fit, daemon=True).start()
    done.acquire()

    def advance(steps):
        gate.left = steps
        go.release()
        done.acquire()

    return advance


def torch_step(variant, side, options):
    from benchmarks.peers import torch_images

    return torch_images.build(experiments.get(f"cifar10_{variant}").variant, side, **options)


def flax_step(variant, side):
    from benchmarks.peers import flax_images

    return flax_images.build(experiments.get(f"cifar10_{variant}").variant, side)


# Name -> (library, what makes it, its arguments after variant and size, precision).
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
    """What is known of one variant at one size."""
    made = {
        name: turns.Contender(library, make, (variant, side, *arguments), _SECONDS.value)
        for name, (library, make, arguments, _) in contenders.items()
    }
    found = turns.compete({**made, **products}, _TURNS.value)
    seconds = {key: values for key, values in found.items() if isinstance(key, str)}
    rates = {}
    for precision in ("float32", "bfloat16"):
        of_all = [[2 * _ROWS**3 / s for s in found[key]] for key in found if key[1] == precision]
        rates[precision] = [max(turn) for turn in zip(*of_all, strict=True)]
    about = {
        name: {
            "first_step_seconds": made[name].first,
            "memory": made[name].memory,
            "process_memory": made[name].process_memory,
        }
        for name in seconds
    }
    for one in made.values():
        one.close()
    return {"variant": variant, "side": side, "seconds": seconds, "contenders": about, "product_flops": rates}


def ratios(seconds, precision):
    """Of each turn, the best peer's seconds over ours at its best; with `float32`, among those of float32 alone."""
    names = [name for name in seconds if precision is None or CONTENDERS[name][3] == precision]

    def quickest(ours):
        return min(
            (name for name in names if name.startswith("tfpaths") == ours and not name.startswith("JAX")),
            key=lambda name: statistics.median(seconds[name]),
        )

    return [peer / own for own, peer in zip(seconds[quickest(True)], seconds[quickest(False)], strict=True)]


def show(found):
    """Prints a variant's rows."""
    seconds = found["seconds"]
    print(f"{found['variant']}, {found['side']}×{found['side']}: {found['operations'] / 1e9:.1f} GFLOP a step")
    for name, values in seconds.items():
        rates = found["product_flops"][CONTENDERS[name][3]]
        share = statistics.median(found["operations"] / s / rate for s, rate in zip(values, rates, strict=True))
        ratio = spread([s / own for s, own in zip(values, seconds["tfpaths"], strict=True)])
        memory = found["contenders"][name]["memory"] / 2**20
        milliseconds = spread([1e3 * s for s in values])
        print(f"  {name:<28}{milliseconds:>16} ms{ratio:>18} over ours{share:>6.0%} of peak{memory:>7.0f} MiB")
    if any(name.startswith("PyTorch") for name in seconds):
        for text, precision in (("float32", "float32"), ("any precision", None)):
            print(f"  best PyTorch over ours, {text}: {spread(ratios(seconds, precision))}", flush=True)


def main(argv):
    del argv
    wanted = _VARIANTS.value or [variant.name for variant in VARIANTS]
    made = {key: turns.Contender(library, *rest, 0.3) for key, (library, *rest) in PRODUCTS.items()}
    about = machine("tensorflow", "keras", "torch", "jax", "flax")
    quickest = {"float32": [], "bfloat16": []}
    for (_, precision), seconds in turns.compete(made, 3).items():
        quickest[precision] += seconds
    asked = _BFLOAT16.value
    half = asked == "yes" or (asked == "auto" and min(quickest["bfloat16"]) < min(quickest["float32"]))
    if not half:
        print(
            "bfloat16 is left out" + (": this machine's float32 matrix product is faster." if asked == "auto" else ".")
        )
    wanted_contenders = {
        name: entry
        for name, entry in CONTENDERS.items()
        if (half or entry[3] == "float32") and entry[0] in _LIBRARIES.value
    }
    kept = []
    for side in map(int, _SIZES.value):
        for variant in wanted:
            found = measure(variant, side, made, wanted_contenders)
            found["operations"] = sum(operations.count(variant, side).values())
            show(found)
            kept.append(found)
            store(_NAME.value, {**about, "steps": kept})
    for one in made.values():
        one.close()


if __name__ == "__main__":
    app.run(main)
