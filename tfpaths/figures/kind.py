"""Figures as a kind of experiment. No TensorFlow at import."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any

from tfpaths import config as config_lib
from tfpaths import errors, kinds

if TYPE_CHECKING:
    from tfpaths.runs.report.section import Section

# The most studies that `describe` names.
_NAMED = 4


class FigureKind(kinds.Kind):
    """A picture, drawn from studies, from formulas or from networks that the figure trains."""

    noun = "a figure"

    def describe(self, config: config_lib.Figure) -> str:
        """Returns the figure's kind and the studies, or the variant, that it is drawn from.

        Example:
          >>> from tfpaths import experiments
          >>> KIND.describe(experiments.get("figure_4"))
          'snapshots of line2_ns, line2_gan_gp, line2_dragan_ns'
        """
        studies = config.figure.options.get("studies")
        if config.study is None or not studies:
            variant = config.figure.options.get("variant")
            return f"{config.figure.name}, without studies" if variant is None else f"{config.figure.name} of {variant}"
        names = studies.split(",") if isinstance(studies, str) else list(map(str, studies))  # type: ignore[arg-type]
        rest = f", … ({len(names)} studies)" if len(names) > _NAMED else ""
        return f"{config.figure.name} of {', '.join(names[:_NAMED])}{rest}"

    def complete(self, config: config_lib.Figure) -> config_lib.Figure:
        from tfpaths.figures import runner

        return runner.complete(config)

    def may_change(self, path: str) -> bool:
        # A figure is redrawn from its studies, and missing studies are trained. `study.continued` checks the length of
        # runs, with an error of its own.
        return (
            path in ("study.runs", "study.block")
            or (path.startswith("figure.") and path != "figure.name")
            or (path.startswith("schedule.") and path != "schedule.batch_size")
        )

    def programs(self, config: config_lib.Figure) -> dict[str, str]:
        """Returns the SavedModel that is the extractor, if it is one."""
        name = config.figure.options.get("extractor")
        return {} if name is None or name in config_lib.EXTRACTORS else {"figure.extractor": str(name)}

    def train(self, config: config_lib.Figure, workdir: str | pathlib.Path, settings: kinds.Settings) -> kinds.Outcome:
        from tfpaths.figures import runner
        from tfpaths.runs import distribution

        self.check_settings(config, settings)
        if runner.build(config).trainings(config):
            if settings.strategy not in ("auto", "one_device") or settings.tpu is not None:
                raise errors.InputError(f"--strategy: {config.name} trains on one device; remove the flag.")
            settings = dataclasses.replace(settings, strategy="one_device")
        devices = distribution.get(settings.strategy, settings.tpu, settings.cluster_timeout)
        return runner.run(config, workdir, devices=devices, data_dir=settings.data_dir)

    def section(self, runs: Any) -> "Section":
        from tfpaths.figures import report

        return report.section(runs)


KIND = FigureKind()
