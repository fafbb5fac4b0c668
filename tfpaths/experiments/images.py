"""The image experiments, `<data>_<variant>`: every image data set with every variant."""

from tfpaths.config import Data, Training
from tfpaths.experiments.registry import register
from tfpaths.experiments.variants import VARIANTS

for _data in ("color_mnist", "stacked_mnist", "cifar10", "celeba", "folder"):
    for _variant in VARIANTS:
        register(Training(name=f"{_data}_{_variant.name}", data=Data(name=_data), variant=_variant))
