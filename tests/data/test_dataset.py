"""A contract for every registered data set, the errors of `load`, and a custom data set."""

import io

import helpers
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tfpaths import config, data, errors
from tfpaths.data import examples, prepared

IMAGES = ("celeba", "cifar10", "color_mnist", "folder", "stacked_mnist")
TEXTS = ("lm1b", "markov", "text", "text_file")
POINTS = tuple(name for name in sorted(data.DATA) if name not in (*IMAGES, *TEXTS))
# The options with which a data set of texts is read here; `FILE` is that of a test.
FILE = "lines.txt"
OPTIONS = {"text": {"packages": ("keras",)}, "text_file": {"path": FILE, "length": 4}, "markov": {"examples": 200}}


def smallest(request, tmp_path):
    """Returns a registered data set, in the smallest form available on this machine."""
    name = request.param
    if name in POINTS:
        return data.load(name, examples=200)
    if name in TEXTS:
        request.getfixturevalue("monkeypatch").chdir(tmp_path)
        (tmp_path / FILE).write_text("".join(f"{number:x}\n" for number in range(200)))
        folder = request.getfixturevalue("lm1b_dir") if name == "lm1b" else None
        return data.load(name, data_dir=folder and str(folder), **OPTIONS.get(name, {}))
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


@pytest.fixture(params=IMAGES + POINTS + TEXTS)
def loaded(request, tmp_path):
    """Each registered data set."""
    return smallest(request, tmp_path)


@pytest.fixture(params=IMAGES)
def images(request, tmp_path):
    """Each data set of images."""
    return smallest(request, tmp_path)


@pytest.fixture(params=POINTS)
def points(request, tmp_path):
    """Each data set of points."""
    return smallest(request, tmp_path)


@pytest.fixture(params=TEXTS)
def texts(request, tmp_path):
    """Each data set of texts."""
    return smallest(request, tmp_path)


def read(loaded, batch_size, count, **options):
    return np.array(list(loaded.batches(batch_size, **options).take(count).as_numpy_iterator()))


class TestContract:
    def test_examples_are_float32_with_a_label_each(self, loaded):
        batch = read(loaded, 8, 1)[0]
        assert batch.dtype == np.float32
        assert batch.shape == (8, *loaded.shape)
        assert len(loaded.labels) == loaded.size

    def test_images_are_in_range_and_channels_last(self, images):
        batch = read(images, 8, 1)[0]
        assert images.shape[0] in (28, 32, 64)
        assert images.shape[2] == 3
        assert -1 <= batch.min() < -0.5
        assert batch.max() <= 1

    def test_points_are_distinct_and_in_the_plane(self, points):
        batch = read(points, 200, 1)[0]
        assert points.shape == (2,)
        assert np.isfinite(batch).all()
        assert len(np.unique(batch, axis=0)) == 200
        # The widest is the ring, of radius 5, or the banana, whose x2 reaches 0.2 x1^2 with x1 ~ N(0, 4).
        assert 0.5 < np.abs(batch).max() < 20

    def test_texts_are_one_hot(self, texts):
        batch = read(texts, 8, 1)[0]
        np.testing.assert_array_equal(batch.sum(axis=-1), 1.0)
        assert set(np.unique(batch)) == {0.0, 1.0}

    def test_eager_equals_graph(self, loaded):
        positions = tf.constant([3, 0, 7])
        # The graph's optimiser multiplies by 1 / 127.5 where eager code divides.
        np.testing.assert_allclose(tf.function(loaded.take)(positions), loaded.take(positions), atol=1e-6)

    def test_seed_determines_the_batches(self, loaded):
        one = read(loaded, 5, 3, seed=1)
        np.testing.assert_array_equal(read(loaded, 5, 3, seed=1), one)
        assert not np.array_equal(read(loaded, 5, 3, seed=2), one)

    def test_start_equals_skipping_batches(self, loaded):
        # 4 batches of two fifths of the data pass the end of the first epoch.
        size = loaded.size * 2 // 5
        np.testing.assert_array_equal(read(loaded, size, 2, seed=3, start=2), read(loaded, size, 4, seed=3)[2:])

    def test_class_attributes_match_the_loaded_data(self, loaded):
        cls = data.get(loaded.name)
        assert cls.name == loaded.name
        data_set = cls(image_size=28) if loaded.name == "folder" else cls(**OPTIONS.get(loaded.name, {}))
        assert data_set.shape == loaded.shape
        assert data_set.modes == (None if loaded.modes is None else len(loaded.modes))
        if data_set.modes:
            assert 0 <= loaded.labels.min() <= loaded.labels.max() < data_set.modes
            np.testing.assert_allclose(loaded.modes.sum(), 1.0)
        kinds = dict.fromkeys(IMAGES, "image") | dict.fromkeys(TEXTS, "text")
        assert data_set.example.name == kinds.get(loaded.name, "point")

    def test_content_has_a_checksum(self, loaded):
        assert loaded.made_of
        assert loaded.content == loaded.content


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "colour_mnist"}, "data.name: unknown data set 'colour_mnist'; did you mean 'color_mnist'"),
        ({"name": "color_mnist", "split": "tran"}, "split of color_mnist 'tran'; did you mean 'train'"),
        ({"name": "color_mnist", "source": "embeded"}, "data.source: .*did you mean 'embedded'"),
        ({"name": "cifar10", "source": "embedded"}, "data.source: expected 'auto' or 'tfds' for cifar10, received"),
        ({"name": "folder", "source": "tfds"}, "data.source: expected 'auto' for folder, received 'tfds'"),
        ({"name": "folder", "image_size": -1}, "data.image_size: expected a number above zero, received -1"),
        ({"name": "folder", "image_size": "large"}, "data.image_size: expected an integer, received 'large'"),
        ({"name": "folder", "image_siz": 32}, "data.image_siz: .*did you mean 'image_size'"),
        ({"name": "cifar10", "path": "x"}, "data.path: 'cifar10' has no option 'path'.*no options"),
    ],
)
def test_invalid_arguments_are_refused_with_their_path(arguments, message):
    with pytest.raises(errors.InputError, match=message) as caught:
        data.load(**arguments)
    assert "\n" not in str(caught.value)


def test_data_set_is_built_from_a_config():
    folder = data.of(config.Data(name="folder", path="here", image_size=48))
    assert (folder.path, folder.shape) == ("here", (48, 48, 3))
    assert type(data.of(config.Data(name="celeba"))) is data.get("celeba")


def test_defaults_of_the_table():
    # data set -> (networks, extractor, modes)
    expected = {
        "celeba": ("dcgan", "inception", None),
        "cifar10": ("dcgan", "cifar10", None),
        "color_mnist": ("dcgan", "digits", 70),
        "folder": ("dcgan", "inception", None),
        "stacked_mnist": ("dcgan", "digits", 1000),
    }
    classes = {name: data.get(name) for name in expected}
    assert {name: (cls.networks, cls.extractor, cls.modes) for name, cls in classes.items()} == expected


@pytest.mark.parametrize("name", POINTS)
def test_defaults_of_points(name):
    modes = {"eight_gaussians": 8, "mog": 2, "twenty_five_gaussians": 25}
    data_set = data.of(config.Data(name=name))
    assert (data_set.networks, data_set.modes, data_set.splits) == ("mlp", modes.get(name), data_set.known_splits())
    assert (data_set.load("test").size, data_set.load("test").source) == (100_000, "drawn")


def test_default_outputs_are_the_models_outputs():
    def model(images, training):
        assert training is False
        return images + 1.0, images + 2.0

    celeba = data.get("celeba")()
    logits, features = celeba.outputs(model)(tf.zeros([2]))
    np.testing.assert_array_equal([logits, features], [[1.0, 1.0], [2.0, 2.0]])
    assert celeba.outputs_key == "celeba"


def test_seed_reaches_the_data_set():
    one, other = (data.load("color_mnist", source="embedded", seed=seed).labels for seed in (0, 1))
    assert not np.array_equal(one, other)


class Rings(data.DataSet):
    """A user's data set: points on circles around the origin."""

    splits = ("train", "test")
    sources = ("drawn",)
    example = data.POINT
    shape = (2,)

    def __init__(self, *, rings: int = 3):
        self.modes = rings

    def read(self, split, *, source, seed, data_dir):
        random = np.random.default_rng([seed, self.splits.index(split)])
        labels = random.integers(self.modes, size=200)
        angle = random.uniform(0, 2 * np.pi, 200)
        points = (labels + 1)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        modes = np.full(self.modes, 1 / self.modes)
        return examples.in_memory(self.name, split, "drawn", points, labels, modes=modes)


@pytest.fixture
def rings():
    with helpers.registered(data.DATA, "rings", Rings):
        yield


@pytest.mark.usefixtures("rings")
class TestPlugIn:
    def test_loads_and_batches(self):
        loaded = data.load("rings", "test", rings=2, seed=5, source="drawn")
        assert (loaded.name, loaded.split, loaded.source) == ("rings", "test", "drawn")
        assert (loaded.shape, loaded.size) == ((2,), 200)
        batch = read(loaded, 32, 1)[0]
        assert (batch.shape, batch.dtype) == ((32, 2), np.float32)
        assert set(np.rint(np.linalg.norm(batch, axis=1))) == {1.0, 2.0}
        radius = np.linalg.norm(loaded.take(np.arange(200)), axis=1)
        np.testing.assert_allclose(radius, loaded.labels + 1, rtol=1e-5)

    def test_samples_are_drawn_as_png(self):
        data_set = data.of(config.Data(name="rings"))
        samples = data_set.load().some(0, 64)
        picture = PIL.Image.open(io.BytesIO(data_set.example.grid(samples, 8)))
        assert picture.format == "PNG"
        np.testing.assert_array_equal(data_set.example.stored(samples), samples)

    def test_options_are_config_fields(self):
        assert data.of(config.Data(name="rings", rings=5)).modes == 5
        with pytest.raises(errors.InputError, match="data.rings: expected an integer, received 'many'"):
            data.of(config.Data(name="rings", rings="many"))

    def test_unknown_split_or_source_is_refused(self):
        with pytest.raises(
            errors.InputError, match="unknown split of rings 'validation'. Expected one of: train, test"
        ):
            data.load("rings", "validation")
        with pytest.raises(errors.InputError, match="data.source: expected 'auto' or 'drawn' for rings"):
            data.load("rings", source="tfds")

    @pytest.mark.parametrize(
        ("split", "shape", "message"),
        [
            ("train", (2,), "'rings' read examples of the wrong split: expected 'test', received 'train'"),
            ("test", (3,), r"'rings' read examples of the wrong shape: expected \(2,\), received \(3,\)"),
        ],
    )
    def test_wrong_split_or_shape_is_refused(self, monkeypatch, split, shape, message):
        def wrong(self, *args, **kwargs):
            return examples.in_memory("rings", split, "drawn", np.zeros((5, *shape)), np.zeros(5))

        monkeypatch.setattr(Rings, "read", wrong)
        with pytest.raises(errors.InputError, match=message):
            data.load("rings", "test")
