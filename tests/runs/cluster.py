"""A worker of several: `python tests/runs/cluster.py`, with TF_CONFIG set, prints its numbers as JSON.

One-parameter players, plain gradient descent, every loss. The same function gives the numbers of one device. It imports
nothing of the other tests, because TensorFlow must join a cluster before it lists its devices.
"""

import json

from tfpaths import startup

LOSSES = ("minimax", "non_saturating", "wasserstein", "least_squares", "hinge")
STEPS = 4


def players():
    """G(z) = b for every z, and D(x) = w x."""
    import keras

    class Constant(keras.layers.Layer):
        def build(self, input_shape):
            self.b = self.add_weight(shape=(), initializer=keras.initializers.Constant(-0.4))

        def call(self, inputs):
            return self.b + 0.0 * inputs

    weight = keras.initializers.Constant(0.7)
    critic = keras.layers.Dense(1, use_bias=False, kernel_initializer=weight)
    return keras.Sequential([keras.Input((1,)), Constant()]), keras.Sequential([keras.Input((1,)), critic])


def trained(strategy, loss, steps_per_execution=1):
    """[w, b] after some steps. The penalty of a linear critic is the same at every point: it needs no randomness."""
    import keras
    import numpy as np
    import tensorflow as tf

    from tfpaths import penalties
    from tfpaths.gan import GAN

    with strategy.scope():
        gan = GAN(*players(), loss=loss, penalty=penalties.InterpolationPenalty())
        gan.compile(
            generator_optimizer=keras.optimizers.SGD(0.1),
            discriminator_optimizer=keras.optimizers.SGD(0.1),
            steps_per_execution=steps_per_execution,
        )
    real = np.random.default_rng(0).normal(size=(STEPS, 8, 1)).astype(np.float32)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    gan.fit(tf.data.Dataset.from_tensor_slices(real).with_options(options), verbose=0)
    return [float(variable.numpy().item()) for variable in (*gan.discriminator.variables, *gan.generator.variables)]


def main():
    """Joins the cluster and trains with every loss."""
    startup.import_tensorflow(devices=False)
    import tensorflow as tf

    from tfpaths import errors
    from tfpaths.runs import distribution

    strategy = distribution.get("multi_worker")
    own = distribution.worker(strategy)
    # State of every type that a checkpoint may hold: a weight, a counter, the state of a seed, a switch.
    values = {tf.float32: (0.5, float("nan")), tf.int64: (2**40, 3), tf.bool: (True, False), tf.uint32: (2**32 - 1, 7)}
    held = [tf.Variable(tf.constant(value[min(own, 1)], dtype)) for dtype, value in values.items()]
    distribution.share(held, strategy)
    output = {
        "workers": distribution.workers(strategy),
        "replicas": strategy.num_replicas_in_sync,
        "trained": {loss: trained(strategy, loss) for loss in LOSSES},
        "two_steps_at_once": trained(strategy, "minimax", 2),
        "shared": [variable.numpy().tolist() for variable in held],
        "any": [distribution.any_worker(own == 1, strategy), distribution.any_worker(False, strategy)],
        "joined": distribution.joined(tf.constant([10.0 * own, 10.0 * own + 1]).numpy(), strategy).tolist(),
    }
    distribution.check_same("alike", "the text", strategy)
    try:
        distribution.check_same(f"of {own % 2}", "the text", strategy)
    except errors.InputError as error:
        output["differs"] = str(error)
    print(json.dumps(output))


if __name__ == "__main__":
    main()
