"""How a call of `train` ended, and the summary of it for a terminal."""

import dataclasses
import shlex
import signal

import tqdm

from tfpaths.runs import evaluation, results
from tfpaths.runs.directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class Run:
    """How a call of `train` ended.

    Attributes:
      directory: The run directory.
      start: The step from which it resumed; 0 for a new run.
      step: The step that was reached.
      seconds: The training time of this call.
      stopped_by: The signal that stopped it before its last step, or None.
      worker: This worker's number; only worker 0, the chief, writes files.
      is_measured: Whether this call measured the scores.

    Example:
      >>> import pathlib
      >>> run = Run(RunDirectory(pathlib.Path("runs/a")), start=4, step=4, seconds=0.0, stopped_by=None)
      >>> print(run.message("").splitlines()[0])
      Nothing to do: this run is at step 4 already. To continue it, give more --steps.
    """

    directory: RunDirectory
    start: int
    step: int
    seconds: float
    stopped_by: signal.Signals | None
    worker: int = 0
    is_measured: bool = False

    def message(self, command: str) -> str:
        """Returns a summary: how the run ended, its scores and its files. `command` resumes a stopped run."""
        if self.stopped_by is not None:
            head = f"Stopped by {self.stopped_by.name} at step {self.step}, and saved. To continue:\n  {command}"
        elif self.start == self.step and self.is_measured:
            head = f"This run is at step {self.step} already; its scores are measured again, as the config now says."
        elif self.start == self.step:
            head = f"Nothing to do: this run is at step {self.step} already. To continue it, give more --steps."
        else:
            head = f"Finished at step {self.step} after {tqdm.tqdm.format_interval(self.seconds)}."
        if self.worker > 0:
            return f"{head} This is worker {self.worker}; all files are the chief's."
        directory = self.directory
        grids = sorted(directory.samples.glob("step_*"))
        lines = {
            "samples": grids[-1] if grids else directory.samples,
            "metrics": directory.metrics,
            "results": directory.results,
            "checkpoint": directory.checkpoints / f"step-{self.step}",
            "curves": f"tensorboard --logdir {shlex.quote(str(directory.tensorboard))}",
        }
        summary = results.read_results(directory.results)
        if self.stopped_by is not None:
            del lines["results"]
            summary = None
        table = [] if summary is None else [evaluation.table(summary)]
        return "\n".join([head, *table, *(f"  {name:<11}{value}" for name, value in lines.items())])
