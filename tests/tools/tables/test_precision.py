"""The table of precisions has a row for each variant and precision, and the seeds in their order."""

from tools.tables import precision


def test_each_variant_and_precision_has_a_row(monkeypatch):
    metrics = lambda value: {  # noqa: E731
        "classifier_score": value, "frechet_classifier_distance": 2 * value, "modes_covered": 70.0
    }  # fmt: skip
    rows = [
        {"variant": "ns", "precision": name, "seed": seed, "metrics": metrics(value)}
        for name, seed, value in (("float32", 1, 2.0), ("float32", 0, 1.0), ("mixed_bfloat16", 0, 3.0))
    ]
    rows[0]["references"] = {"real": metrics(9.0), "noise": metrics(1.5)}
    machine = {"version": "1", "date": "2026-01-01", "command": "c", "processor": "AMD", "cores": 2}
    monkeypatch.setattr(precision, "read", lambda name: {"made": machine, "rows": rows})
    assert precision.precision().splitlines()[2:6] == [
        "| `ns` | float32 | 1.0, 2.0 | 2.0, 4.0 | 70, 70 |",
        "| `ns` | mixed_bfloat16 | 3.0 | 6.0 | 70 |",
        "| real images (floor) | | 9.0 | 18.0 | 70 |",
        "| noise (ceiling) | | 1.5 | 3.0 | 70 |",
    ]
