import shutil
import threading

import numpy as np
import PIL.Image
import pytest
import requests
import tensorflow as tf

from tfpaths import config, data
from tfpaths.data import coloured, digits, images, prepared


@pytest.fixture(params=sorted(data.DATA))
def dataset(request, tmp_path):
    """Each data set of the table: the smallest form of it that this machine has."""
    name = request.param
    if name in ("color_mnist", "stacked_mnist"):
        return data.load(name, source="embedded")
    if name == "celeba":
        return data.load(name, data_dir=str(request.getfixturevalue("celeba_dir")))
    if name == "cifar10":
        folder = request.getfixturevalue("tfds_dir")
        if prepared.find(folder, name) is None:
            pytest.skip(f"CIFAR-10 is not prepared in {folder}")
        return data.load(name, "test", data_dir=str(folder))
    assert name == "folder", f"{name} has no contract test"
    pixels = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 3), np.uint8)
    for index, image in enumerate(pixels):
        PIL.Image.fromarray(image).save(tmp_path / f"{index}.png")
    return data.load(name, path=str(tmp_path), image_size=28)


def positions(size):
    """A data set whose examples are their own positions."""
    return images.Images(
        "counting", "train", "made", (), size, np.arange(size), lambda position: tf.cast(position, tf.float32)
    )


def read(dataset, batch_size, count, **options):
    return np.array(list(dataset.batches(batch_size, **options).take(count).as_numpy_iterator()))


def test_images_are_float32_in_range_and_channels_last(dataset):
    batch = read(dataset, 8, 1)[0]
    assert batch.dtype == np.float32
    assert batch.shape == (8, *dataset.shape)
    assert dataset.shape[0] in (28, 32, 64)
    assert dataset.shape[2] == 3
    assert -1 <= batch.min() < -0.5
    assert batch.max() <= 1
    assert len(dataset.labels) == dataset.size


def test_eager_equals_graph(dataset):
    positions = tf.constant([3, 0, 7])
    # The graph's optimiser multiplies by 1 / 127.5 where eager code divides.
    np.testing.assert_allclose(tf.function(dataset.take)(positions), dataset.take(positions), atol=1e-6)


def test_the_same_seed_gives_the_same_batches_and_another_gives_others(dataset):
    one = read(dataset, 5, 3, seed=1)
    np.testing.assert_array_equal(read(dataset, 5, 3, seed=1), one)
    assert not np.array_equal(read(dataset, 5, 3, seed=2), one)


def test_starting_later_is_the_same_as_skipping(dataset):
    # 4 batches of two fifths of the data pass the end of the first epoch.
    size = dataset.size * 2 // 5
    np.testing.assert_array_equal(read(dataset, size, 2, seed=3, start=2), read(dataset, size, 4, seed=3)[2:])


def test_every_epoch_holds_every_example_once_in_an_order_of_its_own():
    stream = read(positions(10), 4, 10, seed=5).reshape(4, 10)
    np.testing.assert_array_equal(np.sort(stream, axis=1), np.tile(np.arange(10.0), (4, 1)))
    assert len({tuple(epoch) for epoch in stream}) == 4


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(config.InputError, match="from 1 to the 10 examples of counting .*received 11"):
        positions(10).batches(11)


def test_color_mnist_has_seven_colours_and_the_digit_behind_each():
    raw = digits.embedded("train")
    made = coloured.color_mnist(raw, "train", seed=0)
    shown = np.rint((made.take(np.arange(200)).numpy() + 1) * 127.5)
    colours = np.array([shown[i].reshape(-1, 3).max(axis=0) > 0 for i in range(200)])
    # Black is excluded, all seven others occur, and a channel that is on shows the digit itself.
    assert {tuple(map(int, c)) for c in colours} == {tuple(c) for c in coloured.COLOURS.tolist()}
    for i in range(200):
        for channel in range(3):
            expected = raw.images[i] if colours[i, channel] else 0 * raw.images[i]
            np.testing.assert_array_equal(shown[i, :, :, channel], expected)
    np.testing.assert_array_equal(coloured.COLOURS[made.labels[:200] % 7], colours)
    np.testing.assert_array_equal(made.labels // 7, raw.labels)
    assert len(np.unique(made.labels)) == 70


def test_stacked_mnist_has_three_independent_digits():
    raw = digits.embedded("train")
    made = coloured.stacked_mnist(raw, "train", seed=0)
    shown = np.rint((made.take(np.arange(50)).numpy() + 1) * 127.5).astype(np.uint8)
    known = {image.tobytes(): label for image, label in zip(raw.images, raw.labels, strict=True)}
    for i in range(50):
        triple = [known[np.ascontiguousarray(shown[i, :, :, c]).tobytes()] for c in range(3)]
        assert made.labels[i] == triple[0] * 100 + triple[1] * 10 + triple[2]
    # Independent: of 1,437 draws over 1,000 modes about 1000 (1 - e^-1.437) = 762 are hit, with a spread of about 12.
    assert abs(len(np.unique(made.labels)) - 762) < 60
    hundreds, tens, ones = made.labels // 100, made.labels // 10 % 10, made.labels % 10
    assert np.abs(np.corrcoef([hundreds, tens, ones]) - np.eye(3)).max() < 0.1


def test_the_probabilities_of_modes_are_the_data_sets_own_law():
    raw = digits.embedded("train")
    share = np.array([(raw.labels == digit).mean() for digit in range(10)])
    colour = coloured.color_mnist(raw, "train", seed=0).modes
    assert colour.shape == (70,)
    np.testing.assert_allclose(colour[7 * 3 + 4], share[3] / 7)
    stacked = coloured.stacked_mnist(raw, "train", seed=0).modes
    assert stacked.shape == (1000,)
    np.testing.assert_allclose(stacked[905], share[9] * share[0] * share[5])
    np.testing.assert_allclose([colour.sum(), stacked.sum()], 1.0)


def test_what_is_drawn_depends_on_the_seed_and_the_position_alone():
    raw = digits.embedded("train")
    half = digits.Digits(raw.images[:700], raw.labels[:700], raw.source)
    whole = coloured.color_mnist(raw, "train", seed=4)
    np.testing.assert_array_equal(coloured.color_mnist(half, "train", seed=4).labels, whole.labels[:700])
    assert not np.array_equal(coloured.color_mnist(raw, "train", seed=5).labels, whole.labels)
    assert not np.array_equal(coloured.color_mnist(raw, "test", seed=4).labels, whole.labels)


def test_embedded_digits_are_the_known_ones():
    train, test = digits.embedded("train"), digits.embedded("test")
    assert (train.images.shape, test.images.shape) == ((1200, 28, 28), (360, 28, 28))
    assert digits.load("validation", source="embedded").images.shape == (237, 28, 28)
    assert set(train.labels) == set(test.labels) == set(range(10))
    # MNIST's margin of 4 pixels is empty.
    assert train.images[:, :4].max() == train.images[:, :, -4:].max() == 0
    # Enlarging keeps the ink: each of the 64 pixels becomes 2.5 x 2.5, up to the spline's overshoot.
    import sklearn.datasets

    ink = sklearn.datasets.load_digits().images[:1200].sum(axis=(1, 2)) * 2.5**2 * 255 / 16
    np.testing.assert_allclose(train.images.sum(axis=(1, 2)), ink, rtol=0.06)


@pytest.mark.parametrize(
    ("splits", "size", "counts", "mean", "deviation"),
    [
        (["train", "validation"], 60_000, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 0.1307, 0.3081),
        (["test"], 10_000, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], 0.1325, 0.3105),
    ],
)
def test_mnist_is_mnist(tfds_dir, splits, size, counts, mean, deviation):
    parts = [digits.load(split, data_dir=str(tfds_dir)) for split in splits]
    assert [len(part.images) for part in parts[1:]] == [10_000] * (len(splits) - 1)
    images, labels = (np.concatenate([getattr(part, field) for part in parts]) for field in ("images", "labels"))
    raw = digits.Digits(images, labels, parts[0].source)
    assert raw.source == "tfds"
    assert raw.images.shape == (size, 28, 28)
    # The counts of the digits and the moments of the pixels are those that everybody quotes.
    assert np.bincount(raw.labels).tolist() == counts
    np.testing.assert_allclose(raw.images.mean() / 255, mean, atol=5e-5)
    np.testing.assert_allclose(raw.images.std() / 255, deviation, atol=5e-5)
    # A label belongs to its image: the mean image of a class classifies four of five, as it is known to.
    means = np.stack([raw.images[raw.labels == k].mean(axis=0) for k in range(10)]).reshape(10, -1)
    flat = raw.images[:2000].reshape(2000, -1).astype(np.float64)
    distances = (means**2).sum(axis=1) - 2 * flat @ means.T
    assert (distances.argmin(axis=1) == raw.labels[:2000]).mean() > 0.75


def test_a_missing_folder_is_refused(tmp_path, monkeypatch):
    with pytest.raises(config.InputError, match="--data_dir: expected a folder"):
        digits.load(data_dir=str(tmp_path / "none"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
    with pytest.raises(config.InputError, match="TFDS_DATA_DIR: expected a folder"):
        digits.load()


def test_damaged_data_is_refused_and_named(tfds_dir, tmp_path):
    shutil.copytree(tfds_dir / "mnist", tmp_path / "mnist")
    (record,) = tmp_path.glob("mnist/*/mnist-test.tfrecord*")
    record.write_bytes(record.read_bytes()[:100_000])
    with pytest.raises(config.InputError, match=r"the data in .*mnist.* is damaged") as caught:
        digits.load("test", data_dir=str(tmp_path))
    assert "\n" not in str(caught.value)


def test_what_tfds_left_half_done_is_no_version(tmp_path):
    for name in ("incomplete.AB12CD_3.0.1", "3.0.1.incomplete_ABC", "3.0.1", "2.9.9", "downloads"):
        (tmp_path / "mnist" / name).mkdir(parents=True)
    assert prepared.find(tmp_path, "mnist").name == "3.0.1"
    assert prepared.find(tmp_path, "cifar10") is None


def test_the_folder_of_one_data_set_is_refused_with_the_one_above(tfds_dir):
    version = prepared.find(tfds_dir, "mnist")
    for folder in (version, version.parent):
        with pytest.raises(config.InputError, match=f"did you mean '{tfds_dir}'"):
            digits.load(data_dir=str(folder))


def test_the_reason_of_an_error_is_one_clean_line():
    text = "{{function_node __wrapped__X}} truncated record at 5 [Op:IteratorGetNext] name: \nmore"
    assert prepared.reason(ValueError(text)) == "truncated record at 5"
    assert prepared.reason(TimeoutError()) == "TimeoutError"


def test_a_half_prepared_folder_is_refused(tmp_path):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    with pytest.raises(config.InputError, match="is damaged"):
        digits.load(data_dir=str(tmp_path))


class TestWithoutNetwork:
    @pytest.fixture(autouse=True)
    def no_answer(self, monkeypatch, tmp_path):
        def refuse(*args, **kwargs):
            raise requests.ConnectionError("no route")

        monkeypatch.setattr(requests, "head", refuse)
        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))

    def test_auto_takes_the_embedded_digits_with_one_warning(self, caplog):
        assert digits.load().source == "embedded"
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert "embedded digits" in record.getMessage()
        assert "--data_dir" in record.getMessage()

    def test_tfds_is_refused_with_the_ways_out(self):
        with pytest.raises(config.InputError, match=r"does not answer.*--data_dir.*--source=embedded"):
            digits.load(source="tfds")


def test_a_server_that_never_answers_is_given_up(monkeypatch):
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "colour_mnist"}, "did you mean 'color_mnist'"),
        ({"name": "color_mnist", "split": "tran"}, "did you mean 'train'"),
        ({"name": "color_mnist", "source": "embeded"}, "did you mean 'embedded'"),
    ],
)
def test_unknown_names_name_the_nearest(arguments, message):
    with pytest.raises(config.InputError, match=message):
        data.load(**arguments)
