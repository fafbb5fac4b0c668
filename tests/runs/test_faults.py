"""TensorFlow's errors in a run: each says its cause, what was saved, and whether the same command may succeed."""

import pathlib

import pytest
import tensorflow as tf
from helpers import TOY, launch_here, registered, toy

from tfpaths import errors, experiments, penalties, schema, startup
from tfpaths.lines import study
from tfpaths.runs import faults, training

KEPT = "The last good checkpoint: step 7, in runs/a/checkpoints."


class FailingPenalty(penalties.GradientPenalty):
    """Fails in the compiled step, where the number of positive pixels is known and fits no batch."""

    def points(self, real, fake, stream, batch_axes):
        count = tf.reduce_sum(tf.cast(real > -2.0, tf.int32))
        return real + tf.reshape(real, [count + 1])[0]


class MisspeltPenalty(penalties.GradientPenalty):
    def points(self, real, fake, stream, batch_axes):
        return reel  # noqa: F821


def explain(error, monkeypatch, *, workers=1, worker=0):
    monkeypatch.setattr(faults, "workers", lambda devices: workers)
    monkeypatch.setattr(faults, "worker", lambda devices: worker)
    with pytest.raises(errors.RunError) as caught, faults.explained(tf.distribute.get_strategy(), lambda: KEPT):
        raise error
    assert "\n" not in str(caught.value)
    return caught.value


def of(name, message):
    return getattr(tf.errors, name)(None, None, message)


def test_failing_operation_of_a_penalty_names_cause_operation_and_line(tmp_path):
    with registered(penalties.PENALTIES, "failing", FailingPenalty), pytest.raises(errors.FinalError) as caught:
        training.train(schema.override(toy("color_mnist_ns"), {"variant.penalty": "failing"}), tmp_path / "run")
    message, detail = str(caught.value), caught.value.detail
    # A batch of 8 images of 28·28·3 values.
    assert message.startswith(
        f"Input to reshape is a tensor with {8 * 28 * 28 * 3} values, but the requested shape has"
    )
    assert "(InvalidArgumentError in the operation " in message
    assert message.endswith(". There is no checkpoint yet.")
    source = pathlib.Path(__file__).read_text().splitlines()
    line = next(number for number, text in enumerate(source, 1) if "[count + 1]" in text)
    assert f'File "{__file__}", line {line}, in points' in detail
    assert detail.endswith(source[line - 1].strip())
    # Without the frames of TensorFlow, Keras and this package, this file's frames are next to each other.
    frames = [text for text in detail.splitlines() if text.startswith("  File ")]
    assert [__file__ in frame for frame in frames[-2:]] == [True, True]


def test_failing_operation_in_a_study_names_it_too(tmp_path):
    texts = {"study.runs": "2", "schedule.steps": "2", "schedule.log_every": "1", "study.width": "4"}
    with registered(penalties.PENALTIES, "failing", FailingPenalty):
        config = schema.override(experiments.get("line1_ns"), {**texts, "variant.penalty": "failing"})
        with pytest.raises(errors.FinalError, match=r"eshape.* The rows of the finished runs are saved\.$"):
            study.run(config, tmp_path / "run")


@pytest.mark.parametrize("name", ["UnavailableError", "AbortedError", "CancelledError", "DeadlineExceededError"])
def test_lost_worker_is_said_only_of_errors_that_mean_it(name, monkeypatch):
    lost = explain(of(name, "Connection reset by peer"), monkeypatch, workers=2)
    assert str(lost) == f"lost contact with another worker. {KEPT} The same command continues the run."
    assert (type(lost), lost.status) == (errors.RunError, 1)
    alone = explain(of(name, "Connection reset by peer"), monkeypatch)
    assert str(alone).startswith(f"Connection reset by peer ({name}). ")
    of_code = explain(of("InvalidArgumentError", "Shapes differ. [[{{node critic/add}}]]"), monkeypatch, workers=2)
    assert "another worker" not in str(of_code)
    assert of_code.status == 3


def test_other_workers_point_to_the_chief(monkeypatch):
    lost = explain(of("UnavailableError", "gone"), monkeypatch, workers=2, worker=1)
    assert str(lost) == (
        "lost contact with another worker. The chief has what is saved. The same commands continue the run."
    )
    of_code = explain(of("InvalidArgumentError", "Shapes differ."), monkeypatch, workers=2, worker=1)
    assert str(of_code) == "Shapes differ (InvalidArgumentError). The chief has what is saved."


def test_too_little_memory_says_what_to_lower_and_a_full_disk_is_not_memory(monkeypatch):
    message = "OOM when allocating tensor with shape[64,28,28,3] and type float [[{{node critic/mul}}]]"
    memory = explain(of("ResourceExhaustedError", message), monkeypatch)
    assert str(memory).startswith("out of memory: OOM when allocating tensor with shape[64,28,28,3] and type float ")
    assert "in the operation critic/mul" in str(memory)
    assert "To fix this: lower --batch_size" in str(memory)
    assert memory.status == 3
    disk = explain(of("ResourceExhaustedError", "runs/a/events; No space left on device"), monkeypatch)
    assert "memory" not in str(disk)
    assert disk.status == 1


def test_allocation_that_no_machine_has_is_out_of_memory():
    with (
        pytest.raises(errors.FinalError, match=r"^out of memory: .*To fix this: lower --batch_size"),
        faults.explained(tf.distribute.get_strategy(), lambda: KEPT),
    ):
        tf.zeros([2**45])


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("2 root error(s) found.\n  (0) INVALID_ARGUMENT: Bad\n\t [[{{node a}}]]\n  (1) CANCELLED: b", "Bad"),
        ("{{function_node __wrapped__Reshape_device_/job:localhost}} Bad shape. [Op:Reshape] name: ", "Bad shape"),
        ("Graph execution error:\n", "InvalidArgumentError"),
    ],
)
def test_cause_of_a_message(message, cause):
    assert faults.cause(of("InvalidArgumentError", message)) == cause


@pytest.mark.parametrize("place", ["tfpaths/examples", "keras", "tensorflow/mine"])
def test_users_directory_may_have_the_name_of_a_library(place, tmp_path):
    mine = tmp_path / place / "mine.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("real + points\n")
    frames = [(penalties.__file__, 233, "call"), (mine, 1, "points"), (tf.__file__, 5, "add")]
    listed = "\n".join(f'  File "{path}", line {line}, in {name}' for path, line, name in frames)
    shown = faults.where(of("InvalidArgumentError", f"Detected at node add:\n{listed}\nShapes differ."))
    assert shown.splitlines()[1:] == [f'  File "{mine}", line 1, in points', "    real + points"]


@pytest.mark.parametrize("debug", [False, True])
def test_command_line_shows_the_lines_at_fault_and_exit_status_3(debug, tmp_path, monkeypatch):
    monkeypatch.setattr(startup, "show_everything", lambda: None)
    flags = ["--exp=color_mnist_ns", f"--workdir={tmp_path / 'run'}", *(f"--set={k}={v}" for k, v in TOY.items())]
    with registered(penalties.PENALTIES, "failing", FailingPenalty):
        run = launch_here(*flags, "--set=variant.penalty=failing", *(["--debug"] if debug else []))
    assert run.returncode == 3
    *above, line = run.stderr.splitlines()
    assert line.startswith("tfpaths: Input to reshape is a tensor")
    if debug:
        assert any("Detected at node" in text for text in above)
    else:
        assert above[0] == "Traceback of the operation (most recent call last):"
        assert "in points" in above[-2]
        assert not any("site-packages/keras" in text for text in above)


def test_python_error_of_the_users_code_keeps_its_traceback(tmp_path):
    flags = ["--exp=color_mnist_ns", f"--workdir={tmp_path / 'run'}", *(f"--set={k}={v}" for k, v in TOY.items())]
    with registered(penalties.PENALTIES, "misspelt", MisspeltPenalty):
        run = launch_here(*flags, "--set=variant.penalty=misspelt")
    assert run.returncode == 3
    assert "return reel" in run.stderr
    assert "NameError" in run.stderr
    assert run.stderr.splitlines()[-1] == f"tfpaths: Details: {tmp_path / 'run' / 'error.log'}"
