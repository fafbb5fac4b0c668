"""CIFAR-10 through TFDS."""

from tfpaths.data import memory, prepared
from tfpaths.data.dataset import DATA, DataSet
from tfpaths.data.examples import Examples, in_memory

_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"


@DATA.register("cifar10")
class CIFAR10(DataSet):
    """CIFAR-10: 32×32×3, labelled with its 10 classes. The last tenth of the training images is the validation split.

    The training split needs 45,000 × 32 × 32 × 3 bytes of memory, 138 MB.

    Example:
      >>> CIFAR10().shape
      (32, 32, 3)
    """

    shape = (32, 32, 3)
    extractor = "cifar10"

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        pixels, others = prepared.load("cifar10", "test" if split == "test" else "train", data_dir, _URL)
        held_out = len(pixels) // 10
        part = {"train": slice(-held_out), "validation": slice(-held_out, None), "test": slice(None)}[split]
        # The part is copied: it would keep the images of the other split in memory.
        return in_memory(self.name, split, "tfds", memory.viewed(pixels)[part], others["label"][part])
