"""Sampling: images per second of an exported run, beside PyTorch and JAX.

    python -m benchmarks.sampling [--turns=5] [--sides=28,32,64] [--batch=256] [--bfloat16]

Prints a table and writes `benchmarks/results/sampling.json`. For tfpaths it calls the SavedModel that `--mode=export`
writes, as a user does: `sample(num_samples, seed)`. The peers draw latents and call the same generator with moving
statistics and without gradients: PyTorch in channels last, eager and compiled; JAX compiled. Each has its own process
and all cores; they take turns. A ratio is of one turn, and the median is over turns. The last column is the rate in
float32 as a share of the machine's best matrix product. Where the CPU has bfloat16 arithmetic, tfpaths' run in
mixed_bfloat16 and PyTorch's generator in bfloat16 are measured too. Libraries that are not installed are left out.
"""

import statistics

from absl import app, flags

from benchmarks import machine, spread, store, turns
from benchmarks.peers import FILTERS, LATENTS, SIZES

_TURNS = flags.DEFINE_integer("turns", 5, "Turns, at least 2: each measures every contender once.", lower_bound=2)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "Approximate length of a measurement, in seconds.")
_SIDES = flags.DEFINE_list("sides", ["28", "32", "64"], "Sides of the images, in pixels.")
_BATCH = flags.DEFINE_integer("batch", 256, "Images in one call.")
_BFLOAT16 = flags.DEFINE_bool("bfloat16", None, "Whether bfloat16 is measured too; by default if the CPU has it.")

_ROWS = 2048


def exported(side, batch, precision):
    """Returns the contender of tfpaths: an untrained GAN, exported and loaded with TensorFlow alone."""
    import pathlib
    import tempfile

    import tensorflow as tf

    from benchmarks import noise
    from tfpaths.runs import build, exporting, loading

    value = noise.experiment("ns", precision)
    gan = build.build(value, (side, side, 3))
    with tempfile.TemporaryDirectory() as directory:
        metadata = pathlib.Path(directory) / "metadata.json"
        metadata.write_text("{}")
        sampler = exporting.Sampler(loading.Trained(gan, value, 0, pathlib.Path(directory)), metadata)
        tf.saved_model.save(sampler, f"{directory}/export", signatures=sampler.functions)
        model = tf.saved_model.load(f"{directory}/export")
    count, seed = tf.constant(batch), 0

    def advance(calls):
        nonlocal seed
        for _ in range(calls):
            seed += 1
            model.sample(num_samples=count, seed=tf.constant(seed))["images"].numpy()

    return advance


def torch_generator(side, batch, precision, compiled):
    """Returns the contender of PyTorch."""
    import os

    import torch

    from benchmarks.peers import torch_images

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    dtype = getattr(torch, precision)
    generator = torch_images.generator(side).to(memory_format=torch.channels_last, dtype=dtype).eval()
    call = torch.compile(generator) if compiled else generator

    @torch.inference_mode()
    def advance(calls):
        for _ in range(calls):
            call(torch.randn(batch, LATENTS, dtype=dtype)).float().numpy()

    return advance


def flax_generator(side, batch):
    """Returns the contender of JAX."""
    import jax
    import numpy as np

    from benchmarks.peers import flax_images

    generator = flax_images.Generator(side, training=False)
    variables = generator.init(jax.random.key(0), jax.numpy.zeros((batch, LATENTS)))
    sample = jax.jit(lambda key: generator.apply(variables, jax.random.normal(key, (batch, LATENTS))))
    key = jax.random.key(1)

    def advance(calls):
        nonlocal key
        for _ in range(calls):
            key, latents_key = jax.random.split(key)
            np.asarray(sample(latents_key))

    return advance


# Name -> (library, the function that makes the contender, its arguments after side and batch).
CONTENDERS = {
    "tfpaths, exported": ("tensorflow", exported, ("float32",)),
    "tfpaths, exported, mixed_bfloat16": ("tensorflow", exported, ("mixed_bfloat16",)),
    "PyTorch, channels last": ("torch", torch_generator, ("float32", False)),
    "PyTorch, channels last, compiled": ("torch", torch_generator, ("float32", True)),
    "PyTorch, channels last, bfloat16": ("torch", torch_generator, ("bfloat16", False)),
    "PyTorch, channels last, bfloat16, compiled": ("torch", torch_generator, ("bfloat16", True)),
    "JAX": ("flax", flax_generator, ()),
}
PRODUCTS = {"torch": turns.torch_product, "tensorflow": turns.tensorflow_product}


def operations(side):
    """Returns the operations for one image: two for each multiplication of the matrix and the convolutions."""
    smallest, doublings = SIZES[side]
    width = FILTERS * 2 ** (doublings - 1)
    total = LATENTS * width * smallest**2
    for level in range(doublings):
        below = 3 if level == doublings - 1 else width // 2
        # Sixteen weights for each pair of channels, at each position of the smaller map.
        total += 16 * width * below * (smallest * 2**level) ** 2
        width //= 2
    return 2 * total


def main(argv):
    del argv
    batch, rows = _BATCH.value, []
    about = machine("tensorflow", "torch", "jax", "flax")
    half = about["bfloat16_arithmetic"] if _BFLOAT16.value is None else _BFLOAT16.value
    products = {name: turns.Contender(name, make, (_ROWS,), 0.3) for name, make in PRODUCTS.items()}
    for side in map(int, _SIDES.value):
        contenders = {
            name: turns.Contender(library, make, (side, batch, *rest), _SECONDS.value)
            for name, (library, make, rest) in CONTENDERS.items()
            if half or "bfloat16" not in name
        }
        times = turns.compete({**contenders, **products}, _TURNS.value)
        for contender in contenders.values():
            contender.close()
        seconds = {name: values for name, values in times.items() if name in CONTENDERS}
        rates = [2 * _ROWS**3 / min(turn) for turn in zip(*(times[n] for n in PRODUCTS if n in times), strict=True)]
        print(f"{side}×{side}: {operations(side) / 1e6:.0f} MFLOP an image")
        for name, values in seconds.items():
            ratio = spread([value / ours for value, ours in zip(values, seconds["tfpaths, exported"], strict=True)])
            share = statistics.median(batch * operations(side) / s / r for s, r in zip(values, rates, strict=True))
            rate = spread([batch / s for s in values])
            of_peak = "" if "bfloat16" in name else f"{share:>6.0%} of peak"
            print(f"  {name:<44}{rate:>18} images / s{ratio:>18} over ours{of_peak}", flush=True)
        rows.append({"side": side, "seconds": seconds, "product_flops": rates, "operations": operations(side)})
    for product in products.values():
        product.close()
    store("sampling", {**about, "batch": batch, "sides": rows})


if __name__ == "__main__":
    app.run(main)
