"""What each of JAX's primitives does with a signal that comes down: passed on as it should be, or not ours to pass."""

from __future__ import annotations

from collections.abc import Sequence

from zfjax.attribution.relus.value import Value

# Linear in everything that carries a gradient: its gradient is the deconvnet's step too.
LINEAR = frozenset(
    "add add_any sub neg copy copy_p convert_element_type reduce_precision real imag complex conj "
    "reshape broadcast_in_dim transpose squeeze expand_dims rev pad slice split concatenate tile stack unstack "
    "dynamic_slice dynamic_update_slice gather scatter scatter-add scatter-sub reduce_sum cumsum reduce_window_sum "
    "select_and_scatter_add fft optimization_barrier name sharding_constraint device_put pvary pbroadcast "
    "psum psum_invariant all_gather all_gather_invariant all_to_all ppermute reduce_scatter reshard linear_call "
    "mesh_cast tie".split()
)

# Linear in one of their operands where the others do not depend on what is explained.
PRODUCTS = frozenset("mul dot_general conv_general_dilated ragged_dot_general div".split())

# One value of several, as max pooling chooses; what comes down goes to the chosen one.
CHOICES = frozenset(
    "max min reduce_max reduce_min reduce_window_max reduce_window_min cummax cummin sort top_k".split()
)

COMPARISONS = frozenset("gt ge lt le eq ne".split())

# Their gradient is zero: nothing comes down.
STEPS = COMPARISONS | frozenset(
    "and or xor not sign floor ceil round is_finite argmax argmin stop_gradient iota clz "
    "population_count shift_left shift_right_logical shift_right_arithmetic reduce_and reduce_or reduce_xor "
    "eq_to lt_to le_to random_bits".split()
)

# Of one number at a time, and curved.
CURVES = frozenset(
    "exp exp2 expm1 log log1p tanh logistic erf erfc erf_inv sin cos tan asin acos atan sinh cosh asinh acosh atanh "
    "sqrt rsqrt cbrt square integer_pow pow atan2 digamma lgamma".split()
)

# Without a gradient in JAX.
NO_GRADIENT = frozenset("reduce_window reduce".split())

CALLS = {  # primitives that only call, and which of their parameters is what they call
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "composite": "jaxpr",
    "custom_vmap_call": "call",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}
CUSTOM = frozenset(name for name in CALLS if name.startswith(("custom_jvp", "custom_vjp")))
# jax.nn's, of which a relu6 moved and scaled is a part
GATES = ("hard_sigmoid", "sparse_sigmoid")

# All whose result is the same everywhere if what they read is.
UNIFORM = frozenset(
    "broadcast_in_dim reshape squeeze expand_dims transpose copy pvary slice name device_put rev".split()
)


def unchanged(name: str, numbers: Sequence[int], depends: bool) -> int | None:
    """Which of its operands a primitive's result is, whatever the input: vmap of a cond chooses, by what depends on the
    input, between a captured constant and the same without its gradient."""
    if name == "stop_gradient" and not depends:
        return numbers[0]
    return numbers[1] if name == "select_n" and len(set(numbers[1:])) == 1 else None


def refusal(name: str, operands: Sequence[Value], numbers: Sequence[int]) -> str | None:
    """Why what comes down a primitive is not its gradient in the deconvnet too; None where it is."""
    if name in LINEAR | STEPS or not any(value.differentiable for value in operands):
        return None
    depending = sum(value.depends for value in operands)
    if name in PRODUCTS:
        if name == "div" and operands[1].depends:
            return "a quotient by what depends on the input"
        return "a product of two values that depend on the input" if depending > 1 else None
    if name == "select_n":
        which, *others = operands
        cases = frozenset(numbers[1:]).union(*(value.names for value in others))
        between = which.compared and which.compared <= cases  # the larger of two, say
        branch = which.shared or which.aval.shape != others[0].aval.shape  # one truth for many numbers, as of a cond
        return None if between or branch or not which.depends else "a choice by the values, and no ReLU"
    if name in ("max", "min") and depending < 2:
        return "a threshold that is not the same everywhere"
    if name in CHOICES:
        return None
    if name in NO_GRADIENT:
        return "JAX has no gradient of it; of lax.max from -inf it has"
    return "not linear" if name in CURVES else "unknown here"
