"""TF-GAN on this TensorFlow: it imports, leaves TensorFlow unpatched, and passes its own tests."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from helpers import finish

from tfpaths.tfgan import tfgan

# TF-GAN deletes the name `python` from itself, so its modules are reached by import and not by attribute.
_RUN = """
import importlib, sys, unittest
from tfpaths import startup
startup.import_tensorflow()
import tfpaths.tfgan
modules = [importlib.import_module(f"tensorflow_gan.python.{name}") for name in sys.argv[1:]]
suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromModule(module) for module in modules)
result = unittest.TextTestRunner(verbosity=0).run(suite)
print("ran", result.testsRun, "skipped", len(result.skipped))
sys.exit(not result.wasSuccessful())
"""

# Module -> how many tests it holds, so that a module that silently loses them fails.
OWN_TESTS = {
    "losses.losses_impl_test": 132,
    "losses.tuple_losses_test": 15,
    "eval.classifier_metrics_test": 37,
    "eval.eval_utils_test": 16,
    "eval.inception_metrics_test": 17,
    "eval.sliced_wasserstein_test": 6,
    "eval.summaries_test": 11,
}


def test_tfgans_tests_for_losses_and_eval_pass():
    out, _ = finish([sys.executable, "-c", _RUN, *OWN_TESTS])
    assert f"ran {sum(OWN_TESTS.values())} " in out


def test_import_does_not_change_tensorflow():
    code = textwrap.dedent("""
        import tensorflow as tf
        import tensorflow.compat.v1  # TensorFlow exchanges tf.compat.v1 at its first import by that name
        v1 = tf.compat.v1
        before = [set(dir(m)) for m in (tf, tf.compat, v1)] + [hasattr(tf, "estimator"), hasattr(v1.layers, "flatten")]
        from tfpaths.tfgan import tfgan
        import tensorflow_gan
        assert tfgan is tensorflow_gan
        assert tf.compat.v1 is v1
        after = [set(dir(m)) for m in (tf, tf.compat, v1)] + [hasattr(tf, "estimator"), hasattr(v1.layers, "flatten")]
        # TensorFlow loads some of its names when they are first used; none may disappear, and ours must not remain.
        assert all(b <= a for b, a in zip(before[:3], after[:3])), "names are missing"
        assert after[3:] == before[3:] == [False, False], (before[3:], after[3:])
    """)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]


def test_missing_tfgan_error_says_how_to_install_it():
    code = (
        "import sys, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'tensorflow_gan' else real(name, *a)\n"
        "for name in ('tfpaths.tfgan', 'tfpaths.compat.tfgan'): sys.modules.pop(name, None)\n"
        "import tfpaths.tfgan"
    )
    _, err = finish([sys.executable, "-c", code], status=1)
    assert err.strip().splitlines()[-1].endswith("tfpaths needs TF-GAN: pip install tensorflow-gan==2.1.0")


def test_kernel_distance_works_without_patching_tensorflow():
    features = tf.random.stateless_normal((64, 3), [0, 1])
    # An unbiased estimate, zero in expectation for two samples of one distribution.
    value = tfgan.eval.kernel_classifier_distance_from_activations(features[:32], features[32:])
    assert abs(float(value)) < 0.5


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 5), (2,)])
def test_flatten_keeps_the_first_axis(shape):
    from tfpaths.compat import tfgan as module

    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.testing.assert_array_equal(module._flatten(x), x.reshape(2, -1))
    graph = tf.function(module._flatten, input_signature=[tf.TensorSpec([None, *shape[1:]])])
    np.testing.assert_array_equal(graph(x), x.reshape(2, -1))
