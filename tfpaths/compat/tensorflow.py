"""TensorFlow: the private names that tfpaths uses, and what works around its faults."""

import functools
import os
import pathlib
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import ops
from tensorflow.python.ops import control_flow_util
from tensorflow.python.saved_model import fingerprinting_utils

from tfpaths import errors

_is_copy = False


def check_process() -> None:
    """Checks that TensorFlow works in this process: in a fork of one in which it had started, it waits for ever.

    A fork has no threads but the one that called it, and TensorFlow's are missing.

    Raises:
      InputError: This process is such a fork.

    Example:
      >>> check_process()
    """
    if _is_copy:
        raise errors.InputError(
            "this process is a copy (os.fork) of one in which TensorFlow had started, and lacks its threads. To fix "
            "this: start processes by multiprocessing.get_context('spawn'), or use TensorFlow in the copies only."
        )


def _note_copy() -> None:
    global _is_copy
    _is_copy = _is_copy or context.context()._context_handle is not None


if hasattr(os, "register_at_fork"):  # Windows has no fork.
    os.register_at_fork(after_in_child=_note_copy)


def is_in_xla() -> bool:
    """Returns whether what is traced here becomes part of a program of XLA.

    Example:
      >>> inside = tf.function(lambda: tf.constant(is_in_xla()), jit_compile=True, autograph=False)
      >>> bool(inside()), is_in_xla()
      (True, False)
    """
    return control_flow_util.GraphOrParentsInXlaContext(ops.get_default_graph())


def has_accelerator() -> bool:
    """Returns whether TensorFlow computes on a GPU or a TPU here.

    Example:
      >>> has_accelerator() == bool(tf.config.list_physical_devices("GPU"))  # where there is no TPU
      True
    """
    return any(device.device_type in ("GPU", "TPU") for device in tf.config.list_logical_devices())


def in_scope(derivative: Callable) -> Callable:
    """Returns the derivative of a custom gradient in the name scope of the function, as TensorFlow names its own.

    A profile then shows which layer the derivative is of.

    Example:
      >>> in_scope(lambda outputs: 2.0 * outputs)(1.5)
      3.0
    """
    scope = tf.get_current_name_scope()

    @functools.wraps(derivative)
    def named(*outputs):
        with tf.name_scope(f"gradient_tape/{scope}/"):
            return derivative(*outputs)

    return named


def custom_gradient(function: Callable) -> Callable:
    """As `tf.custom_gradient`, for a function that returns one tensor, but graphs that call it can be freed.

    TensorFlow 2.21 registers the derivative under a new name at each call in a graph, for the life of the process. The
    derivative refers to tensors of the graph, so such a graph is never freed: 14 MB for each compiled step of a DCGAN.
    Here the graph holds the derivative, and the name is removed together with the graph.

    Example:
      >>> @custom_gradient
      ... def twice(x):
      ...     return 2.0 * x, lambda outputs: 2.0 * outputs
      >>> x = tf.Variable(1.0)
      >>> with tf.GradientTape() as tape:
      ...     y = twice(x)
      >>> float(tape.gradient(y, x))
      2.0
    """
    decorated = tf.custom_gradient(function)

    @functools.wraps(function)
    def call(*args):
        result = decorated(*args)
        if tf.is_symbolic_tensor(result):
            _hold_derivative(result.op)
        return result

    return call


def _hold_derivative(operation: tf.Operation) -> None:
    """Moves the derivative of a custom gradient's operation from TensorFlow's registry to its graph, once."""
    graph: Any = operation.graph
    registry = ops.gradient_registry._registry
    name = operation.get_attr("_gradient_op_type").decode()
    if not hasattr(graph, "_tfpaths_derivatives"):
        graph._tfpaths_derivatives = {}
    if name in graph._tfpaths_derivatives:
        return
    graph._tfpaths_derivatives[name] = registry[name]["type"]
    reference: Any = weakref.ref(graph)
    registry[name]["type"] = lambda *arguments: reference()._tfpaths_derivatives[name](*arguments)
    weakref.finalize(graph, registry.pop, name, None)


def save_without_custom_gradients(module: tf.Module, path: pathlib.Path, signatures: Mapping[str, Any]) -> None:
    """Writes a SavedModel whose operations do not say that they had a derivative of their own.

    `tf.saved_model.save` stores the derivatives as functions with captured tensors, or, if asked not to, leaves their
    names in the operations, so that loading the model warns. Derivatives that a function of the model computes are
    operations like any other, and stay.

    Args:
      module: The module.
      path: The directory, whose `assets` and `variables` may exist.
      signatures: The functions for serving, by name.

    Example: `tfpaths.runs.exporting.export`.
    """
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(path), signatures=signatures, options=options)
    file, model = path / "saved_model.pb", saved_model_pb2.SavedModel()
    model.ParseFromString(file.read_bytes())
    for graph in (one.graph_def for one in model.meta_graphs):
        for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
            if "_gradient_op_type" in node.attr:
                del node.attr["_gradient_op_type"]
    file.write_bytes(model.SerializeToString(deterministic=True))
    fingerprinting_utils.write_fingerprint(str(path))


def apply_gradients(optimizer: Any, gradients: Sequence[tf.Tensor | None], variables: Sequence[Any]) -> None:
    """Applies gradients with a Keras optimiser, once all of them are computed; use it for every update of a player.

    Without this, TensorFlow 2.21 can update a variable before all passes of the same step have read it. Its graph
    optimiser drops an edge "read before update" where a longer path leads from the read to the update. Keras sends all
    gradients through one `IdentityN`, so that such a path leads over the gradient of any other variable; then the graph
    optimiser takes the `IdentityN` apart, and the path is gone too. A bias of the discriminator has no gradient of the
    penalty: its update, which waits for the gradient of the loss only, could overtake the discriminator's pass for the
    penalty. The edges from all gradients to each update stay.

    Args:
      optimizer: A Keras optimiser.
      gradients: The gradient of each variable; None for a variable on which the objective does not depend.
      variables: The variables.

    Example:
      >>> import keras
      >>> w = keras.Variable(1.0)
      >>> apply_gradients(keras.optimizers.SGD(0.5), [tf.constant(3.0)], [w])
      >>> float(w)
      -0.5
    """
    graph = None if tf.executing_eagerly() else ops.get_default_graph()
    before = len(graph.get_operations()) if graph else 0
    with tf.control_dependencies([gradient for gradient in gradients if gradient is not None]):
        optimizer.apply(gradients, variables)
    if graph:
        # Keras' sum of the gradients over replicas is a custom gradient.
        for operation in graph.get_operations()[before:]:
            if operation.type == "IdentityN" and "_gradient_op_type" in operation.node_def.attr:
                _hold_derivative(operation)


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether a strategy trains with several worker processes.

    Example:
      >>> is_multi_worker(tf.distribute.get_strategy())
      False
    """
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def workers(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of worker processes.

    Example:
      >>> workers(tf.distribute.get_strategy())
      1
    """
    return strategy.extended._num_workers if is_multi_worker(strategy) else 1


def worker(strategy: tf.distribute.Strategy) -> int:
    """Returns the index of this worker process, from 0 to `workers(strategy) - 1`.

    Example:
      >>> worker(tf.distribute.get_strategy())
      0
    """
    return strategy.extended._id_in_cluster if is_multi_worker(strategy) else 0


def devices_per_worker(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of replicas of each worker process, for a multi-worker strategy."""
    return strategy.extended._num_devices_per_worker
