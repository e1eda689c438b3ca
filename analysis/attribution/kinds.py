"""What an operation of torch is to a rule: linear, an activation, a product. By name, and by what depends on the input.

No torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LINEAR, ELEMENTWISE, MAX_POOL, ADD, SHAPE = "linear", "elementwise", "max pool", "add", "shape"
PRODUCT, SOFTMAX, ATTENTION, NORMALISATION = "product", "softmax", "attention", "normalisation"
RECURRENT, EMBEDDING, STEP, UNKNOWN = "recurrent", "embedding", "step", "unknown"
KINDS = (
    *(LINEAR, ELEMENTWISE, MAX_POOL, ADD, SHAPE, PRODUCT, SOFTMAX, ATTENTION, NORMALISATION),
    *(RECURRENT, EMBEDDING, STEP, UNKNOWN),
)

RECTIFIERS = ("relu", "relu6", "clamp", "clamp_min", "threshold", "hardtanh", "maximum")  # if they cut at 0, see forms
ACTIVATIONS = {
    *("relu", "relu6", "hardtanh", "elu", "selu", "celu", "leaky_relu", "prelu", "rrelu", "gelu", "silu", "mish"),
    *("softplus", "softsign", "tanh", "sigmoid", "hardsigmoid", "hardswish", "hardshrink", "softshrink", "tanhshrink"),
    *("threshold", "logsigmoid", "clamp", "clamp_min", "clamp_max", "maximum", "minimum"),
}
_ELEMENTWISE = ACTIVATIONS | {
    *("abs", "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "square", "pow", "reciprocal"),
    *("erf", "sin", "cos", "tan", "atan", "asinh", "sinh", "cosh", "rdiv", "rpow"),
}
_STEPS = {"round", "floor", "ceil", "sign", "trunc", "heaviside", "sgn", "fix", "floor_divide"}
CONVOLUTIONS = {f"conv{n}d" for n in (1, 2, 3)}
TRANSPOSED = {f"conv_transpose{n}d" for n in (1, 2, 3)}
PRODUCTS = {"matmul", "mm", "bmm", "mv", "addmm", "baddbmm", "addmv", "einsum", "tensordot", "dot", "outer", "rmatmul"}
_LINEAR = {
    *CONVOLUTIONS,
    *TRANSPOSED,
    *PRODUCTS,
    *(f"{kind}_pool{n}d" for kind in ("avg", "adaptive_avg") for n in (1, 2, 3)),
    *("linear", "mean", "sum", "mul", "div", "neg", "add", "sub", "rsub", "interpolate", "upsample", "cumsum"),
    *("fold", "grid_sample", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"),
    *("feature_alpha_dropout", "diff", "lerp", "addcmul"),
}
_OF_FIRST = {"div", "grid_sample", "batch_norm"}  # linear in their first operand alone
_MAX_POOLS = {f"{kind}_pool{n}d" for kind in ("max", "adaptive_max") for n in (1, 2, 3)} | {"amax", "max"}
_ADDITIONS = {"add", "sub", "rsub", "index_add", "scatter_add"}
_JOINS = {"cat", "stack", "hstack", "vstack", "dstack", "column_stack", "where", "setitem", "copy", "index_copy"}
_SHAPES = _JOINS | {
    *(
        "reshape",
        "view",
        "view_as",
        "reshape_as",
        "permute",
        "transpose",
        "movedim",
        "swapdims",
        "flatten",
        "unflatten",
    ),
    *("ravel", "squeeze", "unsqueeze", "expand", "expand_as", "repeat", "repeat_interleave", "tile", "broadcast_to"),
    *("getitem", "select", "narrow", "chunk", "split", "split_with_sizes", "unbind", "tensor_split", "index_select"),
    *("gather", "take_along_dim", "index", "flip", "fliplr", "flipud", "roll", "rot90", "contiguous", "clone", "to"),
    *("float", "double", "half", "bfloat16", "type", "type_as", "cpu", "cuda", "pad", "masked_fill", "pixel_shuffle"),
    *("pixel_unshuffle", "channel_shuffle", "unfold", "t", ".T", ".mT", ".H", ".mH", "alias", "diagonal"),
    *("atleast_1d", "atleast_2d", "atleast_3d", "requires_grad", "pack_padded_sequence", "pad_packed_sequence"),
    *("masked_select", "swapaxes", "adjoint", "as_strided", "positive", "register_hook", "retain_grad"),
}
_SOFTMAXES = {"softmax", "log_softmax", "softmin", "logsumexp", "gumbel_softmax", "softmax2d"}
_ATTENTIONS = {"scaled_dot_product_attention", "multi_head_attention_forward"}
_NORMALISATIONS = {
    *("layer_norm", "group_norm", "instance_norm", "rms_norm", "normalize", "local_response_norm", "var", "std"),
    *("var_mean", "std_mean", "norm", "vector_norm", "linalg_vector_norm", "cosine_similarity", "batch_norm"),
}
_RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"}
_SAME = {
    **{"__add__": "add", "__radd__": "add", "__iadd__": "add", "__sub__": "sub", "__isub__": "sub", "__rsub__": "rsub"},
    **{"__mul__": "mul", "__rmul__": "mul", "__imul__": "mul", "__truediv__": "div", "__itruediv__": "div"},
    **{"__idiv__": "div", "__div__": "div", "__rdiv__": "rdiv", "__rtruediv__": "rdiv", "__neg__": "neg"},
    **{"__pow__": "pow", "__ipow__": "pow", "__rpow__": "rpow", "__matmul__": "matmul", "__rmatmul__": "rmatmul"},
    **{"__getitem__": "getitem", "__setitem__": "setitem", "__abs__": "abs", "__pos__": "positive"},
    **{"subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div", "negative": "neg", "clip": "clamp"},
    **{"absolute": "abs", "concat": "cat", "concatenate": "cat", "special_expit": "sigmoid", "_threshold": "threshold"},
    **{"_pack_padded_sequence": "pack_padded_sequence", "_pad_packed_sequence": "pad_packed_sequence"},
    **{"moveaxis": "movedim", "swapaxes": "transpose", "log_sigmoid": "logsigmoid", "softmax2d": "softmax"},
    **{"max_pool1d_with_indices": "max_pool1d", "max_pool2d_with_indices": "max_pool2d"},
    **{"max_pool3d_with_indices": "max_pool3d", "upsample_nearest": "upsample", "upsample_bilinear": "upsample"},
}
IN_PLACE = {"__iadd__", "__isub__", "__imul__", "__itruediv__", "__idiv__", "__setitem__", "__ipow__", "__ifloordiv__"}


def plain(name: str) -> str:
    """The name of an operation, whichever way it was written: 'add' for '+', '+=', ``add_``."""
    if name in _SAME:
        return _SAME[name]
    if not name.startswith("__") and name.endswith("_"):
        name = name.rstrip("_")
    return _SAME.get(name, name)


def writes(name: str) -> bool:
    """Whether an operation of this name changes its first operand."""
    return name in IN_PLACE or (name.endswith("_") and not name.startswith("_"))


def kind_of(name: str, inputs: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """What an operation is.

    Args:
        name: as ``plain`` gives it. inputs: how many operands depend on the model's input.
    """
    if "out" in kwargs and kwargs["out"] is not None:
        return UNKNOWN
    for kind, names in ((SOFTMAX, _SOFTMAXES), (ATTENTION, _ATTENTIONS), (RECURRENT, _RECURRENT), (STEP, _STEPS)):
        if name in names:
            return kind
    if name in ("div", "rdiv") and kwargs.get("rounding_mode") is not None:
        return STEP
    if name in _OF_FIRST and inputs == 1 and not first_is_data(args, kwargs):
        return NORMALISATION if name == "batch_norm" else UNKNOWN
    if name == "batch_norm" and inputs == 1 and not _of_batch(args, kwargs):
        return LINEAR
    if name in _NORMALISATIONS:
        return NORMALISATION
    if name in ("embedding", "embedding_bag"):
        return EMBEDDING
    if inputs > 1:
        return _of_several(name)
    if name == "max" and not (len(args) > 1 or "dim" in kwargs):
        return UNKNOWN
    for kind, names in ((MAX_POOL, _MAX_POOLS), (ELEMENTWISE, _ELEMENTWISE), (LINEAR, _LINEAR), (SHAPE, _SHAPES)):
        if name in names:
            return kind
    return ADD if name in _ADDITIONS else UNKNOWN


def first_is_data(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether the first operand depends on the model's input, or it is not known which one does."""
    first = args[0] if args else kwargs.get("input")
    return first is None or bool(getattr(first, "requires_grad", False))


def _of_several(name: str) -> str:
    if name in _ADDITIONS:
        return ADD
    if name in _JOINS:
        return SHAPE
    if name in PRODUCTS:
        return ATTENTION
    if name in ("mul", "div", "rdiv", "pow", "rpow", "linear", "bilinear", "addcmul", "addcdiv", "lerp"):
        return PRODUCT
    return PRODUCT if name in CONVOLUTIONS | TRANSPOSED else UNKNOWN


def _of_batch(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a batch normalisation takes its statistics from the batch."""
    given = dict(zip(("input", "running_mean", "running_var", "weight", "bias", "training"), args, strict=False))
    given |= kwargs
    return bool(given.get("training", False)) or given.get("running_mean") is None
