"""Signals that end the training of a run or of a study after the current step."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import keras

from tfpaths import progress


class StopOnSignal(keras.callbacks.Callback):
    """Ends training after the current step on SIGINT (Ctrl-C), SIGTERM or SIGHUP; a second signal has its usual effect.

    SIGHUP comes when the terminal is closed. Where it is ignored (`nohup`), it stays ignored.

    Python gives signals to the main thread only: in another thread this callback leaves them as they are.

    Args:
      agreed: Flag -> whether the flag is set on any worker; all workers call it after every execution.

    Attributes:
      received: The signal that was received, or None; SIGTERM if another worker received one.

    Example:
      >>> with StopOnSignal() as stop:
      ...     signal.raise_signal(signal.SIGTERM)
      >>> stop.received.name
      'SIGTERM'
    """

    def __init__(self, agreed: Callable[[bool], bool] = bool) -> None:
        super().__init__()
        self._agreed = agreed
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, *_hangup()):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._restore()

    def _restore(self) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())

    def _note(self, number: int, frame: Any) -> None:
        self.received = signal.Signals(number)
        self._restore()
        if number == getattr(signal, "SIGHUP", None):
            progress.leave_terminal()
        # Not `print`: the signal may interrupt another `print`, whose buffer is not reentrant.
        with contextlib.suppress(OSError):
            os.write(2, "\nStopping after this step …\n".encode())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._agreed(self.received is not None):
            self.received = self.received or signal.SIGTERM
            self.model.stop_training = True


def _hangup() -> tuple[signal.Signals, ...]:
    """Returns SIGHUP where the system has it and nobody has asked to ignore it."""
    number = getattr(signal, "SIGHUP", None)  # Windows has none.
    return () if number is None or signal.getsignal(number) is signal.SIG_IGN else (number,)
