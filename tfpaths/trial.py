"""A process of a sweep: `python -m tfpaths.trial --directory=…` trains the experiment of a run directory."""

import argparse
import sys
from collections.abc import Sequence

from tfpaths import errors, failures, files, kinds, startup
from tfpaths.runs.directory import RunDirectory


def main(argv: Sequence[str]) -> int:
    """Trains the experiment whose config is in a run directory; returns the exit status.

    It is that of the command line, but 1 for an error with a traceback: the user can mend their code, and the trial is
    trained again.

    Example: `python -m tfpaths.trial --directory=runs/a/trials/line1_ns-study.width=16`.
    """
    parser = argparse.ArgumentParser(prog="python -m tfpaths.trial", allow_abbrev=False)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--data_dir")
    parser.add_argument("--import", action="append", default=[], dest="imports")
    asked = parser.parse_args(argv)
    failures.open_closed_descriptors()
    try:
        for name in asked.imports:
            startup.import_module(name)
        directory = RunDirectory(files.path(asked.directory))
        config = directory.known()
        startup.import_tensorflow()
        outcome = kinds.of(config).train(config, directory.path, kinds.Settings(data_dir=asked.data_dir))
        return 0 if outcome.stopped_by is None else 128 + outcome.stopped_by
    except Exception as error:
        status = failures.report(error, [asked.directory])
        return status if isinstance(error, errors.InputError | errors.RunError | MemoryError) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
