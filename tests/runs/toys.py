"""What the tests of runs share: toy runs, as calls and as commands, and whether two runs are the same."""

import subprocess
import sys
import time

import helpers
import numpy as np
import tensorflow as tf

from tfpaths.runs import rows

TOY = {**helpers.TOY, "schedule.checkpoint_every": "2"}


def toy(name="color_mnist_dragan_ns", **texts):
    """A registered experiment of toy size that saves every other step; see `helpers.toy`."""
    return helpers.toy(name, **{"schedule__checkpoint_every": "2"} | texts)


def flags(**texts):
    """The flags that make `--exp=color_mnist_dragan_ns` the experiment of `toy(**texts)`."""
    values = TOY | {path.replace("__", "."): text for path, text in texts.items()}
    return [f"--set={path}={text}" for path, text in values.items()]


def command(workdir, **texts):
    """The command of a toy run."""
    launch = [sys.executable, "-m", "tfpaths.launch", "--exp=color_mnist_dragan_ns", f"--workdir={workdir}"]
    return [*launch, *flags(**texts)]


def start(command, **options):
    """A process in a group of its own, with its output."""
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=helpers.ROOT,
        start_new_session=True,
        **options,
    )


def finish(command, status=0):
    """Runs a command to its end, which must have this exit status; returns its output and its errors."""
    process = start(command)
    out, err = process.communicate(timeout=400)
    assert process.returncode == status, (out, err)
    return out, err


def wait_for(path, process, seconds=240):
    """Waits until a running process has written a file."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.05)


def state(path):
    """Every number of the newest checkpoint; its rows, which hold how fast they were made, and its config are texts."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(path / "checkpoints")))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(("_CHECKPOINTABLE", "save_counter", "rows/", "config/"))
    }


def assert_same_state(one, other):
    """The same weights, optimisers and counters."""
    first, second = state(one), state(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)


def assert_same_run(one, other):
    """The same state, grids and rows. Of two steps in one execution only the second has a row."""
    assert_same_state(one, other)
    found = [
        [
            {name: value for name, value in row.items() if name != "examples_per_second"}
            for row in rows.read_rows(path / "metrics.jsonl")
        ]
        for path in (one, other)
    ]
    shared = {row["step"] for row in found[1]}
    assert [row for row in found[0] if row["step"] in shared] == found[1]
    assert found[0][-1] == found[1][-1]
    for grid in (one / "samples").iterdir():
        assert grid.read_bytes() == (other / "samples" / grid.name).read_bytes()
