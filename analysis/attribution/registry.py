"""Every attribution method there is, in one explicit list, in the order in which the page offers them."""

from __future__ import annotations

from analysis.attribution.method import Method
from analysis.attribution.methods import (
    attention,
    deconvolution,
    deep_lift,
    deep_lift_shap,
    feature_ablation,
    gradient_shap,
    guided_backprop,
    guided_grad_cam,
    input_x_gradient,
    integrated_gradients,
    kernel_shap,
    layer_activation,
    layer_conductance,
    layer_grad_cam,
    lime,
    lrp,
    neuron_conductance,
    neuron_gradient,
    occlusion,
    saliency,
    shapley_value_sampling,
    smoothgrad,
)
from analysis.errors import ParameterError

METHODS: tuple[Method, ...] = (
    saliency.METHOD,
    input_x_gradient.METHOD,
    integrated_gradients.METHOD,
    smoothgrad.METHOD,
    gradient_shap.METHOD,
    deep_lift.METHOD,
    deep_lift_shap.METHOD,
    guided_backprop.METHOD,
    deconvolution.METHOD,
    lrp.METHOD,
    occlusion.METHOD,
    feature_ablation.METHOD,
    shapley_value_sampling.METHOD,
    kernel_shap.METHOD,
    lime.METHOD,
    layer_grad_cam.METHOD,
    guided_grad_cam.METHOD,
    layer_conductance.METHOD,
    layer_activation.METHOD,
    neuron_conductance.METHOD,
    neuron_gradient.METHOD,
    attention.METHOD,
)


def get(name: str) -> Method:
    """The method of this name. Raises ParameterError if there is none."""
    for method in METHODS:
        if method.name == name:
            return method
    listed = ", ".join(method.name for method in METHODS)
    raise ParameterError(f"There is no attribution method {name[:60]!r}.", f"Choose one of: {listed}.")
