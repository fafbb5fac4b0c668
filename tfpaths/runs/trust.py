"""What a stranger's SavedModel may contain: arithmetic, and nothing that touches files, the network or Python.

A SavedModel is a program. Most of its operations compute; some read or write files (`ReadFile`, `WriteFile`, `SaveV2`),
call Python (`PyFunc`) or load libraries. `check` reads the program without running it, and refuses each operation that
is not in `ALLOWED`, in any function that can be called. It also refuses objects that run something while they are
loaded. What it does not promise: that the numbers mean anything, or that they need little memory or time.
"""

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

from tfpaths import errors, files

_ARITHMETIC = """
    Abs Add AddN AddV2 All Any ArgMax ArgMin Atan2 AvgPool AvgPoolGrad BatchMatMul BatchMatMulV2 BatchMatMulV3
    BiasAdd BiasAddGrad Bitcast BitwiseAnd BitwiseOr BitwiseXor Cast Ceil ClipByValue Conv2D Conv2DBackpropFilter
    Conv2DBackpropFilterV2 Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D Conv3DBackpropFilterV2
    Conv3DBackpropInputV2 Cos Cosh Cumprod Cumsum DepthToSpace DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Div DivNoNan Einsum Elu EluGrad Equal Erf
    Erfc Erfinv Exp Expm1 Floor FloorDiv FloorMod FusedBatchNorm FusedBatchNormGrad FusedBatchNormGradV2
    FusedBatchNormGradV3 FusedBatchNormV2 FusedBatchNormV3 Greater GreaterEqual Inv Invert InvGrad IsFinite IsInf
    IsNan L2Loss LeakyRelu LeakyReluGrad LeftShift Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr
    LogSoftmax LRN LRNGrad MatMul Max Maximum MaxPool MaxPoolGrad MaxPoolGradV2 MaxPoolV2 Mean Min Minimum Mod Mul
    MulNoNan Neg NotEqual Pow Prod RealDiv Reciprocal ReciprocalGrad Relu Relu6 Relu6Grad ReluGrad ResizeArea
    ResizeBicubic ResizeBicubicGrad ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor
    ResizeNearestNeighborGrad RightShift Rint Round Rsqrt RsqrtGrad Selu SeluGrad Sigmoid SigmoidGrad Sign Sin Sinh
    Softmax Softplus SoftplusGrad Softsign SoftsignGrad SpaceToDepth Sqrt SqrtGrad Square SquaredDifference Sub Sum
    Tan Tanh TanhGrad TopKV2 TruncateDiv TruncateMod UnsortedSegmentSum Xdivy Xlog1py Xlogy
"""
_SHAPES = """
    BatchToSpaceND Bincount BroadcastArgs BroadcastGradientArgs BroadcastTo Concat ConcatOffset ConcatV2 Const
    DynamicStitch EnsureShape ExpandDims Fill Gather GatherNd GatherV2 Identity IdentityN InvertPermutation LinSpace
    ListDiff MirrorPad MirrorPadGrad NoOp OneHot OnesLike Pack Pad PadV2 Placeholder PlaceholderWithDefault
    PreventGradient Range Rank ReduceJoin Reshape Reverse ReverseV2 ScatterNd Select SelectV2 Shape ShapeN Size Slice
    Snapshot SpaceToBatchND Split SplitV Squeeze StopGradient StridedSlice StridedSliceGrad TensorScatterAdd
    TensorScatterUpdate Tile Transpose Unpack Where ZerosLike
"""
_RANDOM = """
    RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt StatelessMultinomial StatelessRandomGetAlg
    StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2
    StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
    StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessTruncatedNormal StatelessTruncatedNormalV2
    TruncatedNormal
"""
# Variables, functions and control flow; the functions that they call are checked too.
_STATE = """
    Assert AssignAddVariableOp AssignSubVariableOp AssignVariableOp Case ControlTrigger If Merge PartitionedCall
    ReadVariableOp StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile StringFormat Switch VarHandleOp
    VarIsInitializedOp While
"""
ALLOWED = frozenset(" ".join((_ARITHMETIC, _SHAPES, _RANDOM, _STATE)).split())
# What an object of a SavedModel may be; tables and other resources run functions while they are loaded.
_OBJECTS = frozenset({"asset", "bare_concrete_function", "constant", "function", "user_object", "variable"})
# What TensorFlow names the functions that save and restore the variables by a graph of TensorFlow 1.
_SAVER = ("__inference__traced_save", "__inference__traced_restore")


def check(path: pathlib.Path) -> None:
    """Checks that a SavedModel computes and does nothing else. It is read, not loaded.

    Args:
      path: The directory of the SavedModel.

    Raises:
      InputError: It has an operation or an object that is not allowed, or is in a format that is not checked.

    Example:
      >>> import tensorflow as tf
      >>> @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
      ... def call(name):
      ...     return tf.io.read_file(name)
      >>> tf.saved_model.save(tf.Module(), "reads_files", signatures=call)
      >>> check(pathlib.Path("reads_files"))
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: 'reads_files': its operation ReadFile is not one that only computes; --trust ...
    """
    check_files(path)
    for other in ("saved_model.cpb", "saved_model.pbtxt"):
        # TensorFlow would read it instead of the file that is checked here.
        if (path / other).exists():
            raise _refused(path, f"it has a {other}, which is not checked")
    model = saved_model_pb2.SavedModel.FromString(files.read(path / "saved_model.pb"))
    if len(model.meta_graphs) != 1 or not model.meta_graphs[0].HasField("object_graph_def"):
        raise _refused(path, "it is not in the format of TensorFlow 2")
    graph, objects = model.meta_graphs[0].graph_def, model.meta_graphs[0].object_graph_def
    for node in objects.nodes:
        if (kind := node.WhichOneof("kind")) not in _OBJECTS:
            raise _refused(path, f"it has an object of the kind {kind}")
    functions = {function.signature.name: function for function in graph.library.function}
    if len(functions) != len(graph.library.function):
        raise _refused(path, "two of its functions have the same name")
    if any("api_implements" in function.attr for function in functions.values()):
        # TensorFlow's graph optimiser may run another function with the same text in this attribute.
        raise _refused(path, "one of its functions has several implementations")
    # `_SAVER`'s functions are loaded and never run, unless something else refers to them.
    waiting = [name for name in functions if not name.startswith(_SAVER)]
    waiting += objects.concrete_functions
    for node in objects.nodes:
        waiting += [*node.function.concrete_functions, node.bare_concrete_function.concrete_function_name]
    seen: set[str] = set()
    while waiting:
        if (name := waiting.pop()) in seen or name not in functions:
            continue
        seen.add(name)
        for node in functions[name].node_def:
            if node.op not in ALLOWED and node.op not in functions:
                raise _refused(path, f"its operation {node.op} is not one that only computes")
            waiting += [node.op, *_called(node.attr.values())]


def check_files(path: pathlib.Path) -> None:
    """Checks that TensorFlow finds regular files where it reads a SavedModel: it would wait for a named pipe's writer.

    Args:
      path: The directory of the SavedModel.

    Raises:
      InputError: There is something else than a file or a directory.

    Example:
      >>> files.write_bytes(pathlib.Path("model/saved_model.pb"), b"")
      >>> check_files(pathlib.Path("model"))
    """
    for pattern in ("*", "variables/*", "assets/*", "debug/*"):
        for file in path.glob(pattern):
            if not file.is_dir():
                files.check_file("--workdir", file)


def _called(attributes: Iterable[Any]) -> Iterator[str]:
    """Yields the names of the functions that the attributes of an operation contain."""
    for attribute in attributes:
        yield attribute.func.name
        yield from (function.name for function in attribute.list.func)


def _refused(path: pathlib.Path, why: str) -> errors.InputError:
    return errors.InputError(f"{str(path)!r}: {why}; --trust loads it all the same.")
