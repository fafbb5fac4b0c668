"""MS-SSIM against an oracle in NumPy, and as a metric."""

import itertools
import math

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from tfpaths import config, errors
from tfpaths.data import color_mnist, digits
from tfpaths.metrics import ms_ssim, sources
from tfpaths.metrics.evaluator import Evaluator

EMBEDDED = config.Data(name="color_mnist", source="embedded")
WANTED = config.Evaluation(metrics=("ms_ssim",))


def wang(one, other, scale_weights):
    """MS-SSIM of two images in [0, 1], channel by channel, written from Wang et al. 2003, equations 1 to 7."""
    taps = np.exp(-((np.arange(7) - 3.0) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()

    def smooth(image):
        for axis in (0, 1):
            image = scipy.ndimage.correlate1d(image, taps, axis=axis)
        return image[3:-3, 3:-3]  # where the window is inside the image

    c1, c2 = 0.01**2, 0.03**2
    values = []
    for x, y in zip(np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0), strict=True):
        product = 1.0
        for scale, weight in enumerate(scale_weights):
            mx, my = smooth(x), smooth(y)
            vx, vy, cov = smooth(x * x) - mx**2, smooth(y * y) - my**2, smooth(x * y) - mx * my
            contrast_structure = (2 * cov + c2) / (vx + vy + c2)
            luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
            last = scale == len(scale_weights) - 1
            # A negative mean has no real power; TensorFlow takes it as 0, and so is the product.
            product *= max((contrast_structure * luminance if last else contrast_structure).mean(), 0) ** weight
            if not last:
                x, y = ((z[::2, ::2] + z[1::2, ::2] + z[::2, 1::2] + z[1::2, 1::2]) / 4 for z in (x, y))
        values.append(product)
    return np.mean(values)


def real_images(side):
    if side == 32:
        # scikit-learn's two photographs, cut into pieces: real pictures without a network.
        import sklearn.datasets

        photos = [
            photo[:416, :640].reshape(13, 32, 20, 32, 3).swapaxes(1, 2)
            for photo in sklearn.datasets.load_sample_images().images
        ]
        pieces = np.concatenate([photo.reshape(-1, 32, 32, 3) for photo in photos])
        return pieces[:: len(pieces) // 64][:64].astype(np.float32) / 127.5 - 1
    images = color_mnist.coloured(digits.embedded("train"), "train", 0)
    batch = images.take(np.arange(64)).numpy()
    if side == 64:
        batch = np.clip(scipy.ndimage.zoom(batch, (1, 64 / 28, 64 / 28, 1), order=1), -1, 1)
    return batch


@pytest.mark.parametrize(("side", "count"), [(28, 3), (32, 3), (64, 4)])
def test_weights_are_wangs_scaled_to_sum_one(side, count):
    found = ms_ssim.weights(side)
    assert len(found) == count
    assert sum(found) == pytest.approx(1.0)
    np.testing.assert_allclose(np.divide(found, found[0]), np.array([0.0448, 0.2856, 0.3001, 0.2363])[:count] / 0.0448)


@pytest.mark.parametrize("side", [28, 32, 64])
def test_ms_ssim_matches_numpy_on_real_images(side):
    images = real_images(side)
    pairs = list(itertools.combinations(range(8), 2))
    found = ms_ssim.ms_ssim(*(tf.constant(images[[pair[k] for pair in pairs]]) for k in (0, 1)))
    expected = [wang(*((images[k].astype(np.float64) + 1) / 2 for k in pair), ms_ssim.weights(side)) for pair in pairs]
    # float32 variances are differences of squares, right to 1e-7 of 1, beside C2 = 9e-4.
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert 0 <= min(expected) < max(expected) < 1


def test_mean_over_all_pairs_of_a_batch():
    images = real_images(28)
    rows, columns = zip(*itertools.combinations(range(64), 2), strict=True)
    expected = ms_ssim.ms_ssim(tf.constant(images[list(rows)]), tf.constant(images[list(columns)]))
    assert ms_ssim.mean_over_pairs(images) == pytest.approx(float(np.mean(expected)), rel=1e-5)
    # Batches do not mix: a second batch of equal images averages with the first.
    both = np.concatenate([images, np.repeat(images[:1], 64, axis=0)])
    assert ms_ssim.mean_over_pairs(both) == pytest.approx((float(np.mean(expected)) + 1) / 2, rel=1e-5)


def test_another_size_of_image_can_follow_in_one_process():
    # 3 scales, then 4: the sizes must not share a trace.
    for side in (28, 88):
        assert float(ms_ssim._compiled()(tf.zeros([2, side, side, 1]), [0], [1])) == pytest.approx(1.0)


def test_invalid_sizes_are_refused():
    with pytest.raises(ValueError, match="multiple of 64 images, received 63"):
        ms_ssim.mean_over_pairs(real_images(28)[:63])
    with pytest.raises(ValueError, match="at least 7 pixels, received 6"):
        ms_ssim.weights(6)


def test_too_few_real_images_are_refused():
    with pytest.raises(errors.InputError, match="320 images in the split validation of color_mnist, received 237"):
        Evaluator(EMBEDDED, WANTED.replace(split="validation"))


def test_too_few_images_to_compare_are_refused():
    evaluator = Evaluator(EMBEDDED, WANTED)
    with pytest.raises(errors.InputError, match="ms_ssim: expected 320 images to compare, received 237"):
        evaluator.measure(sources.real(evaluator.examples("validation")))


def test_small_images_are_refused(pictures):
    path = pictures("train", np.zeros((3, 6, 6, 3)))
    folder = config.Data(name="folder", path=path, image_size=6)
    with pytest.raises(errors.InputError, match="'ms_ssim' cannot be computed for folder, which has images of fewer"):
        Evaluator(folder, WANTED)


def test_real_images_are_compared_once(monkeypatch):
    evaluator = Evaluator(EMBEDDED, WANTED)
    values = iter([0.25, 0.5, 0.75])
    monkeypatch.setattr(ms_ssim, "mean_over_pairs", lambda images: next(values))
    source = sources.noise((28, 28, 3), 0)
    assert evaluator.measure(source) == {"ms_ssim": 0.25, "ms_ssim_real": 0.5}
    assert evaluator.measure(source) == {"ms_ssim": 0.75, "ms_ssim_real": 0.5}


def test_value_that_is_not_finite_is_an_error(monkeypatch):
    monkeypatch.setattr(ms_ssim, "mean_over_pairs", lambda images: math.nan)
    with pytest.raises(errors.RunError, match="ms_ssim of the samples is nan"):
        Evaluator(EMBEDDED, WANTED).measure(sources.noise((28, 28, 3), 0))
