"""The figure of finite samples: rows, intervals, sentence and picture."""

import json
import math

import numpy as np
import pytest
import scipy.stats

from tfpaths.figures import finite_samples, generalization
from tfpaths.metrics.assignment import wasserstein
from tfpaths.runs.rows import read_rows


def test_rows_and_metrics(whole):
    path = whole("figure_generalization")
    rows = read_rows(path / "metrics.jsonl")
    sizes = [(dimension, num) for dimension in (2, 64) for num in (16, 32)]
    assert [(row["dimension"], row["samples"], row["run"]) for row in rows] == [
        (*size, run) for size in sizes for run in range(3)
    ]
    row = rows[-1]
    first, second, *fresh = finite_samples.sample(64, 32, seed=0, run=2).astype(np.float64)
    assert row["w1"] == pytest.approx(wasserstein(first, second))
    assert (row["linear"], row["linear_fresh"]) == pytest.approx(finite_samples.of_linear(first, second, *fresh))
    stored = json.loads((path / "results.json").read_text())
    found, of_last = stored["metrics"], np.array([row["mlp"] for row in rows[-3:]])
    assert found["d64_m32_mlp"] == pytest.approx(of_last.mean())
    half = scipy.stats.t.ppf(0.975, 2) * of_last.std(ddof=1) / math.sqrt(3)
    assert found["d64_m32_mlp_high"] - found["d64_m32_mlp"] == pytest.approx(half)
    # Keras counts a weight for each input, a bias and an output of each of 4 units, and one more bias.
    assert (found["runs"], found["d64_parameters"]) == (3, 66 * 4 + 1)
    assert f"are W₁ = {found['d64_m32_w1']:.3f} apart" in stored["finding"]
    assert f"{found['d64_m32_js'] / math.log(2):.0%} of the largest JS" in stored["finding"]
    assert f"is {found['d64_m32_linear']:.3f} (√(2/m) = 0.250)" in stored["finding"]
    mlp, fresh = (found[f"d2_m32_{name}"] for name in ("mlp", "mlp_fresh"))
    assert f"tells apart its own samples by {mlp:.2f} and new ones by {fresh:.2f} with 17 weights" in stored["finding"]


def test_one_size_has_no_slope():
    values = dict.fromkeys(generalization.DISTANCES, 0.5)
    rows = [{"dimension": 2, "samples": 8, "run": run, **values} for run in range(2)]
    found = generalization.metrics(rows)
    assert "linear_slope" not in found
    assert "slope" not in generalization.finding(found | {"d2_parameters": 9.0}, (2,), (8,))


def test_lines_are_the_means():
    rows = [
        {"dimension": d, "samples": m, "run": run}
        | {name: (index + 1) * d / m + run for index, name in enumerate(generalization.DISTANCES)}
        for d in (2, 8)
        for m in (16, 64)
        for run in (0, 1)
    ]
    left, right = generalization.picture(rows).axes
    label = generalization.DISTANCES["linear"][0]
    # The third distance: 3 d / m, and half a run.
    dashed, solid = (line.get_xydata() for line in left.lines if line.get_label() == label)
    np.testing.assert_allclose(dashed, [(16, 6 / 16 + 0.5), (64, 6 / 64 + 0.5)])
    np.testing.assert_allclose(solid, [(16, 24 / 16 + 0.5), (64, 24 / 64 + 0.5)])
    (root,) = (line.get_xydata() for line in left.lines if line.get_label() == "√(2/m)")
    np.testing.assert_allclose(root, [(16, math.sqrt(1 / 8)), (64, math.sqrt(1 / 32))])
    (last,) = (line.get_xydata() for line in right.lines if line.get_label() == "the same MLP, new samples")
    np.testing.assert_allclose(last, [(2, 12 / 64 + 0.5), (8, 48 / 64 + 0.5)])
