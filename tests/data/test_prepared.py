"""Data that TFDS prepares: found, damaged, misnamed, or unreachable."""

import shutil
import threading
import types
import weakref

import numpy as np
import pytest
import requests
import tensorflow as tf

from tfpaths import data, errors
from tfpaths.data import digits, memory, prepared


def test_missing_directory_is_refused(tmp_path, monkeypatch):
    with pytest.raises(errors.InputError, match="--data_dir: expected a directory"):
        digits.load(data_dir=str(tmp_path / "none"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
    with pytest.raises(errors.InputError, match="TFDS_DATA_DIR: expected a directory"):
        digits.load()


def test_damaged_data_is_named(tfds_dir, tmp_path):
    shutil.copytree(tfds_dir / "mnist", tmp_path / "mnist")
    (record,) = tmp_path.glob("mnist/*/mnist-test.tfrecord*")
    record.write_bytes(record.read_bytes()[:100_000])
    with pytest.raises(errors.InputError, match=r"the data in .*mnist.* is damaged") as caught:
        digits.load("test", data_dir=str(tmp_path))
    assert "\n" not in str(caught.value)


def test_incomplete_preparation_is_ignored(tmp_path):
    for name in ("incomplete.AB12CD_3.0.1", "3.0.1.incomplete_ABC", "3.0.1", "2.9.9", "downloads"):
        (tmp_path / "mnist" / name).mkdir(parents=True)
    assert prepared.find(tmp_path, "mnist").name == "3.0.1"
    assert prepared.find(tmp_path, "cifar10") is None


def test_directory_of_one_data_set_suggests_its_parent(tfds_dir):
    version = prepared.find(tfds_dir, "mnist")
    for directory in (version, version.parent):
        with pytest.raises(errors.InputError, match=f"did you mean '{tfds_dir}'"):
            digits.load(data_dir=str(directory))


def test_reason_is_one_clean_line():
    text = "{{function_node __wrapped__X}} truncated record at 5 [Op:IteratorGetNext] name: \nmore"
    assert prepared.reason(ValueError(text)) == "truncated record at 5"
    assert prepared.reason(TimeoutError()) == "TimeoutError"


def test_half_prepared_directory_is_refused(tmp_path):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    with pytest.raises(errors.InputError, match="is damaged"):
        digits.load(data_dir=str(tmp_path))


def test_unresponsive_server_times_out(monkeypatch):
    # Ten seconds are promised for the whole decision.
    assert prepared._ANSWER_WITHIN_SECONDS < 10
    monkeypatch.setattr(prepared, "_ANSWER_WITHIN_SECONDS", 0.1)
    never = threading.Event()

    def wait(*args, **kwargs):
        never.wait()
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "head", wait)
    assert not prepared.reachable("http://localhost")
    never.set()


@pytest.mark.parametrize("name", ["cifar10", "celeba"])
def test_unavailable_data_error_says_how_to_get_it(name, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "reachable", lambda url: False)
    with pytest.raises(
        errors.InputError, match=r"its server does not answer\. .*tfds build (celeb_a|cifar10)\)"
    ) as caught:
        data.load(name, data_dir=str(tmp_path))
    assert "\n" not in str(caught.value)
    assert "--data_dir" in str(caught.value)
    monkeypatch.setattr(prepared, "reachable", lambda url: True)

    def download(*args):
        raise requests.HTTPError("quota exceeded\nlater lines")

    monkeypatch.setattr(prepared, "download", download)
    with pytest.raises(errors.InputError, match=r"could not download .*quota exceeded.*--data_dir") as caught:
        data.load(name, data_dir=str(tmp_path))
    assert "\n" not in str(caught.value)


class Builder:
    """A TFDS builder of a data set whose image i has the value i, and the label 10 i."""

    name = "made"

    def __init__(self, declared, available):
        label = types.SimpleNamespace(shape=())
        splits = {"train": types.SimpleNamespace(num_examples=declared)}
        self.info = types.SimpleNamespace(splits=splits, features={"label": label, "id": label})
        self.available = available

    def as_dataset(self, *, split, shuffle_files, read_config):
        assert not shuffle_files
        assert not read_config.try_autocache
        return tf.data.Dataset.range(self.available).map(
            lambda i: {"image": tf.fill([8, 8, 3], tf.cast(i, tf.uint8)), "label": 10 * i, "id": i}
        )


class TestCollect:
    def test_images_are_in_order(self):
        # 1,300 are three batches, the last one incomplete.
        images, others = prepared.collect(Builder(1300, 1300), "train", None)
        expected = np.broadcast_to((np.arange(1300) % 256)[:, None, None, None], (1300, 8, 8, 3))
        assert images.dtype == tf.uint8
        np.testing.assert_array_equal(images, expected)
        assert list(others) == ["label"]
        np.testing.assert_array_equal(others["label"], 10 * np.arange(1300))

    def test_images_are_prepared_one_by_one(self):
        images, _ = prepared.collect(Builder(3, 3), "train", lambda image: image[:1] + 1)
        np.testing.assert_array_equal(images[:, 0, 0, 0], [1, 2, 3])
        assert images.shape == (3, 1, 8, 3)

    @pytest.mark.parametrize(("available", "found"), [(600, "600"), (1300, "at least 1024"), (0, "")])
    def test_wrong_number_of_examples_is_refused(self, available, found):
        with pytest.raises(ValueError, match=f"expected 1000 examples, found {found}"):
            prepared.collect(Builder(1000, available), "train", None)

    def test_batches_are_not_collected(self, monkeypatch):
        append, batches, alive = memory.Rows.append, [], []

        def watched(rows, values):
            alive.append(sum(batch() is not None for batch in batches))
            batches.append(weakref.ref(values))
            append(rows, values)

        monkeypatch.setattr(memory.Rows, "append", watched)
        prepared.collect(Builder(5 * 512, 5 * 512), "train", None)
        assert alive == [0] * 5
