"""Small models in ONNX format, made of weights."""

from __future__ import annotations

import numpy as np
import pytest


def network(*layers, inputs=None, batch="n", output="score", softmax=False, kind=np.float32):
    """Return the bytes of a network: weights (n_in, n_out) and biases of every layer, tanh between and a sigmoid last.

    Parameters
    ----------
    layers
        Pairs of weights and biases.
    inputs
        Names of inputs of one column each; one matrix ``x`` by default.
    batch
        Number of events it takes at once; a name for any.
    softmax
        Ends with the probabilities of all columns.
    """
    onnx = pytest.importorskip("onnx")
    h, arrays = onnx.helper, onnx.numpy_helper
    number = onnx.TensorProto.FLOAT if kind == np.float32 else onnx.TensorProto.DOUBLE
    nodes, weights, last = [], [], "x"
    width = len(layers[0][0])
    given = [h.make_tensor_value_info("x", number, [batch, width])]
    if inputs is not None:
        given = [h.make_tensor_value_info(name, number, [batch, 1]) for name in inputs]
        nodes.append(h.make_node("Concat", list(inputs), ["x"], axis=1))
    for i, (w, b) in enumerate(layers):
        weights += [arrays.from_array(np.array(w, kind), f"w{i}"), arrays.from_array(np.array(b, kind), f"b{i}")]
        nodes.append(h.make_node("Gemm", [last, f"w{i}", f"b{i}"], [f"sum{i}"]))
        end = "Softmax" if softmax else "Sigmoid"
        last = f"layer{i}" if i + 1 < len(layers) else output
        nodes.append(h.make_node("Tanh" if i + 1 < len(layers) else end, [f"sum{i}"], [last]))
    out = h.make_tensor_value_info(output, number, [batch, len(layers[-1][1])])
    graph = h.make_graph(nodes, "network", given, [out], weights)
    return h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8).SerializeToString()
