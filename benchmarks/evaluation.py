"""Evaluation: the time of each part, and the time of each score beside TorchMetrics' on the same features.

    pip install torch torchmetrics && python -m benchmarks.evaluation [--turns=5]

Prints a table and writes `benchmarks/results/evaluation.json`. tfpaths and TorchMetrics take turns on the same arrays
with the same number of threads; a ratio is of one turn, and the median is over turns. TorchMetrics' formulas are called
as its metrics call them, without the Inception network. If TorchMetrics is not installed, its columns are empty.
"""

import os
import time

import numpy as np
from absl import app, flags

from benchmarks import machine, spread, store
from tfpaths import config, experiments, startup

_TURNS = flags.DEFINE_integer("turns", 5, "Pairs of measurements, at least 2.", lower_bound=2)
_COUNT = flags.DEFINE_integer("count", 10_000, "Images.")
_WIDE = flags.DEFINE_bool("wide", False, "Measure the scores on 2,048 features too, as Inception has: minutes.")


def seconds(function):
    """Returns how long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peers(real, fake, logits, pairs, weights):
    """Returns TorchMetrics' formulas on the same arrays, by our names; empty if it is not installed."""
    try:
        import torch
        from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as their_ms_ssim
        from torchmetrics.image.fid import _compute_fid
        from torchmetrics.image.kid import poly_mmd
    except ImportError:
        return {}
    torch.set_num_threads(os.cpu_count() or 1)
    one, other, scores = (torch.from_numpy(array) for array in (real, fake, logits))
    first, second = ((torch.from_numpy(np.moveaxis(array, -1, 1).copy()) + 1) / 2 for array in pairs)

    def moments(features):
        # As `FrechetInceptionDistance` adds up in `update` and finishes in `compute`.
        features = features.double()
        mean = features.mean(dim=0)
        return mean, (features.t() @ features - len(features) * torch.outer(mean, mean)) / (len(features) - 1)

    def frechet():
        (m1, c1), (m2, c2) = moments(one), moments(other)
        return _compute_fid(m1, c1, m2, c2)

    def inception_score():
        # `InceptionScore.compute` with one split.
        prob, log_prob = scores.softmax(dim=1), scores.log_softmax(dim=1)
        mean_prob = prob.mean(dim=0, keepdim=True)
        return (prob * (log_prob - mean_prob.log())).sum(dim=1).mean().exp()

    def kernel():
        # The blocks of TF-GAN: each image is in one block of at most 1,024.
        blocks = -(-len(one) // 1024)
        halves = zip(one.double().chunk(blocks), other.double().chunk(blocks), strict=True)
        return torch.stack([poly_mmd(a, b) for a, b in halves]).mean()

    def similarity():
        # With sigma 6/7 its window has our width, 7 pixels.
        return torch.cat(
            [
                their_ms_ssim(a, b, kernel_size=7, sigma=6 / 7, data_range=1.0, betas=weights, reduction="none")
                for a, b in zip(first.split(504), second.split(504), strict=True)
            ]
        ).mean()

    return {
        "classifier_score": inception_score,
        "frechet_classifier_distance": frechet,
        "kernel_classifier_distance": kernel,
        "ms_ssim": similarity,
    }


def compare(ours, theirs, turns):
    """Returns score -> (our seconds, the peer's seconds), lists over turns; the first call of each is not timed."""
    times = {}
    for name, function in ours.items():
        peer = theirs.get(name)
        function()
        if peer is not None:
            peer()
        pairs = [(seconds(function), seconds(peer) if peer else None) for _ in range(turns)]
        times[name] = tuple(list(column) for column in zip(*pairs, strict=True))
    return times


def main(argv):
    del argv
    startup.import_tensorflow()
    from tfpaths.metrics import metric, modes, ms_ssim, scores, sources
    from tfpaths.metrics.context import Context
    from tfpaths.metrics.evaluator import Evaluator
    from tfpaths.runs import build

    count, turns = _COUNT.value, _TURNS.value
    experiment = experiments.get("color_mnist_dragan_ns")
    wanted = metric.complete(config.Evaluation(metrics=("scores", "ms_ssim", "modes"), samples=count))
    evaluator = Evaluator(experiment.data, wanted)
    context = Context(experiment.data, wanted)
    extractor, test = context.extractor(), context.examples("test")
    gan = build.build(experiment, test.shape)
    source = sources.samples(gan.draw, 0)
    evaluator.measure(source)  # Loads the classifier, computes the real features and compiles; not timed.

    def sample():
        for start in range(0, count, 250):
            source.batches(start, 250)

    images = np.concatenate([source.batches(start, 250) for start in range(0, count, 250)])

    def features():
        return extractor.collect(lambda start, num: images[start : start + num], 0, count)

    logits, fake = features()
    real = context.features(extractor, test, count)
    compared = images[: ms_ssim.BATCHES * ms_ssim.BATCH]
    rows, columns = np.triu_indices(ms_ssim.BATCH, k=1)
    batches = compared.reshape(ms_ssim.BATCHES, ms_ssim.BATCH, *test.shape)
    pairs = [np.concatenate([batch[index] for batch in batches]) for index in (rows, columns)]
    ours = {
        "classifier_score": lambda: scores.classifier_score(logits),
        "frechet_classifier_distance": lambda: scores.frechet_distance(real, fake),
        "kernel_classifier_distance": lambda: scores.kernel_distance(real, fake),
        "ms_ssim": lambda: ms_ssim.mean_over_pairs(compared),
    }
    theirs = peers(real, fake, logits, pairs, ms_ssim.weights(test.shape[0]))
    times = compare(ours, theirs, turns)
    parts = {
        "sampling": sample,
        f"features ({extractor.name})": features,
        "modes": lambda: modes.coverage(logits.argmax(axis=1), context.examples("train").modes),
        "all but the critic": lambda: evaluator.measure(source),
    }
    times |= compare(parts, {}, turns)
    if _WIDE.value:
        draw = np.random.default_rng(0)
        wide = [draw.normal(size=(count, 2048)).astype(np.float32) ** 2 for _ in range(2)]
        big = {
            "frechet_classifier_distance": lambda: scores.frechet_distance(*wide),
            "kernel_classifier_distance": lambda: scores.kernel_distance(*wide),
        }
        measured = compare(big, peers(*wide, logits, pairs, ms_ssim.weights(test.shape[0])), min(turns, 3))
        times |= {f"{name}, 2,048 features": values for name, values in measured.items()}

    print(f"{'seconds, ' + format(count, ',') + ' images':<46}{'ours':>20}{'TorchMetrics':>20}{'ratio':>20}")
    for name, (own, peer) in times.items():
        texts = [spread(own)]
        if peer[0] is not None:
            texts += [spread(peer), spread([p / o for o, p in zip(own, peer, strict=True)])]
        print(f"{name:<46}" + "".join(f"{text:>20}" for text in texts))
    packages = ("tensorflow", "tensorflow-gan", "numpy", *(("torch", "torchmetrics") if theirs else ()))
    about = {**machine(*packages), "count": count, "features": real.shape[1]}
    seconds_by_name = {name: {"ours": own, "torchmetrics": peer} for name, (own, peer) in times.items()}
    store("evaluation", {**about, "seconds": seconds_by_name})


if __name__ == "__main__":
    app.run(main)
