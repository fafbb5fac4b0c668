"""Sweeps as a kind of experiment. No TensorFlow at import."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfpaths import config as config_lib
from tfpaths import errors, kinds, schema

if TYPE_CHECKING:
    from tfpaths.runs.report.section import Section

# The most axes that `describe` names.
_NAMED = 3
_KEPT = "experiments="
# Fields that say what an experiment is, or that the sweep sets itself.
_FIXED = ("kind", "name", "settings", "study.runs", "study.block", "study.players")


class SweepKind(kinds.Kind):
    """Experiments with many settings of their fields.

    Example: see its method `describe`.
    """

    noun = "a sweep"
    has_trials = True

    def describe(self, config: config_lib.Sweep) -> str:
        """Returns the number of settings, the axes and the experiments.

        Example:
          >>> from tfpaths import experiments
          >>> KIND.describe(experiments.get("robustness_color_mnist"))
          '24 settings of 4 experiments: learning_rate, weight, beta_1, …'
        """
        from tfpaths.sweeps import plan

        fields = list(dict.fromkeys(path.split(".")[-1] for axis in config.space for path in axis.paths))
        named = ", ".join(fields[:_NAMED]) + (", …" if len(fields) > _NAMED else "")
        count = len(config.experiments)
        experiments = config.experiments[0].name if count == 1 else f"{count} experiments"
        return f"{plan.trials(config):,} settings of {experiments}: {named}"

    def complete(self, config: config_lib.Sweep) -> config_lib.Sweep:
        from tfpaths.sweeps import plan

        return plan.complete(config)

    def changed(self, config: config_lib.Sweep, assignments: Sequence[str]) -> config_lib.Sweep:
        """Returns the sweep with changes: a field of the sweep is changed there, another one in its experiments.

        `seed` is changed in both, and `experiments=NAME,…` keeps some of the experiments.

        Raises:
          InputError: A change is invalid for the sweep, or for all experiments.
        """
        for names in (one.removeprefix(_KEPT).split(",") for one in assignments if one.startswith(_KEPT)):
            known = {one.name: one for one in config.experiments}
            kept = [known[errors.choose("experiment of this sweep", name, known, path="experiments")] for name in names]
            config = config.replace(experiments=tuple(kept))
        assignments = [one for one in assignments if not one.startswith(_KEPT)]
        of_sweep = [one for one in assignments if one.partition("=")[0].split(".")[0] in config_lib.Sweep.model_fields]
        config = schema.assign(config, of_sweep)
        experiments = list(config.experiments)
        for assignment in assignments:
            if assignment in of_sweep and assignment.partition("=")[0] != "seed":
                continue
            failed: list[errors.InputError] = []
            for index, experiment in enumerate(experiments):
                try:
                    experiments[index] = kinds.of(experiment).changed(experiment, [assignment])
                except errors.InputError as error:
                    failed.append(error)
            if len(failed) == len(experiments):
                raise failed[0]
        return config.replace(experiments=tuple(experiments))

    def swept(self, config: config_lib.Sweep, axes: Sequence[str], trials: int | None) -> config_lib.Sweep:
        if axes:
            return super().swept(config, axes, trials)
        return config if trials is None else config.replace(trials=trials)

    def trials(self, config: config_lib.Sweep) -> int:
        from tfpaths.sweeps import plan

        return plan.trials(config) * len(config.experiments)

    def check_settings(self, config: config_lib.Sweep, settings: kinds.Settings) -> None:
        """Checks the engine and the axes before TensorFlow is imported."""
        from tfpaths.sweeps import plan
        from tfpaths.sweeps.engines import ENGINES

        super().check_settings(config, settings)
        if settings.strategy not in ("auto", "one_device") or settings.tpu is not None:
            raise errors.InputError("--strategy: a sweep's trials train on one device each; remove the flag.")
        plan.shard(settings.shard)
        ENGINES.lookup(settings.engine or "local", path="--engine")(settings.jobs).check()
        for path in (path for axis in config.space for path in axis.paths):
            if path in _FIXED or path.split(".")[0] in _FIXED:
                raise errors.InputError(f"--sweep {path}: this field cannot be swept.")

    def settled(self, config: config_lib.Sweep, stored: config_lib.Sweep) -> config_lib.Sweep:
        if [one.name for one in config.experiments] != [one.name for one in stored.experiments]:
            return config
        pairs = zip(config.experiments, stored.experiments, strict=True)
        return config.replace(experiments=tuple(kinds.of(one).settled(one, before) for one, before in pairs))

    def may_change(self, path: str) -> bool:
        # More trials add to those before, since a setting does not depend on their number.
        return path in ("trials", "confirmed", "thresholds")

    def train(self, config: config_lib.Sweep, workdir: str | pathlib.Path, settings: kinds.Settings) -> kinds.Outcome:
        from tfpaths.sweeps import runner

        self.check_settings(config, settings)
        return runner.run(config, workdir, settings)

    def section(self, runs: Any) -> "Section":
        from tfpaths.sweeps import report

        return report.section(runs)


KIND = SweepKind()
