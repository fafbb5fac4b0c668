"""Makes TF-GAN 2.1.0 importable on TensorFlow 2.16 and later, without lasting changes to TensorFlow.

    from tfpaths.tfgan import tfgan     # this is `tensorflow_gan`

TF-GAN's last release needs two names that TensorFlow no longer has (github.com/tensorflow/gan, issue 55):

- `tf.estimator`: while TF-GAN is imported, a class is derived from one of its classes, and a sub-package is built on
  it. The name is added to TensorFlow during this import only, and an empty module replaces `tensorflow_gan.estimator`.
- `tf.compat.v1.layers.flatten`: the kernel distance and the Inception metrics call it. In each module of TF-GAN, its
  tests included, `tf` is a view of TensorFlow in which this name exists. TensorFlow itself is not changed.

The same views have the functions of `tfpaths.compat.lapack`, with which the scores of `tfpaths.metrics` are computed.
"""

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from tfpaths.compat import lapack

_PACKAGE = "tensorflow_gan"


def _flatten(inputs: tf.Tensor, name: str | None = None) -> tf.Tensor:
    """Returns `[batch, ...]` as `[batch, size]`, as `tf.compat.v1.layers.flatten` did."""
    inputs = tf.convert_to_tensor(inputs)
    size = inputs.shape[1:].num_elements()
    flat = tf.reshape(inputs, [tf.shape(inputs)[0], -1 if size is None else size], name=name)
    flat.set_shape([inputs.shape[0], size])
    return flat


class _View(types.ModuleType):
    """A view of a module with some more names. All other names are looked up in the module."""

    def __init__(self, name: str, module: Any, **names: Any):
        super().__init__(name)
        self.__dict__["_module"] = module
        self.__dict__.update(names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_module"], name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.__dict__["_module"]), *self.__dict__})


def _views() -> dict[str, tuple[Any, _View]]:
    """Returns by its name in TF-GAN's modules each library with its view."""
    with _import_warnings_hidden():
        import tensorflow_probability as tfp
    v1 = tf.compat.v1
    layers = _View("tensorflow.compat.v1.layers", v1.layers, flatten=_flatten)
    compat = _View("tensorflow.compat", tf.compat, v1=_View("tensorflow.compat.v1", v1, layers=layers))
    linalg = _View("tensorflow.linalg", tf.linalg, svd=lapack.svd)
    stats = _View("tensorflow_probability.stats", tfp.stats, covariance=lapack.covariance)
    return {
        "tf": (tf, _View("tensorflow", tf, compat=compat, linalg=linalg, matmul=lapack.matmul)),
        "tfp": (tfp, _View("tensorflow_probability", tfp, stats=stats)),
    }


class _Loader(importlib.abc.Loader):
    """Loads a module of TF-GAN with the module's own loader, then replaces its `tf` and `tfp` by the views."""

    def __init__(self, loader: Any, views: dict[str, tuple[Any, _View]]):
        self._loader = loader
        self._views = views

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        with warnings.catch_warnings():
            # A user cannot fix the deprecated Python that TF-GAN uses.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", SyntaxWarning)
            self._loader.exec_module(module)
        for name, (library, view) in self._views.items():
            if getattr(module, name, None) is library:
                setattr(module, name, view)

    def __getattr__(self, name):
        return getattr(self._loader, name)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TF-GAN's modules, and no others, and replaces their loader."""

    def __init__(self):
        self._views = _views()

    def find_spec(self, fullname: str, path: Sequence[str] | None, target=None):
        if fullname.split(".")[0] != _PACKAGE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._views)
        return spec


@contextlib.contextmanager
def _import_warnings_hidden() -> Iterator[None]:
    with warnings.catch_warnings():
        # TF-Hub, which TF-GAN imports, still reads its version through pkg_resources.
        warnings.filterwarnings("ignore", message=".*pkg_resources.*")
        # TensorFlow Probability and TF-GAN compare versions with distutils.
        warnings.filterwarnings("ignore", message=".*distutils.*")
        yield


def _import() -> types.ModuleType:
    """Imports TF-GAN.

    Raises:
      ModuleNotFoundError: TF-GAN is not installed.
    """
    if importlib.util.find_spec(_PACKAGE) is None:
        raise ModuleNotFoundError("tfpaths needs TF-GAN: pip install tensorflow-gan==2.1.0", name=_PACKAGE)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    # The user may have imported a TF-GAN that works already.
    if _PACKAGE in sys.modules:
        return sys.modules[_PACKAGE]
    had_estimator = hasattr(tf, "estimator")
    if not had_estimator:
        sys.modules[f"{_PACKAGE}.python.estimator"] = types.ModuleType(f"{_PACKAGE}.python.estimator")
        tf.estimator = types.SimpleNamespace(SessionRunHook=tf.compat.v1.train.SessionRunHook)
    try:
        with _import_warnings_hidden():
            return importlib.import_module(_PACKAGE)
    finally:
        if not had_estimator:
            del tf.estimator


tfgan = _import()
