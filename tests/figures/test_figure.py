"""What figures share: their options, their studies, and a user's own figure."""

import itertools
import math

import matplotlib.figure
import pytest
from helpers import names_of, registered

from tfpaths import config, errors, experiments, plotting, schema
from tfpaths.figures import FIGURES, runner
from tfpaths.figures.figure import Drawing, Figure, check_equal, number, percent
from tfpaths.runs import rows


def refused(value, path, text):
    with pytest.raises(errors.InputError) as caught:
        runner.complete(schema.override(value, {path: text}))
    return str(caught.value)


def test_registered_figures():
    assert sorted(FIGURES) == [
        "bound",
        "cauchy",
        "convergence",
        "dimensions",
        "dirac",
        "generalization",
        "gradients",
        "jacobian",
        "langevin",
        "layers",
        "noise",
        "overfit",
        "path",
        "perfect_line",
        "ratio",
        "refine",
        "rises",
        "snapshots",
        "surfaces",
    ]


@pytest.mark.parametrize("name", names_of("figure"))
def test_round_trip(name):
    value = runner.complete(experiments.get(name))
    assert config.from_dict(schema.to_dict(value)) == value
    assert runner.complete(value) == value
    texts = {path: ",".join(map(str, v)) if isinstance(v, tuple) else str(v) for path, v in schema.flat(value).items()}
    changed = {path: text for path, text in texts.items() if path not in ("kind", "name")}
    assert runner.complete(schema.override(experiments.get(name), changed)) == value


@pytest.mark.parametrize(
    ("name", "path", "text", "message"),
    [
        ("figure_5", "study.dimension", "8", "study.dimension: unknown field 'dimension'"),
        ("figure_5", "study.latents", "2", "study.latents: unknown field 'latents'"),
        ("figure_5", "figure.dimensions", "2,x", "figure.dimensions: expected an integer, received 'x'"),
        ("figure_5", "figure.dimensions", "1,2", "figure.dimensions.0: expected a number of at least 2, received 1"),
        ("figure_5", "figure.dimensions", "8,8", "figure.dimensions: expected numbers of at least 2, each once"),
        ("figure_5", "figure.dimensions", "2,02", "figure.dimensions: expected numbers of at least 2, each once"),
        ("figure_5", "figure.dimension", "2", "figure.dimension: 'dimensions' has no option 'dimension'; did you mean"),
        ("figure_3", "figure.dimensions", "4", "figure.dimensions: 'snapshots' has no option 'dimensions'"),
        ("figure_paths", "figure.dimension", "2,4", "figure.dimension: expected an integer, received '2,4'"),
        ("figure_3", "figure.shown_run", "1000", "figure.shown_run: expected one of the 1000 runs, received 1000"),
        ("figure_3", "figure.shown_run", "-1", "figure.shown_run: expected a number of at least zero, received -1"),
        ("figure_3", "study.players", "false", "study.players: unknown field 'players'"),
        ("figure_5", "variant.discriminator_steps", "2", "variant.discriminator_steps: unknown field 'variant'"),
        ("figure_2", "figure.studies", "line1_ns", "figure.studies: 'gradients' has no option 'studies'"),
        ("figure_2", "schedule.steps", "5", "schedule: figure_2 is not drawn from studies and has no 'schedule'."),
        ("figure_2", "study.runs", "5", "study: figure_2 is not drawn from studies and has no 'study'."),
        (
            "figure_ratio",
            "schedule.steps",
            "5",
            "schedule: figure_ratio has no 'schedule', since it trains critics, not",
        ),
        (
            "figure_ratio",
            "study.runs",
            "5",
            "'study', since it trains critics, not studies. To fix this: set figure.runs.",
        ),
        ("figure_ratio", "figure.studies", "line1_ns", "figure.studies: 'ratio' has no option 'studies'"),
        ("figure_ratio", "figure.steps", "400,10", "figure.steps: expected steps, each larger than the one before"),
        ("figure_ratio", "figure.steps", "", "figure.steps: expected steps, each larger than the one before"),
        ("figure_ratio", "figure.shown_step", "7", "figure.shown_step: expected one of figure.steps (10, 20, 40, 100"),
        ("figure_ratio", "figure.runs", "0", "figure.runs: expected a number above zero, received 0"),
        ("figure_langevin", "figure.steps", "3,1", "figure.steps: expected steps, each larger than the one before"),
        ("figure_langevin", "figure.steps", "", "figure.steps: expected steps, each larger than the one before"),
        ("figure_langevin", "figure.chains", "1", "figure.chains: expected a number of at least 2, received 1"),
        ("figure_refine", "figure.samples", "2", "figure.samples: expected a number of at least 3, received 2"),
        ("figure_refine", "figure.step_size", "0", "figure.step_size: expected a number above zero, received 0"),
        ("figure_refine", "study.runs", "5", "study: figure_refine is not drawn from studies and has no 'study'."),
        ("figure_bound", "figure.distances", "1,0.1", "figure.distances: expected distances, each larger than the one"),
        ("figure_bound", "figure.distances", "0", "figure.distances.0: expected a number above zero, received 0"),
        ("figure_cauchy", "figure.runs", "1", "figure.runs: expected a number of at least 2, received 1"),
        ("figure_cauchy", "figure.batch_sizes", "4,1", "figure.batch_sizes: expected sizes, each larger than the one"),
        (
            "figure_cauchy",
            "figure.examples",
            "65535",
            "figure.examples: expected a multiple of each of figure.batch_sizes, received 65535.",
        ),
        (
            "figure_cauchy",
            "figure.examples",
            "8192",
            "figure.examples: expected at least 16 batches of the largest size, that is 16384, received 8192.",
        ),
        ("figure_cauchy", "study.runs", "5", "study: figure_cauchy is not drawn from studies and has no 'study'."),
        ("figure_surfaces", "figure.steps", "9,3", "figure.steps: expected steps, each larger than the one before"),
        ("figure_surfaces", "figure.clip", "0", "figure.clip: expected a number above zero, received 0"),
        ("figure_surfaces", "schedule.steps", "5", "schedule: figure_surfaces is not drawn from studies and has no"),
        ("figure_gradients", "figure.clips", "0.01,0.1", "figure.clips: expected limits, each smaller than the one"),
        ("figure_gradients", "figure.clips", "", "figure.clips: expected limits, each smaller than the one before"),
        ("figure_overfit", "figure.updates", "2010", "figure.updates: expected a multiple of 100, five updates a step"),
        (
            "figure_overfit",
            "figure.source",
            "mnist",
            "figure.source: expected one of auto, tfds, embedded, received 'mnist'",
        ),
        (
            "figure_convergence",
            "figure.every",
            "150",
            "figure.every: expected an even divisor of the 2000 figure.steps",
        ),
        ("figure_convergence", "figure.every", "25", "figure.every: expected an even divisor of the 2000 figure.steps"),
        ("figure_convergence", "figure.data", "ring", "figure.data: expected a data set of images, received 'ring'"),
        ("figure_convergence", "figure.data", "cifar", "figure.data: unknown data set 'cifar'; did you mean 'cifar10'"),
        ("figure_convergence", "figure.source", "embedded", "figure.source: unknown source 'embedded'"),
        ("figure_convergence", "figure.methods", "wgan,adam", "figure.methods: expected names from wgan, wgan_gp_rms"),
        ("figure_gradients", "figure.runs", "0", "figure.runs: expected a number above zero, received 0"),
        (
            "figure_generalization",
            "figure.dimensions",
            "8,2",
            "figure.dimensions: expected sizes, each larger than the one",
        ),
        ("figure_generalization", "figure.samples", "", "figure.samples: expected sizes, each larger than the one"),
        ("figure_generalization", "figure.runs", "1", "figure.runs: expected a number of at least 2, received 1"),
        ("figure_generalization", "figure.noise", "0", "figure.noise: expected a number above zero, received 0"),
        ("figure_1", "figure.studies", "", "figure.studies: expected the name of one study, received ()"),
        ("figure_1", "figure.studies", "line1_ns,line1_minimax", "figure.studies: expected the name of one study"),
        ("figure_3", "figure.studies", "", "figure.studies: expected names of studies, each once, received ()"),
        ("figure_5", "figure.studies", "line1_ns,line1_ns", "figure.studies: expected names of studies, each once"),
        ("figure_5", "study", "none", "study: expected a value, received none; figure_5 is drawn from studies."),
        ("figure_5", "schedule", "none", "schedule: expected a value, received none; figure_5 is drawn from studies."),
        ("figure_1", "figure.name", "paths", "figure.name: unknown figure 'paths'; did you mean 'path'"),
        ("figure_1", "figure.name", "gradients", "figure.studies: 'gradients' has no option 'studies'"),
        ("figure_5", "figure.studies", "line1_nss", "figure.studies: unknown experiment 'line1_nss'; did you mean"),
        (
            "figure_5",
            "figure.studies",
            "cifar10_ns",
            "expected names of studies, received 'cifar10_ns', a training run",
        ),
        ("figure_5", "figure.studies", "figure_1", "expected names of studies, received 'figure_1', a figure"),
        (
            "figure_3",
            "figure.studies",
            "line1_ns,line2_ns",
            "figure.studies: expected studies with the same study.latents, received 1 in line1_ns, 3 in line2_ns.",
        ),
        (
            "figure_3",
            "figure.studies",
            "line1_ns,line1_wgan_gp",
            "figure.studies: expected studies with the same variant.discriminator_steps, received 1 in line1_ns, 5 in",
        ),
        ("figure_paths", "figure.studies", "line1_ns,line2_ns", "figure.studies: expected studies with the same"),
    ],
)
def test_invalid_fields_are_refused(name, path, text, message):
    assert message in refused(experiments.get(name), path, text)


def test_missing_option_is_refused():
    value = experiments.get("figure_3").replace(figure=config.Drawing(name="snapshots"))
    with pytest.raises(errors.InputError, match=r"^figure.studies: expected a value, received none\.$"):
        runner.complete(value)


def test_invalid_figure_writes_nothing(small, tmp_path):
    with pytest.raises(errors.InputError, match="expected studies with the same"):
        runner.run(small("figure_3", figure__studies="line1_ns,line2_ns"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def studies(name, **texts):
    value = schema.override(experiments.get(name), {key.replace("__", "."): text for key, text in texts.items()})
    return runner.build(value).studies(value)


def test_studies_cover_every_dimension():
    made = studies("figure_5", seed="3", study__start="parallel", study__depth="3")
    names = [f"line{number}_{variant}" for number in (1, 2) for variant in ("ns", "gan_gp", "dragan_ns", "wgan_gp")]
    assert [(one.name, one.study.dimension) for one in made] == list(itertools.product(names, (2, 8, 32)))
    for one in made:
        assert one.study.latents == (1 if one.name.startswith("line1") else 3)
        assert (one.seed, one.study.start, one.study.runs, one.study.depth) == (3, "parallel", 1000, 3)
        assert one.variant == experiments.get(one.name).variant


def test_variants_have_equal_discriminator_updates():
    for one in studies("figure_5"):
        assert one.schedule.steps * one.variant.discriminator_steps == 4000
        assert one.schedule.steps / one.schedule.log_every == 20


@pytest.mark.parametrize(("name", "players"), [("figure_1", True), ("figure_3", True), ("figure_paths", False)])
def test_players_are_recorded_only_if_drawn(name, players):
    assert {one.study.players for one in studies(name)} == {players}


class Medians(Figure):
    """The median distance of each study, as bars."""

    def __init__(self, *, bar_width: schema.Positive = 0.5, **kwargs):
        super().__init__(**kwargs)
        self.bar_width = bar_width

    def draw(self, config, cells):
        medians = {cell.variant: cell.summary()["distance_median"] for cell in cells}

        def picture():
            figure = matplotlib.figure.Figure()
            figure.subplots().bar(list(medians), list(medians.values()), width=self.bar_width)
            return figure

        made = [{"step": 0, "variant": variant, "median": median} for variant, median in medians.items()]
        return Drawing(made, plotting.png(picture), medians | {"bar_width": self.bar_width}, "These are the medians.")


def test_custom_figure(small, tmp_path):
    with registered(FIGURES, "medians", Medians):
        base = small("figure_5").replace(figure=config.Drawing(name="medians", studies=("line1_ns",), bar_width=0.25))
        outcome = runner.run(base, tmp_path)
        assert outcome.finding == "These are the medians."
        assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
        (row,) = rows.read_rows(tmp_path / "metrics.jsonl")
        assert math.isfinite(row["median"])
        # An option of the figure may change: the figure is drawn again.
        runner.run(schema.override(base, {"figure.bar_width": "0.75"}), tmp_path)
        stored = runner.results.read_results(tmp_path / "results.json")
        assert stored["metrics"]["bar_width"] == 0.75
        assert stored["protocol"]["studies"] == ["line1_ns"]
        assert refused(base, "figure.bar_width", "0") == (
            "figure.bar_width: expected a number above zero, received 0.0."
        )
        assert refused(base, "figure.bar_widht", "1") == (
            "figure.bar_widht: 'medians' has no option 'bar_widht'; did you mean 'bar_width'? "
            "Its options: bar_width, studies."
        )


def test_check_equal():
    one, other = experiments.get("line1_ns"), experiments.get("line2_ns")
    check_equal([one, other], "seed", lambda study: study.seed)
    with pytest.raises(errors.InputError, match="same study.latents, received 1 in line1_ns, 3 in line2_ns"):
        check_equal([one, other], "study.latents", lambda study: study.study.latents)


def test_number_and_percent_format():
    assert (number(None), number(0.1234), percent(1.0), percent(0.0034)) == ("no number", "0.12", "100 %", "0.34 %")
