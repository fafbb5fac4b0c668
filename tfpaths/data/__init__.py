"""Data sets by name. An example is float32; images are channels last, in [-1, 1]; texts are one-hot.

A new data set is one file: a subclass of `DataSet` that is registered in `DATA`.
"""

import os
from typing import Any

from tfpaths import config as config_lib
from tfpaths import options as options_lib
from tfpaths.data import digits, examples
from tfpaths.data.dataset import DATA, DataSet
from tfpaths.data.example import IMAGE, POINT, ExampleType
from tfpaths.data.examples import Examples
from tfpaths.data.strings import Text

__all__ = [
    "DATA",
    "IMAGE",
    "POINT",
    "DataSet",
    "ExampleType",
    "Examples",
    "Text",
    "digits",
    "examples",
    "get",
    "load",
    "of",
]


def get(name: str) -> type[DataSet]:
    """Returns the class of the data set with that name.

    Raises:
      InputError: No data set has that name; the message suggests the nearest one.

    Example:
      >>> get("stacked_mnist").modes
      1000
    """
    return DATA.lookup(name)


def of(config: config_lib.Data, path: str = "data") -> DataSet:
    """Returns the data set that a config describes, without reading its examples.

    Args:
      config: The config.
      path: Its path in the experiment, for messages.

    Raises:
      InputError: No data set has that name, or an option is invalid.

    Example:
      >>> of(config_lib.Data(name="folder", image_size=128)).shape
      (128, 128, 3)
    """
    cls = DATA.lookup(config.name, path=f"{path}.name")
    return cls(**options_lib.complete(config, cls, path))


def load(
    name: str,
    split: str = "train",
    *,
    source: str = "auto",
    data_dir: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Examples:
    """Loads a split of a data set into memory.

    Args:
      name: A name in `DATA`: `color_mnist`, `stacked_mnist`, `cifar10`, `celeba`, `folder`, ….
      split: `train`, or another split that the data set has.
      source: Where the data comes from; `auto` takes the first source that is available.
      data_dir: The directory of prepared TFDS data; by default `TFDS_DATA_DIR`, then TFDS's own.
      seed: Seed for random choices in the examples, such as colours.
      **options: Options of the data set, such as `path` and `image_size` of `folder`.

    Returns:
      The examples; `Examples.batches` shuffles and batches them.

    Raises:
      InputError: The name, the split, the source or an option is invalid, or the data is not available; the message
        says how to fix it.

    Example:
      >>> load("color_mnist", source="embedded").take([0, 1]).shape
      TensorShape([2, 28, 28, 3])
    """
    values = {key: os.fspath(value) if isinstance(value, os.PathLike) else value for key, value in options.items()}
    data_set = of(config_lib.Data(name=name, **values))
    return data_set.load(split, source=source, seed=seed, data_dir=data_dir)
