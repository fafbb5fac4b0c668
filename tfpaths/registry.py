"""Tables of things by name: losses, penalties, games, networks, data sets, metrics, figures, experiments.

A table belongs to a package. Each file of that package is one thing, or a few, and registers it:

    @PENALTIES.register("at_fake")
    class AtFake(GradientPenalty):
        ...

The files are imported when the table is first read, so a new file needs no list to stand in. A user's own module does
the same, and is imported by `--import`.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from tfpaths import errors

Item = TypeVar("Item")


class Registry(Mapping[str, Item], Generic[Item]):
    """A mapping from names to registered things, in the order of registration.

    Args:
      what: What the table holds, for messages: `"penalty"`.
      package: The package whose modules register things; None if they are all registered where the table is made.

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

        Registering the same thing again replaces it, so that a notebook's cell can run twice.

        Raises:
          InputError: The name belongs to something else.
        """

        def registered(item: Any) -> Any:
            known = self._items.get(name)
            if known is not None and _origin(known) != _origin(item):
                raise errors.InputError(f"{self.what} {name!r} exists already; choose another name.")
            self._items[name] = item
            return item

        return registered

    def lookup(self, name: str, *, path: str = "") -> Item:
        """Returns what is registered under `name`.

        Args:
          name: The name.
          path: The field of the config that holds it, for the message.

        Raises:
          InputError: Nothing is; the message has the nearest name.
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
        package, self._package = self._package, None
        if package is not None:
            try:
                for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
                    importlib.import_module(module.name)
            except BaseException:
                self._package = package
                raise


def import_module(name: str) -> None:
    """Imports a user's module, which registers what it has. An error inside it is raised as it is.

    Raises:
      InputError: There is no such module.
    """
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that it imports and that is missing is an error inside it.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise errors.InputError(
            f"--import: expected a module that Python can import from here, received {name!r}: {error}."
        ) from error


def _origin(item: Any) -> object:
    """What tells two registered things apart: where they are defined; for a plain value, the value."""
    name = getattr(item, "__qualname__", None)
    return item if name is None else (item.__module__, name)
