"""Training runs as a kind of experiment, for `launch`, `load` and `report`. No TensorFlow at import."""

import pathlib
from typing import TYPE_CHECKING, Any

from tfpaths import config as config_lib
from tfpaths import errors, kinds

if TYPE_CHECKING:
    from tfpaths.runs.report.section import Section


class TrainingKind(kinds.Kind):
    """Training of one game on one data set, with checkpoints, samples and an evaluation."""

    noun = "a training run"
    has_steps = True
    can_be_swept = True

    def describe(self, config: config_lib.Training) -> str:
        """Returns the data set, the variant and the number of steps.

        Example:
          >>> from tfpaths import experiments
          >>> KIND.describe(experiments.get("color_mnist_dragan_ns"))
          'color_mnist: non_saturating loss, dragan penalty, 20,000 steps'
        """
        return f"{config.data.name}: {config.variant.describe()}, {config.schedule.steps:,} steps"

    def complete(self, config: config_lib.Training) -> config_lib.Training:
        from tfpaths.runs import build

        return build.complete(config)

    def settled(self, config: config_lib.Training, stored: config_lib.Training) -> config_lib.Training:
        if config.data.source == "auto":
            config = config.replace(data=config.data.replace(source=stored.data.source))
        if config.networks.name == "auto":
            config = config.replace(networks=config.networks.replace(name=stored.networks.name))
        if config.precision == "auto":
            config = config.replace(precision=stored.precision)
        return config

    def may_change(self, path: str) -> bool:
        return path.startswith(("schedule.", "evaluation.")) and path != "schedule.batch_size"

    def train(
        self, config: config_lib.Training, workdir: str | pathlib.Path, settings: kinds.Settings
    ) -> kinds.Outcome:
        from tfpaths.runs import training

        return training.train(
            config,
            workdir,
            data_dir=settings.data_dir,
            strategy=settings.strategy,
            tpu=settings.tpu,
            cluster_timeout=settings.cluster_timeout,
            profile=settings.profile,
        )

    def evaluate(
        self, config: config_lib.Training, workdir: str | pathlib.Path, settings: kinds.Settings
    ) -> dict[str, Any]:
        from tfpaths.runs import evaluation

        return evaluation.evaluate(config, workdir, data_dir=settings.data_dir)

    def values(self, config: config_lib.Training, path: pathlib.Path) -> list[dict[str, float | None]]:
        from tfpaths.runs import results
        from tfpaths.runs.directory import RunDirectory

        stored = results.read_results(RunDirectory(path).results)
        if stored is None:
            raise errors.RunError(f"{config.name}: {RunDirectory(path).results} is missing or not valid.")
        return [stored["metrics"]]

    def programs(self, config: config_lib.Training) -> dict[str, str]:
        """Returns the SavedModel that is the extractor, if it is one.

        Example:
          >>> from tfpaths import experiments
          >>> KIND.programs(experiments.get("color_mnist_ns"))
          {}
        """
        name = config.evaluation.extractor
        return {} if name in config_lib.EXTRACTORS else {"evaluation.extractor": name}

    def load(self, path: pathlib.Path, config: config_lib.Training) -> Any:
        from tfpaths.runs import loading

        return loading.trained(path, config)

    def section(self, runs: Any) -> "Section":
        from tfpaths.runs.report import training

        return training.section(runs)


KIND = TrainingKind()
