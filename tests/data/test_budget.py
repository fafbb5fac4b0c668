"""A budget: the sum of the reservations, their order, and their end. No test depends on time."""

import contextlib
import threading

import pytest

from tfpaths.data.budget import Budget

# Longer than any step takes; only a failing test waits so long.
TIMEOUT = 20


class Threads:
    """Threads that reserve from a budget, and hold it until they are released."""

    def __init__(self, budget):
        self.budget = budget
        self.entered, self.released, self.threads = {}, {}, {}
        # Set each time when a thread begins to wait.
        self.waits = threading.Semaphore(0)
        wait = budget._changed.wait

        def wait_and_tell(timeout=None):
            self.waits.release()
            return wait(timeout)

        budget._changed.wait = wait_and_tell

    def start(self, amount):
        """Starts a thread that reserves the amount; the amount is its name."""
        entered, released = self.entered[amount], self.released[amount] = threading.Event(), threading.Event()

        def hold():
            with self.budget.reserve(amount):
                entered.set()
                released.wait(TIMEOUT)

        self.threads[amount] = threading.Thread(target=hold, daemon=True)
        self.threads[amount].start()

    def enters(self, amount):
        assert self.entered[amount].wait(TIMEOUT)

    def waits_for_its_turn(self, amount):
        assert self.waits.acquire(timeout=TIMEOUT)
        assert not self.entered[amount].is_set()

    def release(self, amount):
        self.released[amount].set()
        self.threads[amount].join(TIMEOUT)
        assert not self.threads[amount].is_alive()


@pytest.fixture
def threads():
    threads = Threads(Budget(10))
    yield threads
    for amount in list(threads.threads):
        threads.release(amount)
    assert threads.budget.used == 0


def test_reservations_are_granted_up_to_the_limit(threads):
    # 3 + 7 = 10 are held at the same time; 1 more waits until 3 are free.
    threads.start(3)
    threads.enters(3)
    threads.start(7)
    threads.enters(7)
    assert threads.budget.used == 10
    threads.start(1)
    threads.waits_for_its_turn(1)
    threads.release(3)
    threads.enters(1)
    assert threads.budget.used == 8


def test_more_than_the_limit_is_granted_alone(threads):
    threads.start(2)
    threads.enters(2)
    threads.start(11)
    threads.waits_for_its_turn(11)
    threads.release(2)
    threads.enters(11)
    assert threads.budget.used == 11
    threads.start(1)
    threads.waits_for_its_turn(1)
    threads.release(11)
    threads.enters(1)


def test_order_is_that_of_the_requests(threads):
    # 1 would fit beside 6, but 5 was first: otherwise 5 might wait until nothing is left.
    threads.start(6)
    threads.enters(6)
    threads.start(5)
    threads.waits_for_its_turn(5)
    threads.start(1)
    threads.waits_for_its_turn(1)
    threads.release(6)
    # The end of 6 lets both in.
    threads.enters(5)
    threads.enters(1)
    assert threads.budget.used == 6


def test_sum_is_never_above_the_limit():
    budget, lock, sums, total = Budget(10), threading.Lock(), [], 0
    start = threading.Barrier(8)

    def reserve(amounts):
        nonlocal total
        start.wait(TIMEOUT)
        for amount in amounts:
            with budget.reserve(amount):
                with lock:
                    total += amount
                    sums.append((total, amount))
                with lock:
                    total -= amount

    amounts = [[(7 * index + 3 * turn) % 13 for turn in range(40)] for index in range(8)]
    threads = [threading.Thread(target=reserve, args=(each,), daemon=True) for each in amounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert len(sums) == 8 * 40
    # 11 and 12 are above the limit, and alone.
    assert all(total <= 10 or total == amount for total, amount in sums)
    assert budget.used == 0


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt])
def test_errors_release(error):
    budget = Budget(10)
    with contextlib.suppress(error), budget.reserve(10):
        raise error
    assert budget.used == 0
    with budget.reserve(10):
        assert budget.used == 10


def test_interrupted_request_leaves_the_queue(threads, monkeypatch):
    threads.start(10)
    threads.enters(10)
    threads.start(5)
    threads.waits_for_its_turn(5)
    with monkeypatch.context() as patch:
        patch.setattr(threads.budget._changed, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt), threads.budget.reserve(1):
            pass
    # 5 is still in the queue, and 1 is not.
    assert threads.budget.used == 10
    threads.release(10)
    threads.enters(5)
    assert threads.budget.used == 5


def interrupt(timeout=None):
    raise KeyboardInterrupt
