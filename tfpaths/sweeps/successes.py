"""How many settings each experiment trains to a score above a threshold, alone and together. No TensorFlow.

Gulrajani et al. 2017 (arXiv 1704.00028), table 2, count for several thresholds of the Inception score the architectures
that only the standard GAN trains, only WGAN-GP, both, and neither. Here every two experiments of a sweep are counted
so, with the share of each and McNemar's test of each two.
"""

import dataclasses
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tfpaths import config as config_lib
from tfpaths import plotting
from tfpaths.runs.report import tables
from tfpaths.sweeps import comparison
from tfpaths.sweeps.drawn import Row

# The first of these that some trial has is compared with the thresholds; of both, more is better.
SCORES = ("inception_score", "classifier_score")


@dataclasses.dataclass(frozen=True)
class Successes:
    """The trials of a sweep whose score is above one threshold.

    Attributes:
      threshold: The threshold.
      shares: Name of the experiment -> how many of its trials succeed.
      pairs: Names of two experiments -> on how many settings only one of them succeeds, both, or neither.
      adjusted: The same names -> McNemar's p-value, adjusted for the tests at all thresholds (Holm 1979).

    Example: see `counted`.
    """

    threshold: float
    shares: Mapping[str, comparison.Share]
    pairs: Mapping[tuple[str, str], comparison.Pair]
    adjusted: Mapping[tuple[str, str], float]


def score_of(names: Collection[str]) -> str | None:
    """Returns the score that is compared with the thresholds; None if it was not measured.

    Example:
      >>> score_of(["modes_covered", "classifier_score"])
      'classifier_score'
    """
    return next((name for name in SCORES if name in names), None)


def counted(config: config_lib.Sweep, rows: Sequence[Row]) -> list[Successes]:
    """Returns the successes at each threshold of a sweep. A trial without a score, such as a failed one, has none.

    Args:
      config: The sweep.
      rows: The rows of `trials.jsonl`.

    Example:
      >>> from tfpaths import experiments
      >>> sweep = experiments.get("robustness_color_mnist").replace(thresholds=(5.0,))
      >>> names = ("color_mnist_ns", "color_mnist_gan_gp")
      >>> rows = [{"experiment": name, "trial": trial, "classifier_score": score} for name, scores in
      ...     zip(names, ((9.0, 2.0, 1.0), (8.0, 6.0, 3.0))) for trial, score in enumerate(scores)]
      >>> (successes,) = counted(sweep, rows)
      >>> pair = successes.pairs[names]
      >>> pair.only_first, pair.only_second, pair.both, pair.neither
      (0, 1, 1, 1)
    """
    score = score_of({name for row in rows for name in row})
    names = [one.name for one in config.experiments]
    found = []
    for threshold in config.thresholds:
        # A score of NaN is not above anything.
        above: dict[str, dict[int, bool]] = {name: {} for name in names}
        for row in rows:
            value = row.get(score) if score else None
            if row["experiment"] in above:
                above[row["experiment"]][row["trial"]] = value is not None and value > threshold
        pairs = {pair: comparison.paired(*(above[name] for name in pair)) for pair in itertools.combinations(names, 2)}
        found.append((threshold, {name: comparison.share(list(above[name].values())) for name in names}, pairs))
    adjusted = iter(comparison.holm([pair.p for _, _, pairs in found for pair in pairs.values()]))
    return [Successes(*one, adjusted={names: next(adjusted) for names in one[2]}) for one in found]


def rows_of(config: config_lib.Sweep, every: Sequence[Successes]) -> Iterator[dict[str, Any]]:
    """Yields a row of `metrics.jsonl` for each threshold and experiment, and for each threshold and pair.

    Example: see `metrics_of`, which has the same numbers.
    """
    step = max(one.schedule.steps for one in config.experiments)
    for one in every:
        common = {"step": step, "threshold": one.threshold}
        for name, share in one.shares.items():
            yield {**common, "experiment": name, **_of_share(share)}
        for names, pair in one.pairs.items():
            yield {**common, "experiment": names[1], "compared_with": names[0], **_of_pair(one, names, pair)}


def metrics_of(every: Sequence[Successes]) -> dict[str, float]:
    """Returns the numbers for `results.json`.

    Example:
      >>> shares = {name: comparison.share([True, False]) for name in ("a", "b")}
      >>> pair = comparison.paired({0: True, 1: False}, {0: True, 1: False})
      >>> made = metrics_of([Successes(2.5, shares, {("a", "b"): pair}, {("a", "b"): 1.0})])
      >>> made["a_above_2.5_successes"], made["b_against_a_above_2.5_both"]
      (1, 1)
    """
    made: dict[str, float] = {}
    for one in every:
        for name, share in one.shares.items():
            made |= {f"{name}_above_{one.threshold:g}_{what}": value for what, value in _of_share(share).items()}
        for names, pair in one.pairs.items():
            start = f"{names[1]}_against_{names[0]}_above_{one.threshold:g}"
            made |= {f"{start}_{what}": value for what, value in _of_pair(one, names, pair).items()}
    return made


def _of_share(share: comparison.Share) -> dict[str, float]:
    return {"successes": share.count, "trials": share.trials, "low": share.low, "high": share.high}


def _of_pair(successes: Successes, names: tuple[str, str], pair: comparison.Pair) -> dict[str, float]:
    return {
        "only_compared_with": pair.only_first,
        "only_experiment": pair.only_second,
        "both": pair.both,
        "neither": pair.neither,
        "p": pair.p,
        "p_holm": successes.adjusted[names],
    }


def finding(config: config_lib.Sweep, rows: Sequence[Row], every: Sequence[Successes]) -> str:
    """Returns a line for each threshold: the successes of each experiment, and each against the first one.

    Example: see `tfpaths.sweeps.scores.drawn`.
    """
    score = score_of({name for row in rows for name in row})
    if score is None:
        return "No trial has a classifier score to compare with the thresholds."
    labels = labels_of(config)
    lines = []
    for one in every:
        shares = ", ".join(
            f"{labels[name]} {share.count} of {share.trials} ({100 * share.low:.0f} to {100 * share.high:.0f} %)"
            for name, share in one.shares.items()
        )
        line = f"{tables.words(score).capitalize()} above {one.threshold:g} (95 % interval): {shares}."
        for (first, second), pair in one.pairs.items():
            if first == config.experiments[0].name:
                line += (
                    f" Only {labels[first]} {pair.only_first}, only {labels[second]} {pair.only_second}, both "
                    f"{pair.both}, neither {pair.neither} (p = {pair.p:.2g}, "
                    f"{one.adjusted[first, second]:.2g} by Holm)."
                )
        lines.append(line)
    return "\n".join(lines)


def labels_of(config: config_lib.Sweep) -> dict[str, str]:
    """Returns name of the experiment -> its variant's label, or the experiment's name where two have the same label.

    Example:
      >>> from tfpaths import experiments
      >>> labels_of(experiments.get("robustness_color_mnist"))["color_mnist_gan_gp"]
      'GAN-GP'
    """
    labels = {one.name: plotting.label(one.variant.name) for one in config.experiments}
    return {name: label if list(labels.values()).count(label) == 1 else name for name, label in labels.items()}
