"""The command line: `python -m tfpaths.launch --exp=color_mnist_dragan_ns`. `--list` shows the experiments."""

import itertools
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import Any

from absl import app, flags

from tfpaths import errors, failures, usage

# An absl flag for each of `usage.GROUPS`: all are read as texts, and checked where they are used.
for _flag in itertools.chain.from_iterable(usage.GROUPS.values()):
    if isinstance(_flag.default, bool):
        flags.DEFINE_bool(_flag.name, _flag.default, _flag.help, allow_overwrite=False)
    elif isinstance(_flag.default, list):
        flags.DEFINE_multi_string(_flag.name, _flag.default, _flag.help)
    else:
        flags.DEFINE_string(_flag.name, _flag.default, _flag.help, allow_overwrite=False)

# What this file does itself; and what every mode takes.
_OF_LAUNCH = ("import", "list", "debug")
_OF_EVERY_MODE = ("exp", "workdir", "mode", *_OF_LAUNCH)


def parse_flags(argv: Sequence[str]) -> list[str]:
    """Reads the flags; invalid ones give one line and exit status 2."""
    failures.open_closed_descriptors()
    if not {"--help", "-h", "-help", "-?"}.isdisjoint(argv):
        print(usage.text())
        sys.exit(0)
    try:
        return flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        names = [f"--{flag.name}" for flag in _own_flags()]
        sys.exit(failures.say(errors.unknown("flag", f"--{error.flagname}", names), 2))
    except flags.Error as error:
        sys.exit(failures.say(error, 2))


def main(argv: Sequence[str]) -> int:
    """Runs what the flags ask for; returns the exit status."""
    try:
        # Here, so that Ctrl-C while they are imported is one line too.
        from tfpaths import modes, startup

        if len(argv) > 1:
            raise errors.InputError(f"expected flags only, received {argv[1]!r}; --help shows them.")
        if flags.FLAGS.debug:
            startup.show_everything()
        mode = errors.choose("mode", flags.FLAGS.mode, modes.USED, path="--mode")
        for flag in _own_flags():
            if flag.present and flag.name not in (*_OF_EVERY_MODE, *modes.USED[mode]):
                takers = " and ".join(f"--mode={name}" for name, used in modes.USED.items() if flag.name in used)
                raise errors.InputError(f"--{flag.name} works only with {takers}, not with --mode={mode}.")
        for name in flags.FLAGS["import"].value or ():
            startup.import_module(name)
        values: dict[str, Any] = {flag.name: flag.value for flag in _own_flags()}
        imports = tuple(flags.FLAGS["import"].value or ())
        asked = modes.Asked(imports=imports, **{name: values[name] for name in values if name not in _OF_LAUNCH})
        command = shlex.join(["python", "-m", "tfpaths.launch", *sys.argv[1:]])
        return modes.show(asked) if flags.FLAGS.list else modes.run(asked, command)
    except KeyboardInterrupt:
        # Training catches the first signal itself and saves. This is one before it begins, or a second one.
        print("\ntfpaths: interrupted; a checkpoint that was written before is kept.", file=sys.stderr)
        return 128 + signal.SIGINT
    except Exception as error:
        return failures.report(error, flags.FLAGS.workdir, debug=flags.FLAGS.debug)


def _own_flags() -> list[flags.Flag]:
    return [flag for flag in flags.FLAGS.get_key_flags_for_module(sys.modules[__name__]) if flag.name != "flagfile"]


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
