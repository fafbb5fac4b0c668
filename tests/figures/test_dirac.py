"""The figures of the Dirac-GAN: their options, rows, sentence and picture."""

import json

import numpy as np
import pytest

from tfpaths import errors, experiments, plotting, schema
from tfpaths.experiments.variants import VARIANTS
from tfpaths.figures import dirac, runner
from tfpaths.runs.rows import read_rows


def drawn(name, **texts):
    texts = {"steps": "20", **texts}
    value = schema.override(experiments.get(name), {f"figure.{key}": text for key, text in texts.items()})
    config = runner.complete(value)
    return runner.build(config).draw(config, [])


def test_every_variant_has_one():
    names = {name.removeprefix("dirac_") for name in experiments.names() if name.startswith("dirac_")}
    assert names == {variant.name for variant in VARIANTS if not variant.spectral_normalization}


def test_settings_are_those_of_the_notebook():
    figure = runner.build(experiments.get("dirac_r1"))
    assert (figure.start, figure.steps) == ((1.0, 1.0), 500)
    variant = figure.variant
    # Its 0.3 psi is the derivative of 0.15 psi^2.
    assert variant.penalty.weight == 0.15
    for optimizer in (variant.generator_optimizer, variant.discriminator_optimizer):
        assert (optimizer.name, optimizer.learning_rate) == ("sgd", 0.2)
    assert runner.build(experiments.get("dirac_wgan")).variant.weight_clip == 1.0
    assert runner.build(experiments.get("dirac_wgan_gp")).variant.penalty.weight == 0.35
    noise = runner.build(experiments.get("dirac_ns_noise")).variant.instance_noise
    assert (noise.scale, noise.schedule) == (0.7, "constant")


def test_rows_are_the_paths(whole):
    path = whole("dirac_ns")
    rows = read_rows(path / "metrics.jsonl")
    steps = max(row["step"] for row in rows)
    assert [(row["updates"], row["start"], row["step"]) for row in rows] == [
        (updates, start, step)
        for updates in ("simultaneous", "alternating")
        for start in (1.0, 0.01)
        for step in range(steps + 1)
    ]
    first, second = rows[:2]
    assert (first["theta"], first["psi"]) == (1, 1)
    # psi - h theta s(1), theta + h psi s(-1)
    s = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose((second["theta"], second["psi"]), (1 + 0.2 * (1 - s), 1 - 0.2 * s), rtol=1e-5)
    np.testing.assert_allclose(second["distance"], np.hypot(second["theta"], second["psi"]), rtol=1e-9)
    stored = json.loads((path / "results.json").read_text())
    metrics = stored["metrics"]
    np.testing.assert_allclose(
        [metrics[f"{part}_{index}"] for index in (0, 1) for part in ("real", "imaginary")], [0, 0.5, 0, -0.5], atol=1e-3
    )
    last = next(row for row in rows if (row["updates"], row["start"], row["step"]) == ("alternating", 1.0, steps))
    assert metrics["alternating_distance"] == pytest.approx(last["distance"])
    assert stored["finding"].startswith("NS-GAN, on the Dirac-GAN: the eigenvalues at the equilibrium are ±0.5i (form")


def test_finding_of_a_damped_game():
    finding = drawn("dirac_r1", steps="400").finding
    # -g / 2 ± sqrt(g^2 / 4 - 1 / 4), g = 0.3; |1 + h lambda|^2 = 1 - 0.3 h + h^2 / 4.
    assert "NS-GAN with R1, weight 0.15, on the Dirac-GAN: the eigenvalues" in finding
    assert "are -0.15 ± 0.477i (formula: -0.15 ± 0.477i)." in finding
    assert f"(formula: {np.sqrt(1 - 0.3 * 0.2 + 0.2**2 / 4):.4f})" in finding
    assert "simultaneous steps end at a distance of" in finding
    critical = drawn("dirac_r1", weight="0.5").finding
    assert "are -0.5 and -0.5 (formula: -0.5 and -0.5)" in critical
    assert critical.endswith("The eigenvalue is double, so that the factor is reached only in the limit.")


def test_finding_without_an_equilibrium():
    drawing = drawn("dirac_wgan_gp")
    assert "there is no equilibrium. With θ = 0 the game asks for ψ = 0" in drawing.finding
    assert not [name for name in drawing.metrics if name.startswith(("real", "expected")) or name.endswith("factor")]


def test_steps_that_are_too_large():
    # 20 (|psi| - 1) in a step of 0.2: the excess is multiplied by -3.
    drawing = drawn("dirac_gan_gp", weight="10", steps="200")
    assert drawing.finding.count("leave every bound (a distance of ") == 2
    assert drawing.metrics["simultaneous_steps"] < 200
    assert all(np.isfinite(row["distance"]) for row in drawing.rows)


def test_games_optimizers_and_rates():
    finding = drawn("dirac_ns", game="consensus", game_weight="1", steps="100").finding
    assert finding.startswith(
        "NS-GAN, consensus 1, on the Dirac-GAN: the eigenvalues at the equilibrium are -0.25 ± 0.5i"
    )
    finding = drawn("dirac_wgan", optimizer="optimistic", generator_rate="0.1").finding
    assert finding.startswith("WGAN, |ψ| ≤ 1, optimistic, on the Dirac-GAN: ")
    assert "with rates of 0.2 for D and 0.1 for G" in finding
    drawing = drawn("dirac_ns", optimizer="adam", discriminator_steps="2", steps="5")
    assert not [name for name in drawing.metrics if name.endswith("factor")]
    assert drawing.finding.endswith(" at the end.")


def test_noise_zero_is_no_noise():
    assert drawn("dirac_ns_noise", noise="0", steps="5").rows == drawn("dirac_ns", steps="5").rows


def test_weight_that_decays_has_its_first_value():
    penalty = runner.build(experiments.get("dirac_ns_roth")).variant.penalty
    assert (penalty.weight, set(penalty.options)) == (1.0, {"weight"})


@pytest.mark.parametrize(
    ("name", "path", "text", "message"),
    [
        ("dirac_ns", "variant", "nss", "figure.variant: unknown variant 'nss'; did you mean 'ns'"),
        ("dirac_ns", "variant", "hinge_sn", "figure.variant: 'hinge_sn' divides D by its slope"),
        ("dirac_ns", "weight", "1", "figure.weight: the variant 'ns' has no penalty."),
        ("dirac_r1", "weight", "0", "figure.weight: expected a number above zero, received 0.0."),
        ("dirac_r3gan", "noise", "1", "figure.noise: the loss 'relativistic' compares pairs"),
        ("dirac_ns", "game", "consensu", "figure.game: unknown game 'consensu'; did you mean 'consensus'"),
        ("dirac_ns", "game", "dcd", "figure.game: 'dcd' begins with a finished run; here is none."),
        ("dirac_ns", "game_weight", "1", "figure.game_weight: the game 'gan' has no option 'weight'."),
        ("dirac_ns", "optimizer", "sdg", "figure.optimizer: unknown optimizer 'sdg'; did you mean 'sgd'"),
        ("dirac_ns", "start", "1", "figure.start: expected two finite numbers, theta and psi, received (1.0,)."),
        ("dirac_ns", "rate", "0", "figure.rate: expected a number above zero, received 0.0."),
        ("dirac_ns", "steps", "0", "figure.steps: expected a number above zero, received 0."),
        ("dirac_ns", "studies", "line1_ns", "figure.studies: 'dirac' has no option 'studies'"),
    ],
)
def test_invalid_options_are_refused(name, path, text, message):
    with pytest.raises(errors.InputError) as caught:
        runner.complete(schema.override(experiments.get(name), {f"figure.{path}": text}))
    assert message in str(caught.value)


def test_discriminator_steps_of_a_simultaneous_game_are_refused():
    value = experiments.get("dirac_ns")
    value = schema.override(value, {"figure.game": "consensus", "figure.discriminator_steps": "2"})
    with pytest.raises(errors.InputError, match="^figure.discriminator_steps: .* --set figure.discriminator_steps=1"):
        runner.complete(value)


def test_lines_are_the_rows():
    drawing = drawn("dirac_wgan", steps="3")
    config = runner.build(runner.complete(experiments.get("dirac_wgan")))
    shown = [row for row in drawing.rows if row["start"] == 1.0]
    points = np.stack(np.meshgrid([-2.0, 0.0, 2.0], [-2.0, 0.0, 2.0]), axis=-1)
    figure = dirac.picture(shown, points, points[..., ::-1] * [1, -1], config.variant, "WGAN", drawing.metrics)
    plane, distances = figure.axes
    path = [row for row in shown if row["updates"] == "simultaneous"]
    np.testing.assert_allclose(plane.lines[0].get_xydata(), [(row["theta"], row["psi"]) for row in path])
    np.testing.assert_allclose(distances.lines[1].get_ydata(), [row["distance"] for row in shown[4:]])
    assert sorted(line.get_ydata()[0] for line in plane.lines if line.get_linestyle() == ":") == [-1, 1]
    assert plotting.label("wgan") == plane.get_title() == "WGAN"
