"""Registries: losses, penalties, games, networks, data sets, metrics, figures and experiments, each by name.

A registry may belong to a package. Each module of that package registers one class or function, or a few:

    @PENALTIES.register("at_fake")
    class AtFake(GradientPenalty):
        ...

These modules are imported when the registry is first read, so a new module need not be listed anywhere. A user's own
module registers in the same way and is imported by `--import`.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from tfpaths import errors

Item = TypeVar("Item")


class Registry(Mapping[str, Item], Generic[Item]):
    """A mapping from names to registered classes, functions or values, in the order of registration.

    Args:
      what: The kind of its items, for messages: `"penalty"`.
      package: The package whose modules register the items; None if the module that creates the registry does.

    Example:
      >>> table = Registry("shape")
      >>> @table.register("square")
      ... class Square:
      ...     pass
      >>> table.lookup("squar")
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: unknown shape 'squar'; did you mean 'square'? Expected one of: square.
    """

    def __init__(self, what: str, package: str | None = None):
        self.what = what
        self._package = package
        self._items: dict[str, Item] = {}

    def register(self, name: str) -> Callable[[Any], Any]:
        """Returns a decorator that registers a class, a function or a value under `name`.

        Registering the same item again replaces it, so that a notebook's cell can run twice.

        Raises:
          InputError: Another item has this name.
        """

        def registered(item: Any) -> Any:
            registered_before = self._items.get(name)
            if registered_before is not None and _origin(registered_before) != _origin(item):
                raise errors.InputError(f"{self.what} {name!r} exists already; choose another name.")
            self._items[name] = item
            return item

        return registered

    def lookup(self, name: str, *, path: str = "") -> Item:
        """Returns the item that is registered under `name`.

        Args:
          name: The name.
          path: The path of the config's field that has the name, for the message.

        Raises:
          InputError: No item has this name; the message suggests the nearest one.
        """
        self._load()
        if name not in self._items:
            error = errors.unknown(self.what, name, self._items, path=path)
            if errors.nearest(name, self._items):
                raise error
            raise errors.InputError(f"{error} If it is your own, import its module: --import=MODULE.")
        return self._items[name]

    def __getitem__(self, name: str) -> Item:
        self._load()
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(self._items)

    def __len__(self) -> int:
        self._load()
        return len(self._items)

    def _load(self) -> None:
        """Imports the modules of the package, once."""
        # Cleared first, because a module may read the registry while it is imported.
        package, self._package = self._package, None
        if package is not None:
            try:
                for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
                    importlib.import_module(module.name)
            except BaseException:
                # An import failed: the next read tries again.
                self._package = package
                raise


def import_module(name: str) -> None:
    """Imports a user's module, so that it registers its items. Errors inside the module are not changed.

    Raises:
      InputError: There is no such module.

    Example:
      >>> import_module("exmples.custom_loss")
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: --import: expected a module that Python can import from here, received ...
    """
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        # If the missing module is one that the user's module imports, the error is inside the user's module.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise errors.InputError(
            f"--import: expected a module that Python can import from here, received {name!r}: {error}."
        ) from error


def _origin(item: Any) -> object:
    """Returns the identity of a registered item: the place of its definition, or, for a plain value, the value."""
    name = getattr(item, "__qualname__", None)
    return item if name is None else (item.__module__, name)
