"""Fresh discriminators against frozen generators as a kind of experiment. No TensorFlow at import."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfpaths import config as config_lib
from tfpaths import errors, kinds, schema

if TYPE_CHECKING:
    from tfpaths.runs.report.section import Section

_OF_BASE = "base."


class PerfectKind(kinds.Kind):
    """A game that is trained and frozen at some epochs, and a fresh discriminator against each frozen generator.

    Example: see its method `describe`.
    """

    noun = "an experiment with fresh discriminators"

    def describe(self, config: config_lib.Perfect) -> str:
        """Returns the game, the epochs at which it is frozen, and the updates of each fresh discriminator.

        Example:
          >>> from tfpaths import experiments
          >>> KIND.describe(experiments.get("perfect_cifar10"))
          'cifar10_ns frozen at epochs 1, 10, 25; 4,000 updates of a fresh discriminator'
        """
        epochs = ", ".join(map(str, config.epochs))
        return (
            f"{config.base.name} frozen at epoch{'s' if len(config.epochs) > 1 else ''} {epochs}; "
            f"{config.fresh.steps:,} updates of a fresh discriminator"
        )

    def complete(self, config: config_lib.Perfect) -> config_lib.Perfect:
        return config.replace(base=kinds.of(config.base).complete(config.base))

    def changed(self, config: config_lib.Perfect, assignments: Sequence[str]) -> config_lib.Perfect:
        """Returns the config with changes: a field that is not its own is changed in `base`, and `seed` in both.

        Raises:
          InputError: A change is invalid, or sets the number of steps, which `epochs` do.
        """
        texts = []
        for assignment in assignments:
            path = assignment.partition("=")[0]
            if path.removeprefix(_OF_BASE) == "schedule.steps":
                raise errors.InputError(
                    f"{path}: {config.name} trains for whole epochs; use --set epochs=… for the game and --set "
                    "fresh.steps=… for the discriminators."
                )
            is_own = path.split(".")[0] in config_lib.Perfect.model_fields
            texts += [assignment] if is_own else [_OF_BASE + assignment]
            if path == "seed":
                texts.append(_OF_BASE + assignment)
        return schema.assign(config, texts)

    def settled(self, config: config_lib.Perfect, stored: config_lib.Perfect) -> config_lib.Perfect:
        return config.replace(base=kinds.of(config.base).settled(config.base, stored.base))

    def programs(self, config: config_lib.Perfect) -> dict[str, str]:
        return {_OF_BASE + path: name for path, name in kinds.of(config.base).programs(config.base).items()}

    def check_settings(self, config: config_lib.Perfect, settings: kinds.Settings) -> None:
        """Checks that it runs on one device."""
        super().check_settings(config, settings)
        if settings.strategy not in ("auto", "one_device") or settings.tpu is not None:
            raise errors.InputError(f"--strategy: {config.name} trains on one device; remove the flag.")

    def train(self, config: config_lib.Perfect, workdir: str | pathlib.Path, settings: kinds.Settings) -> kinds.Outcome:
        from tfpaths.perfect import runner

        self.check_settings(config, settings)
        return runner.run(config, workdir, data_dir=settings.data_dir)

    def section(self, runs: Any) -> "Section":
        from tfpaths.perfect import report

        return report.section(runs)


KIND = PerfectKind()
