"""The command line: `python -m tfpaths.launch --exp=color_mnist_dragan_ns`. `--list` shows the experiments."""

import shlex
import signal
import sys
from collections.abc import Sequence
from typing import Any

from absl import app, flags

from tfpaths import errors

flags.DEFINE_string("exp", None, "The experiment's name; a pattern with --list.")
_LIST = flags.DEFINE_bool("list", False, "List the experiments: name, kind, what it is.")
_MODE = flags.DEFINE_string("mode", "train", "One of train, evaluate, sample, export, report.")
flags.DEFINE_multi_string("workdir", [], "The run directory; repeatable with report. Default: runs/<exp>.")
flags.DEFINE_string("steps", None, "Generator updates. Default: the experiment's.")
flags.DEFINE_string("batch_size", None, "The global batch size. Default: the experiment's.")
flags.DEFINE_string("seed", None, "The run's seed; with sample, the latents'. Default: the experiment's; 0.")
flags.DEFINE_multi_string("set", [], "path.to.field=value for any other field of the config; repeatable.")
_IMPORT = flags.DEFINE_multi_string("import", [], "A module that registers something of your own; repeatable.")
flags.DEFINE_string("data_dir", None, "Prepared TFDS data. Default: TFDS_DATA_DIR, then TFDS's own.")
flags.DEFINE_string("source", None, "Where digits come from: auto, tfds, embedded. Default: auto.")
flags.DEFINE_string("strategy", "auto", "auto, one_device, mirrored, multi_worker or tpu.")
flags.DEFINE_string("tpu", None, "The TPU's name or address, with --strategy=tpu.")
flags.DEFINE_string("precision", None, "float32, mixed_bfloat16 or mixed_float16. Default: float32.")
flags.DEFINE_bool("profile", False, "With train: trace ten steps for TensorBoard's profiler.")
flags.DEFINE_string("num_samples", None, "With sample: how many. Default: 64.")
flags.DEFINE_string("out", None, "With sample: a .png, a .npz or a directory. With report: the .html file.")
flags.DEFINE_bool("interpolate", False, "With sample: rows from one latent to another.")


def parse_flags(argv: Sequence[str]) -> list[str]:
    """Reads the flags; invalid ones give one line and exit status 2."""
    if not {"--help", "-h", "-help", "-?"}.isdisjoint(argv):
        print(__doc__, *(f"  --{flag.name:<11} {flag.help}" for flag in _own_flags()), sep="\n")
        sys.exit(0)
    try:
        return flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        names = [f"--{flag.name}" for flag in _own_flags()]
        sys.exit(_fail(errors.unknown("flag", f"--{error.flagname}", names), 2))
    except flags.Error as error:
        sys.exit(_fail(error, 2))


def main(argv: Sequence[str]) -> int:
    """Runs what the flags ask for; returns the exit status."""
    try:
        # Here, so that Ctrl-C while they are imported is one line too.
        from tfpaths import modes, startup

        if len(argv) > 1:
            raise errors.InputError(f"expected flags only, received {argv[1]!r}; --help shows them.")
        mode = errors.choose("mode", _MODE.value, modes.USED, path="--mode")
        for flag in _own_flags():
            if flag.present and flag.name not in ("exp", "workdir", "mode", "import", "list", *modes.USED[mode]):
                takers = " and ".join(f"--mode={name}" for name, used in modes.USED.items() if flag.name in used)
                raise errors.InputError(f"--{flag.name} works only with {takers}, not with --mode={mode}.")
        for name in _IMPORT.value:
            startup.import_module(name)
        values: dict[str, Any] = {flag.name: flag.value for flag in _own_flags()}
        asked = modes.Asked(**{name: value for name, value in values.items() if name not in ("import", "list")})
        command = shlex.join(["python", "-m", "tfpaths.launch", *sys.argv[1:]])
        return modes.show(asked) if _LIST.value else modes.run(asked, command)
    except KeyboardInterrupt:
        # Training catches the first signal itself and saves. This is one before it begins, or a second one.
        print("\ntfpaths: interrupted; a checkpoint that was written before is kept.", file=sys.stderr)
        return 128 + signal.SIGINT
    except (errors.InputError, errors.RunError) as error:
        return _fail(error, 2 if isinstance(error, errors.InputError) else 1)
    except OSError as error:
        return _fail(f"{error.filename or 'a file'}: {error.strerror or error}", 1)


def _own_flags() -> list[flags.Flag]:
    return [flag for flag in flags.FLAGS.get_key_flags_for_module(sys.modules[__name__]) if flag.name != "flagfile"]


def _fail(error: object, status: int) -> int:
    print("tfpaths:", " ".join(str(error).split()), file=sys.stderr)
    return status


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
