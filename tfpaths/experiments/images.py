"""The image experiments, `<data>_<variant>`: every image data set with every variant."""

from tfpaths.config import Data, Training
from tfpaths.experiments.registry import register
from tfpaths.experiments.variants import VARIANTS

# That of KL-WGAN's authors for images (`train_C10.sh`); it is 1 for points.
_TEMPERATURE = 5.0

for _data in ("color_mnist", "stacked_mnist", "cifar10", "celeba", "folder"):
    for _variant in VARIANTS:
        if _variant.loss.name == "kl_wasserstein":
            _variant = _variant.replace(loss=_variant.loss.replace(temperature=_TEMPERATURE))
        register(Training(name=f"{_data}_{_variant.name}", data=Data(name=_data), variant=_variant))
