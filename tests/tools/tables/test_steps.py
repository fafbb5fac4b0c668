"""The tables of a training step compare contenders of the precision that they name."""

import pytest

from tools.tables import steps

# In bfloat16 PyTorch's first contender is the faster one, in float32 the second.
SECONDS = {
    "tfpaths": [2.0, 4.0, 2.0],
    "tfpaths, mixed_bfloat16": [1.0, 2.0, 1.0],
    "PyTorch": [4.0, 8.0, 6.0],
    "PyTorch, compiled": [3.0, 6.0, 4.0],
    "PyTorch, bfloat16": [2.0, 2.0, 2.5],
    "PyTorch, bfloat16, compiled": [2.5, 3.0, 3.0],
    "JAX": [0.1, 0.1, 0.1],
}


@pytest.mark.parametrize(
    ("precision", "ratios"), [("float32", [1.5, 1.5, 2.0]), ("bfloat16", [2.0, 1.0, 2.5]), (None, [2.0, 1.0, 2.5])]
)
def test_fastest_of_each_library_is_compared_turn_by_turn(precision, ratios):
    assert steps._over_torch(SECONDS, precision) == ratios


def test_share_of_the_peak_is_of_the_product_in_the_contenders_precision():
    step = {"operations": 6.0, "seconds": SECONDS, "product_flops": {"float32": [6.0] * 3, "bfloat16": [12.0] * 3}}
    assert steps._of_the_peak(step, "tfpaths") == 0.5
    assert steps._of_the_peak(step, "PyTorch, bfloat16") == 0.25


def test_memory_is_compared_in_float32():
    memory = {"tfpaths": 3, "tfpaths, mixed_bfloat16": 1, "PyTorch": 4, "PyTorch, bfloat16": 2, "JAX": 1}
    assert steps._memory({"contenders": {name: {"memory": value} for name, value in memory.items()}}) == 0.75


def test_sizes_that_were_not_measured_are_empty(monkeypatch):
    machine = {"version": "1", "date": "2026-01-01", "command": "c", "processor": "AMD", "cores": 2}
    rows = [("ns", 32), ("ns", 64), ("wgan", 32)]
    stored = {"made": machine, "steps": [{"variant": v, "side": s, "seconds": SECONDS} for v, s in rows]}
    monkeypatch.setattr(steps, "read", lambda name: stored)
    lines = steps.steps_bfloat16().splitlines()
    assert lines[0] == "| | 32×32, ms | our float32 | PyTorch | 64×64, ms | our float32 | PyTorch |"
    assert lines[3] == "| `wgan` | 1,000 ± 500 | 2.00 | 2.00 ± 0.8 | | | |"
    stored["steps"][0]["seconds"] = {"tfpaths": [1.0, 1.0]}
    assert steps.steps_bfloat16() == "*Not measured on 2 cores of an AMD: its float32 is faster.*"
