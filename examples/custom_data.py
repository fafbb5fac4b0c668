"""A custom data set: two moons in the plane, and an experiment for each variant.

    python -m tfpaths.launch --import=examples.custom_data --exp=two_moons_ns --set data.noise=0.1

A data set is a registered class with a `shape` and one method, `read`. A keyword-only parameter of its constructor is
an option. The type of its examples determines how samples are shown and stored: here points, in a scatter plot. Images
are float32 `[height, width, channels]` in [-1, 1] and have `example = data.IMAGE`, which is the default.
"""

import sklearn.datasets

from examples import custom_network  # noqa: F401 - registers the family of networks
from tfpaths import data, experiments
from tfpaths.config import Data, Schedule, Training
from tfpaths.experiments.variants import VARIANTS
from tfpaths.schema import NonNegative


@data.DATA.register("two_moons")
class TwoMoons(data.DataSet):
    """Points `[2]` on two interleaved half circles in [-1, 1]; the label is the moon, 0 or 1.

    Args:
      noise: Standard deviation of the noise, in units of a moon's radius.
    """

    splits = ("train", "validation", "test")
    sources = ("drawn",)
    example = data.POINT
    shape = (2,)
    networks = "perceptron"

    def __init__(self, *, noise: NonNegative = 0.05):
        self.noise = noise

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> data.Examples:
        state = 3 * seed + self.splits.index(split)
        points, moons = sklearn.datasets.make_moons(5000, noise=self.noise, random_state=state)
        # [5000, 2]: the moons reach from -1 to 2 and from -0.5 to 1.
        points = (points - (0.5, 0.25)) / 2.0
        return data.examples.in_memory(self.name, split, "drawn", points, moons)


for variant in VARIANTS:
    experiments.register(
        Training(
            name=f"two_moons_{variant.name}",
            data=Data(name="two_moons"),
            variant=variant,
            schedule=Schedule(steps=5_000),
        )
    )
