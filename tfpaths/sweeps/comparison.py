"""Statistics of a sweep's trials: shares with exact intervals, and paired tests between experiments. No TensorFlow."""

import dataclasses
from collections.abc import Mapping, Sequence

import scipy.stats


@dataclasses.dataclass(frozen=True)
class Share:
    """A share of trials.

    Attributes:
      count: The number of trials that have the property.
      trials: The number of all trials.
      low: The lower end of the exact 95 % interval of the share.
      high: Its upper end.

    Example: see `share`.
    """

    count: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share; 0 without trials."""
        return self.count / self.trials if self.trials else 0.0


def share(has: Sequence[bool]) -> Share:
    """Returns the share of trials that have a property, with its exact 95 % interval (Clopper and Pearson 1934).

    Args:
      has: Whether each trial has it.

    Example:
      >>> ten = share([True] * 10)
      >>> ten.value, round(ten.low, 4), ten.high  # the lower end is 0.025^(1/10)
      (1.0, 0.6915, 1.0)
    """
    count = sum(has)
    if not has:
        return Share(0, 0, 0.0, 1.0)
    interval = scipy.stats.binomtest(count, len(has)).proportion_ci(0.95, method="exact")
    return Share(count, len(has), float(interval.low), float(interval.high))


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two experiments on the same settings.

    Attributes:
      only_first: The number of settings at which only the first one succeeds.
      only_second: The number at which only the second one succeeds.
      both: The number at which both succeed.
      trials: The number of settings.
      p: The two-sided p-value of the exact test that neither is better (McNemar 1947).

    Example: see `paired`.
    """

    only_first: int
    only_second: int
    both: int
    trials: int
    p: float

    @property
    def neither(self) -> int:
        """The number of settings at which both fail."""
        return self.trials - self.only_first - self.only_second - self.both

    @property
    def difference(self) -> float:
        """The share of settings at which the second one succeeds, minus that of the first one."""
        return (self.only_second - self.only_first) / self.trials if self.trials else 0.0


def paired(first: Mapping[int, bool], second: Mapping[int, bool]) -> Pair:
    """Returns the comparison of two experiments on the trials that both have.

    Args:
      first: Trial -> whether the first experiment succeeds.
      second: Trial -> whether the second one does.

    Example:
      >>> pair = paired(dict.fromkeys(range(6), False), dict.fromkeys(range(6), True))
      >>> pair.difference, pair.p  # 2 / 2^6
      (1.0, 0.03125)
    """
    common = first.keys() & second.keys()
    only_first = sum(first[trial] and not second[trial] for trial in common)
    only_second = sum(second[trial] and not first[trial] for trial in common)
    both = sum(first[trial] and second[trial] for trial in common)
    discordant = only_first + only_second
    p = float(scipy.stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return Pair(only_first, only_second, both, len(common), p)


def holm(values: Sequence[float]) -> list[float]:
    """Returns the p-values of several tests, adjusted for their number (Holm 1979).

    Example:
      >>> holm([0.01, 0.04, 0.03])
      [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(values)), key=lambda index: values[index])
    adjusted, largest = [1.0] * len(values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = largest
    return adjusted
