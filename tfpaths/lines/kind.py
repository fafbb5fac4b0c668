"""Studies as a kind of experiment. No TensorFlow at import."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfpaths import config as config_lib
from tfpaths import kinds

if TYPE_CHECKING:
    from tfpaths.runs.report.section import Section


class StudyKind(kinds.Kind):
    """Many independent GANs on lines or on points."""

    noun = "a study"
    can_be_swept = True

    def describe(self, config: config_lib.Study) -> str:
        """Returns the number of runs, the problem and the variant.

        Example:
          >>> from tfpaths import experiments
          >>> KIND.describe(experiments.get("line1_gan_gp"))
          '1,000 GANs on a line in R^2, 1 latent: non_saturating loss, interpolation penalty'
        """
        study = config.study
        latents = f"{study.latents} latent{'s' if study.latents > 1 else ''}"
        where = f"a line in R^{study.dimension}" if study.problem == "line" else study.data.name
        return f"{study.runs:,} GANs on {where}, {latents}: {config.variant.describe()}"

    def complete(self, config: config_lib.Study) -> config_lib.Study:
        from tfpaths.lines import study

        return study.complete(config)

    def may_change(self, path: str) -> bool:
        # A run does not depend on its block. `study.continued` checks the length of runs, with an error of its own.
        # It checks the values of settings too, of which more runs have more.
        return (
            path in ("study.runs", "study.block")
            or (path.startswith("settings.") and path.endswith(".values"))
            or (path.startswith("schedule.") and path != "schedule.batch_size")
        )

    def train(self, config: config_lib.Study, workdir: str | pathlib.Path, settings: kinds.Settings) -> kinds.Outcome:
        from tfpaths.lines import study
        from tfpaths.runs import distribution

        self.check_settings(config, settings)
        devices = distribution.get(settings.strategy, settings.tpu, settings.cluster_timeout)
        return study.run(config, workdir, devices=devices)

    def own_fields(self, config: config_lib.Study) -> frozenset[str]:
        from tfpaths.lines import hyperparameters

        return frozenset(hyperparameters.common(config))

    def of_trials(self, config: config_lib.Study, settings: Sequence[Mapping[str, float]]) -> config_lib.Study:
        columns = tuple(
            config_lib.Setting(path=path, values=tuple(float(fields[path]) for fields in settings))
            for path in settings[0]
        )
        return config.replace(settings=columns, study=config.study.replace(runs=len(settings)))

    def values(self, config: config_lib.Study, path: pathlib.Path) -> list[dict[str, float | None]]:
        from tfpaths.lines import statistics
        from tfpaths.runs import rows
        from tfpaths.runs.directory import RunDirectory

        return statistics.outcomes(rows.read_rows(RunDirectory(path).metrics), config.study.runs)

    def section(self, runs: Any) -> "Section":
        from tfpaths.lines import report

        return report.section(runs)


KIND = StudyKind()
