"""A custom metric: registered, computed, reported, with its option in the config."""

import numpy as np
import pytest
from helpers import registered

from tfpaths import config, errors, schema
from tfpaths.metrics import METRICS, Metric, UnavailableError, complete, sources
from tfpaths.metrics.evaluator import Evaluator
from tfpaths.metrics.metric import Picture
from tfpaths.schema import PositiveInt

EMBEDDED = config.Data(name="color_mnist", source="embedded")
NOISE = sources.noise((28, 28, 3), 0)


class Brightness(Metric):
    """The mean of all numbers, of some samples."""

    computed = 0

    def __init__(self, *, bright_samples: PositiveInt = 30):
        self.bright_samples = bright_samples

    def compute(self, context, source, count=None):
        type(self).computed += 1
        values = source.batches(0, source.at_most(count or self.bright_samples))
        return {"brightness": float(np.mean(values)), "brightness_real": float(np.mean(context.real.some(0, 9)))}

    def protocol(self, context):
        return {"bright_samples": self.bright_samples}


@pytest.fixture
def brightness():
    with registered(METRICS, "brightness", Brightness):
        yield Brightness


def measuring(*names, **fields):
    return config.Evaluation(metrics=names, **fields)


@pytest.mark.usefixtures("brightness")
class TestCustomMetric:
    def test_computed_with_its_option_and_reported(self):
        evaluator = Evaluator(EMBEDDED, measuring("brightness", bright_samples=7))
        found = evaluator.measure(NOISE)
        assert found["brightness"] == pytest.approx(float(np.mean(NOISE.batches(0, 7))))
        assert evaluator.measure(NOISE, count=3)["brightness"] == pytest.approx(float(np.mean(NOISE.batches(0, 3))))
        assert evaluator.protocol()["bright_samples"] == 7

    def test_auto_includes_it_last(self):
        assert Evaluator(EMBEDDED, config.Evaluation(samples=300)).metrics[-1] == "brightness"

    def test_references_are_cached_by_option(self, own_cache):
        first = measuring("brightness", bright_samples=7, references=True)
        found = Evaluator(EMBEDDED, first).references()
        assert found["real"]["brightness"] < -0.5 < found["noise"]["brightness"]
        computed = Brightness.computed
        assert Evaluator(EMBEDDED, first.replace(references=False)).references() == found
        assert Evaluator(EMBEDDED, measuring("brightness", bright_samples=8)).references() == {}
        assert Brightness.computed == computed

    def test_references_depend_on_the_version(self, own_cache, monkeypatch):
        Evaluator(EMBEDDED, measuring("brightness", references=True)).references()
        monkeypatch.setattr(Brightness, "version", 2)
        assert Evaluator(EMBEDDED, measuring("brightness")).references() == {}

    @pytest.mark.parametrize(
        ("fields", "line"),
        [
            ({"bright_sample": 7}, r"evaluation\.bright_sample: unknown field .*; did you mean 'bright_samples'"),
            ({"bright_samples": 0}, r"evaluation\.bright_samples: expected a number above zero, received 0"),
            ({"bright_samples": "x"}, r"evaluation\.bright_samples: expected an integer, received 'x'"),
            ({"metrics": ("britness",)}, r"evaluation\.metrics: unknown metric 'britness'; did you mean 'brightness'"),
            (
                {"every_metrics": ("scors",)},
                r"evaluation\.every_metrics: unknown metric 'scors'; did you mean 'scores'",
            ),
        ],
    )
    def test_invalid_names_and_options_are_refused(self, fields, line):
        with pytest.raises(errors.InputError, match=line):
            Evaluator(EMBEDDED, config.Evaluation(**fields))

    def test_option_can_be_set_on_the_command_line(self):
        changed = schema.assign(config.Evaluation(), ["bright_samples=12", "metrics=brightness,ms_ssim"])
        assert complete(changed).options["bright_samples"] == 12
        assert changed.metrics == ("brightness", "ms_ssim")


def test_complete_adds_defaults_and_is_idempotent():
    value = complete(config.Evaluation(critic_steps=5))
    assert value.options == {
        "critic_steps": 5,
        "mode_samples": 26_000,
        "assignment_samples": 1_000,
        "neural_net_samples": 2_000,
        "neural_net_steps": 500,
        "birthday_samples": 5_000,
        "birthday_quantile": 1e-4,
        "duality_steps": 100,
    }
    assert complete(value) == value


def test_option_of_an_unregistered_metric_is_refused():
    with pytest.raises(errors.InputError, match=r"evaluation\.bright_samples: unknown field 'bright_samples'"):
        complete(config.Evaluation(bright_samples=7))


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ("samples: int = 3", r"evaluation\.samples: this field cannot also be the option of a metric"),
        ("needed: int", r"evaluation\.needed: expected a value, received none"),
    ],
)
def test_metric_with_invalid_options_is_refused(parameters, line):
    space = {}
    exec(f"def __init__(self, *, {parameters}): pass", space)
    cls = type("Impossible", (Metric,), {"__init__": space["__init__"]})
    with registered(METRICS, "impossible", cls), pytest.raises(errors.InputError, match=line):
        complete(config.Evaluation())


def test_auto_leaves_opt_in_metrics_out(monkeypatch):
    monkeypatch.setattr(Brightness, "opt_in", True)
    with registered(METRICS, "brightness", Brightness):
        wanted = config.Evaluation(samples=300, every=1, every_samples=250)
        evaluator = Evaluator(EMBEDDED, wanted)
        assert evaluator.metrics == ("scores", "ms_ssim", "modes", "critic")
        assert evaluator.every_metrics == ("scores", "ms_ssim", "modes")
        assert Evaluator(EMBEDDED, measuring("brightness")).metrics == ("brightness",)


def test_pictures_of_metrics_have_their_captions(monkeypatch):
    picture = Picture(b"png", "What it shows.")
    monkeypatch.setattr(Brightness, "pictures", lambda self, context, source: {"bright": picture})
    with registered(METRICS, "brightness", Brightness):
        evaluator = Evaluator(EMBEDDED, measuring("brightness", "ms_ssim"))
        assert evaluator.pictures(NOISE) == {"bright": picture}
        assert evaluator.pictures(NOISE, ("ms_ssim",)) == {}


def test_metric_without_compute_is_an_error():
    with registered(METRICS, "empty", type("Empty", (Metric,), {})), pytest.raises(NotImplementedError, match="define"):
        Evaluator(EMBEDDED, measuring("empty")).measure(NOISE)


class Needy(Metric):
    """A metric that is unavailable on this machine."""

    def missing(self, context):
        return "has no sound" if context.data.name == "cifar10" else None

    def check(self, context, count=None):
        raise UnavailableError("needy: expected a microphone.")


class TestUnavailable:
    @pytest.fixture(autouse=True)
    def needy(self):
        with registered(METRICS, "needy", Needy):
            yield

    def test_lenient_auto_skips_unavailable_metrics(self, caplog):
        wanted = config.Evaluation(samples=300, every=1, every_samples=250)
        evaluator = Evaluator(EMBEDDED, wanted, lenient=True)
        assert evaluator.metrics == ("scores", "ms_ssim", "modes", "critic")
        assert evaluator.every_metrics == ("scores", "ms_ssim", "modes")
        assert caplog.text.count("needy: left out. needy: expected a microphone.") == 1

    @pytest.mark.parametrize("lenient", [True, False])
    def test_named_unavailable_metric_is_an_error(self, lenient):
        with pytest.raises(errors.InputError, match="expected a microphone"):
            Evaluator(EMBEDDED, measuring("needy"), lenient=lenient)

    def test_evaluation_is_not_lenient_by_default(self):
        with pytest.raises(errors.InputError, match="expected a microphone"):
            Evaluator(EMBEDDED, config.Evaluation(samples=300))

    @pytest.mark.parametrize("field", ["metrics", "every_metrics"])
    def test_unsupported_metric_error_names_its_field(self, field):
        wanted = config.Evaluation(**{"metrics": ("ms_ssim",), field: ("needy",)}, every=1)
        line = rf"evaluation\.{field}: 'needy' cannot be computed for cifar10, which has no sound\."
        with pytest.raises(errors.InputError, match=line):
            # Refused before any data is read: the data does not exist.
            Evaluator(config.Data(name="cifar10"), wanted, data_dir="/nowhere")
