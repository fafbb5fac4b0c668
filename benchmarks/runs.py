"""Training runs of the studies that compare scores."""

import json
import subprocess
import sys

from tfpaths.figures.trained import Trained
from tfpaths.runs.directory import RunDirectory


def launch(experiment, workdir, *flags):
    """Runs a command line, and returns the results that it writes."""
    command = [sys.executable, "-m", "tfpaths.launch", f"--exp={experiment}", f"--workdir={workdir}", *flags]
    subprocess.run(command, check=True)
    return json.loads((workdir / "results.json").read_text())


def scores(experiment, workdir, *flags):
    """As `launch`; returns the metrics, those of the references, and the median seconds of a training step."""
    found = launch(experiment, workdir, *flags)
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    seconds = Trained(RunDirectory(workdir).stored(), rows, {}).seconds_per_step()
    return {"metrics": found["metrics"], "references": found["references"], "seconds": seconds}
