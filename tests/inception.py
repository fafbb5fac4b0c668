"""A small model in the place of Inception."""

import numpy as np
import tensorflow as tf


class Inception(tf.Module):
    """A model with the interface of TF-GAN's Inception: fixed random projections of 75 averages."""

    def __init__(self, logits=1008, features=2048, names=("logits", "pool_3")):
        super().__init__()
        draw = np.random.default_rng(0)
        self.names = names
        self.projections = [tf.Variable(draw.normal(size=(75, n)), dtype=tf.float32) for n in (logits, features)]

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def __call__(self, images):
        small = tf.reshape(tf.image.resize(images, (5, 5)), [-1, 75])
        values = [tf.matmul(small, projection) for projection in self.projections]
        # As pool_3 is in the original: with two axes of length one.
        values[1] = values[1][:, tf.newaxis, tf.newaxis, :]
        return dict(zip(self.names, values, strict=True))
