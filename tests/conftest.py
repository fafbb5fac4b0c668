"""What all tests share: two logical CPUs, so that a strategy of two replicas can run anywhere."""

import atexit
import os
import pathlib
import shutil
import tempfile

import pytest

from tfpaths import startup

if "TFPATHS_CACHE_DIR" not in os.environ:
    # The classifiers are trained once for all tests, and nothing of the user's is read or written.
    os.environ["TFPATHS_CACHE_DIR"] = tempfile.mkdtemp(prefix="tfpaths-tests-")
    atexit.register(shutil.rmtree, os.environ["TFPATHS_CACHE_DIR"], ignore_errors=True)

# The tests' processes share a GPU, where there is one.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
startup.import_tensorflow(logical_cpus=2)

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def tfds_dir():
    """The folder of prepared TFDS data, where the machine has one with MNIST."""
    folder = pathlib.Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    if not list(folder.glob("mnist/*/dataset_info.json")):
        pytest.skip(f"MNIST is not prepared in {folder}; set TFDS_DATA_DIR")
    return folder


CELEBA_SIZES = {"train": 12, "validation": 5, "test": 4}


def portrait(index):
    """218×178: a ramp inside the central 160×160, and a frame outside that no crop may let in."""
    image = np.full((218, 178, 3), 255, np.uint8)
    image[29:189, 9:169] = np.linspace(0, 120, 160)[:, None, None] + index
    return image


@pytest.fixture(scope="session")
def celeba_dir(tmp_path_factory):
    """CelebA as TFDS's own builder declares it, name, version, features and JPEG, with portraits of ours on a disk."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.datasets.celeb_a import celeb_a_dataset_builder as published

    with tfds.core.registered.skip_registration():

        class CelebA(published.Builder):
            name = "celeb_a"
            # TFDS looks for the description beside the module of the class.
            __module__ = published.__name__
            pkg_dir_path = published.Builder.pkg_dir_path

            def _split_generators(self, dl_manager):
                return {split: self._generate_examples(split) for split in CELEBA_SIZES}

            def _generate_examples(self, split):
                for index in range(CELEBA_SIZES[split]):
                    yield (
                        index,
                        {
                            "image": portrait(index),
                            "landmarks": dict.fromkeys(published.LANDMARK_HEADINGS, index),
                            "attributes": dict.fromkeys(published.ATTR_HEADINGS, True),
                            "identity": dict.fromkeys(published.IDENTITY_HEADINGS, index),
                        },
                    )

    folder = tmp_path_factory.mktemp("tfds")
    CelebA(data_dir=str(folder)).download_and_prepare()
    return folder


TOY = {
    "data.source": "embedded",
    "schedule.steps": "4",
    "schedule.batch_size": "8",
    "schedule.log_every": "1",
    "schedule.sample_every": "2",
    "networks.latent_dim": "5",
    "networks.generator_filters": "4",
    "networks.discriminator_filters": "4",
    "evaluation.metrics": "none",
}


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """The directory of a run of four steps, to be read; whoever writes there makes a copy."""
    from tfpaths import config, experiments, training

    path = tmp_path_factory.mktemp("runs") / "tiny"
    training.train(config.override(experiments.get("color_mnist_dragan_ns"), TOY), path)
    return path


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory):
    """The directory of a study of three runs of four steps, as `study.run` leaves it, without its compiling."""
    from tfpaths import config, experiments, results, study

    texts = {"study.runs": "3", "schedule.steps": "4", "schedule.log_every": "2"}
    value = config.override(experiments.get("line1_ns"), texts)
    directory = results.RunDirectory(tmp_path_factory.mktemp("runs") / "tiny_study")
    results.write_json(directory.config, config.to_dict(value))
    distances = np.random.default_rng(0).uniform(0.1, 10.0, (3, 3))
    rows = [
        {"step": step, "run": run, "squared_distance": distance, "rises": 0.25, "climbed": 0.5}
        for run, of_run in enumerate(distances.tolist())
        for step, distance in zip((0, 2, 4), of_run, strict=True)
    ]
    results.append_rows(directory.metrics, rows)
    results.write_json(directory.results, results.summary(value, 4, study.found(rows, 3), {"dimension": 2}))
    return directory.path


@pytest.fixture(scope="session")
def two_replicas():
    """Two logical CPUs. One for all tests: TensorFlow gives the collectives of every such strategy the same keys."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


class Constant(keras.layers.Layer):
    """A player with one parameter: b, whatever it is given."""

    def __init__(self, value, **kwargs):
        super().__init__(**kwargs)
        self.value = value

    def build(self, input_shape):
        self.b = self.add_weight(shape=(), initializer=keras.initializers.Constant(self.value), name="b")

    def call(self, inputs):
        return self.b + 0.0 * inputs


def linear(weights, **kwargs):
    """D(x) = w · x."""
    weights = tf.constant(weights, tf.float32)
    model = keras.Sequential([keras.Input((len(weights),)), keras.layers.Dense(1, use_bias=False, **kwargs)])
    model.layers[0].kernel.assign(weights[:, tf.newaxis])
    return model


def constant_generator(value, size=1):
    return keras.Sequential([keras.Input((size,)), Constant(value)])
