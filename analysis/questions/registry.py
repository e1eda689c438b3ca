"""Every question there is, in one explicit list. Imports none of their functions: the web process reads this."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.errors import ParameterError

QUICK = 2  # seconds at most
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Question:
    """A question that a subject's worker answers.

    version: raised when the method changes, so that no old answer is taken for a new one. title: what the list of jobs
    calls it; '{layer}' and other parameters are filled in. function: 'package.module:function', called as
    ``function(session, context, **parameters)``, returns (plain dict, dict of arrays). of_data: whether the answer
    depends on the data. of_sample: whether it depends on the sample too (n, random_state, include). of_weights: whether
    it depends on the weights.
    priority: QUICK ones are answered before those that compute for long, also between two shards of an extraction.
    """

    name: str
    version: int
    title: str
    function: str
    of_data: bool = True
    of_sample: bool = True
    of_weights: bool = True
    priority: int = 1

    def named(self, parameters: Mapping[str, Any]) -> str:
        """The title with these parameters in it: text of the user's, cut to a readable length."""
        values = {name: str(value)[:60] for name, value in parameters.items()}
        return _FIELD.sub(lambda match: values.get(match[1], "?"), self.title)


QUESTIONS: tuple[Question, ...] = (
    Question(
        "receptive_fields",
        1,
        "Receptive fields",
        "analysis.layers.fields:receptive_fields",
        of_data=False,
        of_weights=False,
        priority=QUICK,
    ),
    Question(
        "feature_maps",
        1,
        "Feature maps of {layer}, instance {instance}",
        "analysis.layers.maps:feature_maps",
        priority=QUICK,
    ),
    Question("patches", 1, "Patches of {layer}", "analysis.layers.patches:patches"),
    Question("embedding", 1, "{method} of the input of {layer}", "analysis.layers.embedding:embedding"),
    Question("filter_map", 1, "Filter map of {layer}", "analysis.layers.filter_map:filter_map"),
    Question("weights", 1, "Weights of {layer}", "analysis.layers.weights:weights", of_data=False, priority=QUICK),
    Question("separation", 1, "Class separation by layer", "analysis.layers.separation:separation"),
    Question("ablation", 1, "Test: {mode} in {layer}", "analysis.layers.ablation:ablation"),
    Question("bypass", 1, "Test: without {layer}", "analysis.layers.bypass:bypass"),
    Question(
        "attribution_methods",
        2,
        "Which attribution methods fit the model",
        "analysis.attribution.preflight:attribution_methods",
        of_sample=False,
        priority=QUICK,
    ),
    Question(
        "attribution",
        1,
        "Attribution of instance {instance}: {method}",
        "analysis.attribution.explain:attribution",
        of_sample=False,
    ),
    Question(
        "attribution_trust",
        1,
        "Trust in {method}, instance {instance}",
        "analysis.attribution.trust:attribution_trust",
        of_sample=False,
    ),
    Question(
        "attribution_disagreement",
        1,
        "Maps of {count} instances by {methods} methods",
        "analysis.attribution.disagreement:attribution_disagreement",
        of_sample=False,
        priority=0,
    ),
    Question("attribution_subset", 1, "{method} over {subset}", "analysis.attribution.subset:attribution_subset"),
    Question(
        "sequence_sources",
        1,
        "Which layers have a memory",
        "analysis.sequences.sources:sequence_sources",
        of_sample=False,
        priority=QUICK,
    ),
    Question(
        "sequence_responses", 1, "Expected response of {layer}", "analysis.sequences.responses:sequence_responses"
    ),
    Question("sequence_words", 1, "Response of {layer} to chosen words", "analysis.sequences.detail:sequence_words"),
    Question("sequence_clusters", 1, "Co-clusters of {layer}", "analysis.sequences.clusters:sequence_clusters"),
    Question(
        "sequence_states",
        1,
        "States of {layer}, step by step",
        "analysis.sequences.one:sequence_states",
        priority=QUICK,
    ),
    Question("sequence_memory", 2, "How long {layer} remembers", "analysis.sequences.memory:sequence_memory"),
    Question("sequence_index", 2, "States of {layer}, for the search", "analysis.sequences.index:sequence_index"),
    Question(
        "sequence_similar",
        1,
        "Moments like those of a span of instance {instance}",
        "analysis.sequences.similar:sequence_similar",
    ),
    Question("sequence_ablation", 1, "Test of units of {layer}", "analysis.sequences.causes:sequence_ablation"),
    Question(
        "computation_graph",
        1,
        "Computation graph",
        "analysis.models.graph:computation_graph",
        of_sample=False,
        of_weights=False,
        priority=QUICK,
    ),
    Question(
        "parameter_change",
        1,
        "Change of parameters by layer",
        "analysis.models.change:parameter_change",
        of_data=False,
        priority=QUICK,
    ),
    Question("instance_columns", 1, "Columns of the instances", "analysis.subsets.columns:instance_columns"),
    Question("neuron_table", 1, "Activations of {layer}, in one table", "analysis.neurons.store:neuron_table"),
    Question("neuron_drivers", 1, "Gradient x activation of {layer}", "analysis.neurons.drivers:neuron_drivers"),
    Question("projection", 1, "{method} of {layer}", "analysis.neurons.projection:projection"),
    Question("label_errors", 1, "Likely label errors", "analysis.subsets.label_errors:label_errors"),
    Question("suggested_subsets", 1, "Subsets the model fails on", "analysis.suggestions.suggest:suggested_subsets"),
    Question("surrogate", 1, "Rules that imitate the model: {kind}", "analysis.suggestions.surrogate:surrogate"),
)


def get(name: str) -> Question:
    """The question of this name. Raises ParameterError if there is none."""
    for question in QUESTIONS:
        if question.name == name:
            return question
    raise ParameterError(f"There is no question {name!r}.", f"Choose one of: {', '.join(q.name for q in QUESTIONS)}.")
