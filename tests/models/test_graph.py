"""The computation graph of models whose graph is known."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from analysis import Subject
from analysis.errors import NotFound
from analysis.models.graph import GraphError
from analysis.models.hooks import hooks_of
from analysis.questions import registry
from analysis.subject.session import Session
from tests.models import graph_nets as nets
from tests.models import zoo
from tests.models.graph_nets import by_id, drawn, graph_of, opened, sources, table

SESSIONS: dict[str, Callable[[], Session]] = {
    "LeNet": nets.lenet,
    "ResNet": nets.resnet,
    "depthwise": lambda: opened(zoo.depthwise(gate=True), drawn(3, 20, 20), 4),
    "BiLSTM, packed": nets.packed,
    "GRU, masked": lambda: opened(zoo.lstm_text("GRU", packed=False, bidirectional=True), nets.ids(), 2),
    "attention": nets.attention,
    "reused": lambda: opened(zoo.reused_module(), drawn(1, 12, 12)),
    "in place": lambda: opened(zoo.inplace_relu(), drawn(1, 10, 10)),
    "tied": nets.tied,
    "skipping": lambda: opened(zoo.skipping(), drawn(5)),
    "time first": lambda: opened(zoo.time_first(), drawn(7, 3), 2),
    "dict": lambda: opened(zoo.dict_output(), drawn(5)),
    "tuple": lambda: opened(zoo.dict_output("tuple"), drawn(5)),
    "dataclass": lambda: opened(zoo.dict_output("dataclass"), drawn(5)),
    "a layer alone": lambda: table(lambda: nn.Linear(5, 3)),
    **{
        name: (lambda made=made: table(made))  # type: ignore[misc]
        for name, made in {
            "dead branch": nets.DeadBranch,
            "loop": nets.Loop,
            "divided": nets.Divided,
            "views": nets.InPlace,
            "passed on": nets.Passed,
            "weights": nets.Weights,
            "unusual": nets.Unusual,
            "mapped": nets.Mapped,
            "caught": nets.Caught,
            "unwatchable": nets.Unwatchable,
            "rewritten": nets.Rewritten,
            "nested": nets.Nested,
        }.items()
    },
}


@pytest.mark.parametrize("name", SESSIONS)
def test_every_graph_is_whole_and_leaves_the_model_as_it_was(name: str) -> None:
    with SESSIONS[name]() as session:
        model = session.model
        before = hooks_of(model), {key: value.clone() for key, value in model.state_dict().items()}
        random, modes = torch.get_rng_state(), [module.training for module in model.modules()]
        answer = graph_of(session)
        assert hooks_of(model) == before[0]
        assert [module.training for module in model.modules()] == modes
        assert torch.equal(torch.get_rng_state(), random)
        assert all(torch.equal(value, before[1][key]) for key, value in model.state_dict().items())
        assert not session.outdated

        json.dumps(answer, allow_nan=False)
        ids = [node["id"] for node in answer["nodes"]]
        assert len(set(ids)) == len(ids)
        places = {one: place for place, one in enumerate(ids)}
        assert all(places[start] < places[end] for start, end in answer["edges"])  # so there are no circles
        groups = {module["name"] for module in answer["modules"]}
        assert {node["parent"] for node in answer["nodes"]} <= groups
        assert {module["parent"] for module in answer["modules"]} <= groups | {None}
        assert sum(node["kind"] == "output" for node in answer["nodes"]) >= 1
        assert answer["total"]["parameters"] == sum(value.numel() for value in model.parameters())
        called = [info.key for info in session.layers if info.order >= 0]
        assert sorted(node["layer"] for node in answer["nodes"] if node["layer"]) == sorted(called)
        for node in answer["nodes"]:
            assert node["seconds"] is not None or node["kind"] != "module" or node["shape"] is None


def test_lenet_has_the_operations_shapes_and_work_of_its_paper() -> None:
    answer = graph_of(nets.lenet())
    expected = [  # id, shape for an instance, parameters, FLOPs: 2 x outputs x inputs to each
        ("input", [1, 28, 28], 0, 0),
        ("conv1", [6, 28, 28], 156, 2 * 6 * 28 * 28 * 25),
        ("relu", [6, 28, 28], 0, 0),
        ("max_pool2d", [6, 14, 14], 0, 0),
        ("conv2", [16, 10, 10], 2416, 2 * 16 * 10 * 10 * 6 * 25),
        ("relu#2", [16, 10, 10], 0, 0),
        ("max_pool2d#2", [16, 5, 5], 0, 0),
        ("flatten", [400], 0, 0),
        ("fc1", [120], 48120, 2 * 400 * 120),
        ("relu#3", [120], 0, 0),
        ("fc2", [84], 10164, 2 * 120 * 84),
        ("relu#4", [84], 0, 0),
        ("fc3", [10], 850, 2 * 84 * 10),
        ("output", [10], 0, 0),
    ]
    found = [(n["id"], n["shape"][1:], n["parameters"], n["flops"]) for n in answer["nodes"]]
    assert found == expected
    assert answer["edges"] == [[a[0], b[0]] for a, b in itertools.pairwise(expected)]
    assert (answer["how"], answer["why"]) == ("fx", "")
    assert answer["total"]["parameters"] == 61706
    assert answer["total"]["flops"] == sum(row[3] for row in expected)
    assert [module["name"] for module in answer["modules"]] == [""]


def test_residual_blocks_are_groups_and_their_sums_take_both_ways() -> None:
    answer = graph_of(nets.resnet())
    nodes = by_id(answer)
    assert answer["how"] == "fx"
    assert nodes["blocks.1/add"]["parent"] == "blocks.1"
    assert sources(answer, "blocks.1/add") == {"blocks.1.bn2", "blocks.1.shortcut.1"}
    assert sources(answer, "blocks.0/add") == {"blocks.0.bn2", "blocks.0.shortcut"}  # the Identity is on the way
    assert sources(answer, "blocks.0.shortcut") == {"pool"}
    assert sources(answer, "blocks.1.conv1") == sources(answer, "blocks.1.shortcut.0") == {"blocks.0.relu#2"}
    groups = {module["name"]: module for module in answer["modules"]}
    assert list(groups) == ["", "blocks", "blocks.0", "blocks.1", "blocks.1.shortcut"]
    assert [groups[name]["depth"] for name in groups] == [0, 1, 2, 2, 3]
    inside = [node for node in answer["nodes"] if node["parent"].startswith("blocks.1")]
    assert groups["blocks.1"]["nodes"] == len(inside)
    assert groups["blocks.1"]["parameters"] == sum(node["parameters"] for node in inside)
    assert groups["blocks.1"]["flops"] == sum(node["flops"] for node in inside)
    assert groups[""]["flops"] == answer["total"]["flops"]


def test_a_packed_bilstm_is_followed_through_packing_and_says_that_fx_cannot() -> None:
    answer = graph_of(nets.packed())
    assert answer["how"] == "hooks"
    assert "torch.fx cannot follow the model without values at line" in answer["why"]
    assert "No value decides the path" in answer["note"]
    assert sources(answer, "embedding") == {"input"}
    assert {"pack_padded_sequence"} <= sources(answer, "rnn")
    assert by_id(answer)["rnn"]["layer"] == "rnn"
    steps = 7 + 4  # of the first two instances, without padding
    two = 2 * (4 * 5 * (6 + 5) + 4 * 5 * (10 + 5))  # directions of each depth: gates x units x (inputs + units)
    assert by_id(answer)["rnn"]["flops"] == 2 * two * steps / 2
    assert by_id(answer)["pad_packed_sequence"]["dead"]  # only the last state is used
    assert not by_id(answer)["input:lengths"]["dead"]


@pytest.mark.parametrize(("make", "place"), [(zoo.skipping, "bool() in _Skipping"), (nets.Loop, "bool() in Loop")])
def test_a_path_that_depends_on_values_is_that_of_the_pass_and_is_called_so(make: Any, place: str) -> None:
    answer = graph_of(table(make))
    assert answer["how"] == "hooks"
    assert "it branches there" in answer["why"]
    assert f"The path depends on values ({place})" in answer["note"]
    assert "2 instances; another input may take another path" in answer["note"]
    assert not by_id(answer)["gt"]["dead"]  # what Python read decides


def test_a_layer_that_the_pass_does_not_call_is_named() -> None:
    assert graph_of(opened(zoo.skipping(), drawn(5)))["uncalled"] == ["rare"]


def test_values_that_become_numbers_of_python_are_told() -> None:
    answer = graph_of(table(nets.Divided))
    assert "Values become numbers of Python (float() in Divided)" in answer["note"]
    assert not by_id(answer)["max"]["dead"]


def test_three_hundred_layers_have_few_nodes() -> None:
    answer = graph_of(opened(zoo.deep_300(), drawn(8)))
    assert len(answer["nodes"]) == 601
    assert len(answer["edges"]) == 600
    assert sum(node["layer"] is not None for node in answer["nodes"]) == 300


def test_each_call_of_a_reused_module_is_a_node_and_its_weights_count_once() -> None:
    answer = graph_of(opened(zoo.reused_module(), drawn(1, 12, 12)))
    nodes = by_id(answer)
    assert [nodes[name]["layer"] for name in ("shared", "shared#2")] == ["shared#1", "shared#2"]
    assert [nodes[name]["parameters"] for name in ("shared", "shared#2")] == [324, 0]
    assert [nodes[name]["uses"] for name in ("shared", "shared#2")] == [324, 324]
    assert nodes["shared#2"]["shared"] == "shared"
    assert sum(node["parameters"] for node in answer["nodes"]) == answer["total"]["parameters"] == 417


def test_tied_weights_count_once_and_name_their_owner() -> None:
    answer = graph_of(nets.tied())
    nodes = by_id(answer)
    assert [nodes["decoder"][key] for key in ("shared", "parameters", "uses")] == ["embedding", 0, 72]
    assert (nodes["twin"]["shared"], nodes["twin"]["parameters"]) == ("encoder", 6)  # a bias of its own
    assert answer["total"]["parameters"] == 120


def test_outputs_in_structures_are_nodes_by_their_place() -> None:
    nested = graph_of(table(nets.Nested))
    found = {node["id"]: sources(nested, node["id"]) for node in nested["nodes"] if node["kind"] == "output"}
    assert found == {
        "output:logits": {"c"},
        "output:extra.0": {"a"},
        "output:extra.1.0": {"mul"},
        "output:extra.1.1.z": {"sum"},
    }
    assert "output:0" in by_id(graph_of(opened(zoo.dict_output("tuple"), drawn(5))))
    assert "output:features" in by_id(graph_of(opened(zoo.dict_output("dataclass"), drawn(5))))


def test_values_that_do_not_reach_the_output_are_dead() -> None:
    answer = graph_of(table(nets.DeadBranch))
    assert [node["id"] for node in answer["nodes"] if node["dead"]] == ["b", "sigmoid", "mean"]
    assert answer["total"]["dead"] == 3


def test_frozen_layers_are_marked_and_half_frozen_ones_are_not() -> None:
    def make() -> nn.Module:
        model = nets.Frozen()
        model.a.requires_grad_(False)
        model.b.bias.requires_grad_(False)
        return model

    answer = graph_of(table(make))
    assert [node["id"] for node in answer["nodes"] if node["frozen"]] == ["a"]
    assert by_id(answer)["b"]["trainable"] == 36
    assert answer["total"]["trainable"] == 99 - 36 - 6


def test_writing_in_place_is_followed_through_views() -> None:
    answer = graph_of(table(nets.InPlace))
    assert answer["edges"] == [
        *(["input", "a"], ["a", "getitem"], ["getitem", "relu"], ["relu", "view"], ["view", "add"]),
        *(["add", "c"], ["c", "output"]),
    ]


def test_modules_that_pass_a_value_on_are_on_their_way_only() -> None:
    answer = graph_of(table(nets.Passed))
    assert sources(answer, "add") == {"a", "drop"}
    assert sources(answer, "drop") == {"same"}


def test_parameters_that_functions_take_are_nodes() -> None:
    answer = graph_of(table(nets.Weights))
    nodes = by_id(answer)
    assert sources(answer, "linear") == {"a", "w"}
    assert (nodes["w"]["kind"], nodes["w"]["op"], nodes["w"]["parameters"]) == ("parameter", "parameter", 36)
    assert (nodes["scale"]["op"], nodes["constant"]["op"]) == ("buffer", "constant")
    assert sources(answer, "mul#3") == {"mul#2", "constant#2"}
    assert nodes["b.weight"]["owner"] == "b"
    assert answer["uncalled"] == []  # b is not called, but its weight is used
    assert nodes["linear"]["flops"] == 2 * 36


def test_what_runs_where_no_mode_looks_is_seen_operation_by_operation() -> None:
    answer = graph_of(table(nets.Unusual))
    operations = [node["op"] for node in answer["nodes"]]
    assert operations == ["input", "linear", "relu", "mul", "mul", "relu", "linear", "output"]
    assert not any(node["dead"] for node in answer["nodes"])


def test_tensors_that_nobody_saw_being_made_are_assumed_and_told() -> None:
    answer = graph_of(table(nets.Mapped))
    assert "assumed from the order of the calls" in answer["note"]
    assert not any(node["dead"] for node in answer["nodes"])


def test_a_module_that_raises_and_is_caught_leaves_the_rest_right() -> None:
    answer = graph_of(table(nets.Caught))
    assert sources(answer, "c") == {"a"}
    assert by_id(answer)["b"]["dead"]


def test_hooks_alone_are_the_fallback_and_say_so() -> None:
    answer = graph_of(table(nets.Unwatchable))
    assert answer["how"] == "hooks"
    assert answer["why"] == "Functions between modules cannot be watched: no modes here."
    assert "by hooks on modules alone; functions between them are missing, FLOPs are not" in answer["note"]
    assert answer["edges"] == [["input", "a"], ["a", "b"], ["b", "c"], ["c", "output"]]
    assert answer["total"]["flops"] is None


def test_weights_that_hooks_and_parametrisations_compute_belong_to_their_layer() -> None:
    answer = graph_of(table(nets.Rewritten))
    assert [node["id"] for node in answer["nodes"]] == ["input", "a", "b", "c", "output"]
    assert by_id(answer)["a"]["type"] == "Linear"


def test_a_class_derived_from_a_layer_is_one_node() -> None:
    model = nn.Sequential(nets.Padded(), nn.Flatten(), nn.Linear(4 * 64, 3))
    answer = graph_of(opened(model, drawn(1, 8, 8)))
    assert [node["id"] for node in answer["nodes"]] == ["input", "0", "1", "2", "output"]
    assert (by_id(answer)["0"]["op"], by_id(answer)["0"]["type"]) == ("conv2d", "Padded")


def test_a_model_whose_parts_are_called_by_forward_func_has_a_graph_too() -> None:
    answer = graph_of(table(nets.Loop, forward_func=lambda model, x: model.c(model.a(x).relu())))
    assert answer["edges"] == [["input:0", "a"], ["a", "relu"], ["relu", "c"], ["c", "output"]]
    assert "forward_func calls its parts" in answer["why"]


def test_fx_is_left_alone_where_other_threads_may_run_models() -> None:
    found: list[dict[str, Any]] = []
    session = nets.lenet()
    thread = threading.Thread(target=lambda: found.append(graph_of(session)))
    thread.start()
    thread.join()
    assert found[0]["how"] == "hooks"
    assert "torch.fx is not used" in found[0]["why"]
    assert len(found[0]["nodes"]) == 14


def test_a_model_that_raises_is_told_with_its_module() -> None:
    session = table(nets.Failing)
    nets.Failing.failing = True
    try:
        with pytest.raises(GraphError, match=r"The model fails on 2 instances, in c \(Linear\)"):
            graph_of(session)
    finally:
        nets.Failing.failing = False
    assert not any(module._forward_hooks for module in session.model.modules())


def test_without_instances_there_is_no_pass() -> None:
    subject = Subject(nets.LeNet(), [], kind="image", class_names=[str(number) for number in range(10)])
    session = Session(subject, device="cpu")
    with pytest.raises(NotFound, match="None of the first instances"):
        graph_of(session)


def test_efficientnet_of_the_demo_has_its_layers_and_the_work_of_its_paper() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    from analysis.demos.imagenet_subject import network

    answer = graph_of(opened(network(), torch.randn(2, 3, 224, 224), 2))
    assert answer["how"] == "fx"
    assert len(answer["nodes"]) == 146
    assert sum(node["layer"] is not None for node in answer["nodes"]) == 50  # 49 convolutions, a linear layer
    assert answer["total"]["parameters"] == 4_652_008
    assert answer["total"]["flops"] == pytest.approx(2 * 385e6, rel=0.01)  # 385 million multiply-adds at 224 x 224


def test_the_question_is_registered() -> None:
    assert registry.get("computation_graph").function == "analysis.models.graph:computation_graph"
    assert registry.get("parameter_change").function == "analysis.models.change:parameter_change"
