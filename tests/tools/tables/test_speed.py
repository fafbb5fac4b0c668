"""The table of a step on texts compares contenders of one precision, and each library's best."""

from tools.tables import speed

SECONDS = {
    "tfpaths": [4.0, 4.0],
    "PyTorch": [5.0, 5.0],
    "PyTorch, compiled": [4.8, 4.8],
    "tfpaths, bfloat16": [2.0, 2.0],
    "PyTorch, bfloat16": [6.0, 6.0],
}


def test_texts_are_compared_in_one_precision_and_at_the_best(monkeypatch):
    machine = {"version": "1", "date": "2026-01-01", "command": "c", "processor": "AMD", "cores": 2}
    monkeypatch.setattr(speed, "read", lambda name: {"made": machine, "width": 8, "clock": "wall", "seconds": SECONDS})
    lines = speed.text().splitlines()
    assert lines[2:7] == [
        "| tfpaths | 4.00 | |",
        "| PyTorch | 5.00 | 1.25 |",
        "| PyTorch, compiled | 4.80 | 1.20 |",
        "| tfpaths, bfloat16 | 2.00 | |",
        "| PyTorch, bfloat16 | 6.00 | 3.00 |",
    ]
    assert lines[-2:] == [
        "| each at its best precision, PyTorch, compiled over tfpaths, bfloat16 | 2.40 | reached |",
        "| in float32, the fastest PyTorch over ours | 1.20 | **not reached** |",
    ]
