"""TensorFlow features without a public name. A cluster of two workers is in `tests/runs/test_distribution.py`."""

import gc
import weakref

import keras
import pytest
import tensorflow as tf

from tfpaths.compat import tensorflow as compat


def test_single_process_is_not_multi_worker(two_replicas):
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        assert not compat.is_multi_worker(strategy)
        assert (compat.workers(strategy), compat.worker(strategy)) == (1, 0)


def square(x):
    """x^2 with a derivative that is wrong on purpose, 3 x, to see that it is the one used."""
    return x * x, lambda outputs: 3.0 * x * outputs


def step(decorator):
    """Returns a compiled function with a custom gradient, inside a loop and outside."""
    function = decorator(square)

    def turn(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return [tape.gradient(y, x)]

    @tf.function(autograph=False)
    def compiled(x):
        (x,) = tf.while_loop(lambda x: True, turn, [x], maximum_iterations=2)
        return x + function(x)

    return compiled


@pytest.mark.parametrize("decorator", [tf.custom_gradient, compat.custom_gradient])
def test_graph_with_a_custom_gradient(decorator):
    compiled = step(decorator)
    assert float(compiled(tf.constant(2.0))) == 18.0 + 18.0**2
    # The derivative of the whole function is traced after the function itself.
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = compiled(x)
    # Each turn multiplies by 3, and the last term's derivative is taken for 3 x.
    assert float(tape.gradient(y, x)) == 9.0 + 9.0 * 3.0 * 18.0
    graph = weakref.ref(compiled.get_concrete_function(x).graph)
    del compiled, y, tape
    gc.collect()
    # TensorFlow's never goes. Where it does, ours is no longer needed.
    assert (graph() is None) is (decorator is compat.custom_gradient)


@pytest.mark.parametrize("strategy", ["one", "two"])
def test_graph_of_an_update_can_be_freed(strategy, request):
    devices = request.getfixturevalue("two_replicas") if strategy == "two" else tf.distribute.get_strategy()
    with devices.scope():
        w = keras.Variable(1.0)
        optimizer = keras.optimizers.SGD(0.5)
        optimizer.build([w])

    @tf.function(autograph=False)
    def update():
        devices.run(lambda: compat.apply_gradients(optimizer, [tf.constant(3.0)], [w]))

    update()
    # Keras adds up the replicas' gradients.
    assert float(tf.convert_to_tensor(w)) == 1.0 - 0.5 * 3.0 * devices.num_replicas_in_sync
    graph = weakref.ref(update.get_concrete_function().graph)
    assert graph() is not None
    del update
    gc.collect()
    assert graph() is None


def test_optimizer_with_a_custom_gradient():
    # `apply_gradients` meets an operation that `custom_gradient` has dealt with already.
    class Squaring(keras.optimizers.SGD):
        def apply(self, grads, trainable_variables=None):
            self.squares = [compat.custom_gradient(square)(one) for one in grads]
            return super().apply(self.squares, trainable_variables)

    w, x = keras.Variable(1.0), tf.constant(3.0)
    optimizer = Squaring(0.5)
    optimizer.build([w])

    @tf.function(autograph=False)
    def update(x):
        compat.apply_gradients(optimizer, [x], [w])
        return optimizer.squares[0]

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = update(x)
    assert float(w) == 1.0 - 0.5 * 3.0**2
    assert float(tape.gradient(y, x)) == 3.0 * 3.0
