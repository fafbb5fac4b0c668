"""The registry of engines, and what an engine is."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tfpaths.registry import Registry


@dataclasses.dataclass(frozen=True)
class Task:
    """A process that an engine starts: it trains one job of a sweep in its run directory, or continues it there.

    Attributes:
      name: The job's name.
      arguments: The arguments after the name of the Python interpreter, such as `("-m", "tfpaths.sweeps.trial", …)`.
      directory: The job's run directory.

    Example:
      >>> Task("line1_ns", ("-c", "print('done')"), pathlib.Path("sweep/trials/line1_ns")).name
      'line1_ns'
    """

    name: str
    arguments: tuple[str, ...]
    directory: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a task ended.

    Attributes:
      name: The job's name.
      status: The exit status of its process; -n if signal n killed it.
      message: The last line that it wrote to standard error, or another reason; "" if there is none.

    Example:
      >>> Ended("line1_ns", 0, "").status
      0
    """

    name: str
    status: int
    message: str


class Engine(Protocol):
    """What starts the processes of a sweep, several at once.

    Example: `tfpaths/sweeps/engines/local.py`.
    """

    def check(self) -> None:
        """Checks that the engine can be used here; nothing is written.

        Raises:
          InputError: It cannot; the message says how to mend it.
        """

    def run(
        self, tasks: Sequence[Task], *, heard: Callable[[str, str], None], stopped: Callable[[], bool]
    ) -> Iterator[Ended]:
        """Runs tasks, and yields how each ended, in the order in which they end.

        A task that was lost, because its machine was lost or a signal killed its process, is started again, and
        continues from its last checkpoint; how often, the engine decides.

        Args:
          tasks: The tasks.
          heard: Is called with (name, line) for each line that a task writes to standard output, from the thread that
            runs this generator.
          stopped: Whether the sweep was told to stop. If so, no new task is started, and those that run get SIGTERM,
            save, and end.
        """


# Name -> `(jobs)` -> an engine; `jobs` is how many tasks run at once, or None for the engine's choice.
ENGINES: Registry[Callable[[int | None], Engine]] = Registry("engine", "tfpaths.sweeps.engines")
