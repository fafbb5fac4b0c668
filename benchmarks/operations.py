"""Counts the floating-point operations of each part of a training step, in the traced program."""

import collections
import math
import re

from benchmarks import noise

PARTS = ("fake images for D", "D's loss", "penalty", "D's optimiser", "G's loss", "G's optimiser", "other")


def part(name):
    """Returns the part to which an operation of the traced step belongs, from the operation's name."""
    generating = "update_generator" in name
    if re.search(r"(adam|rmsprop)(_\d+)?/", name):
        return "G's optimiser" if generating else "D's optimiser"
    if "penalty" in name:
        return "penalty"
    if generating:
        return "G's loss"
    if "update_discriminator" not in name:
        return "other"
    return "fake images for D" if "/generator" in name else "D's loss"


def traced(variant, side, precision="float32"):
    """Returns (the step as a `tf.function`, a batch)."""
    import tensorflow as tf

    from tfpaths.runs import build

    images = noise.images(side)
    gan = build.build(noise.experiment(variant, precision), images.shape)
    batch = images.take(tf.range(64))
    return tf.function(gan.train_step, autograph=False), batch


def count(variant, side):
    """Returns part -> floating-point operations of its convolutions and matrix products."""
    from tfpaths import startup

    startup.import_tensorflow()
    function, batch = traced(variant, side)
    graph = function.get_concrete_function(batch).graph
    counted = collections.Counter()
    for operation in _needed(graph):
        counted[part(operation.name)] += _multiplications(operation) * 2
    return counted


def _needed(graph):
    """Returns the operations on which an output or an assignment depends, without gradients that nothing uses."""
    changes = [operation for operation in graph.get_operations() if operation.type.startswith("Assign")]
    waiting = [tensor.op for tensor in graph.outputs] + changes
    seen = set()
    while waiting:
        operation = waiting.pop()
        if operation not in seen:
            seen.add(operation)
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return seen


def _multiplications(operation):
    """Returns the multiplications of a matrix product or a convolution; 0 for any other operation."""
    inputs, outputs = operation.inputs, operation.outputs
    if operation.type == "MatMul":
        inner = inputs[0].shape[0 if operation.get_attr("transpose_a") else 1]
        return math.prod(outputs[0].shape) * inner
    # One multiplication for each element of the smaller map and each weight that is connected to it.
    if operation.type == "Conv2D":
        return math.prod(outputs[0].shape) * math.prod(inputs[1].shape[:3])
    if operation.type == "Conv2DBackpropInput":
        return math.prod(inputs[2].shape) * math.prod(inputs[1].shape[:3])
    if operation.type == "Conv2DBackpropFilter":
        return math.prod(inputs[2].shape) * math.prod(outputs[0].shape[:3])
    return 0
