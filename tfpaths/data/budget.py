"""A limit on what several threads hold at the same time."""

import collections
import contextlib
import threading
from collections.abc import Iterator


class Budget:
    """An amount that threads share: a reservation waits until the sum of all reservations is at most the limit.

    A reservation above the limit is granted when there is no other one. They are granted in the order of the requests,
    so that a large one does not wait until no small ones are left. A thread that holds a reservation must not request
    another.

    Args:
      limit: The largest sum.

    Example:
      >>> budget = Budget(100)
      >>> with budget.reserve(60):
      ...     budget.used
      60
      >>> budget.used
      0
    """

    def __init__(self, limit: int):
        self.limit = limit
        self.used = 0
        self._requests: collections.deque[object] = collections.deque()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def reserve(self, amount: int) -> Iterator[None]:
        """Waits until an amount is free, and holds it inside the `with` block.

        Args:
          amount: The amount, at least 0.
        """
        request = object()
        with self._changed:
            self._requests.append(request)
            try:
                self._changed.wait_for(lambda: self._requests[0] is request and self._fits(amount))
                self.used += amount
            finally:
                self._requests.remove(request)
                # The next request may fit as well.
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self.used -= amount
                self._changed.notify_all()

    def _fits(self, amount: int) -> bool:
        return not self.used or self.used + amount <= self.limit
