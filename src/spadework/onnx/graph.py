"""An ONNX graph, node by node: https://onnx.ai/onnx/operators/."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 8
"""What every onnxruntime since 1.12 reads."""

MOST_BYTES = 2**31 - 2**20
"""An ONNX file is one protobuf message, which ends at 2 GiB."""


MANY = 1024
"""Smaller arrays stay as they are in a file of half precision."""


class Graph:
    """Grows by `add`; values are known by their names. The same operation on the same values is one node.

    `half`: arrays of weights are stored in float16, and computed with in float32 all the same.
    """

    def __init__(self, half: bool = False) -> None:
        self._half = half
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: list[TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._made: dict[tuple[Any, ...], str] = {}

    def input(self, name: str, dtype: type[np.generic], shape: Sequence[int | str]) -> str:
        """A named input; dimensions that are text may have any length."""
        self._inputs.append(_value(name, dtype, shape))
        return name

    def constant(self, value: Any, dtype: type[np.generic] = np.float32) -> str:
        """An array of the file, or a number."""
        array = np.asarray(value, dtype)
        if self._half and array.dtype == np.float32 and array.size >= MANY:
            return self.add("Cast", self.constant(array, np.float16), to=array_type(np.float32))
        key = ("", array.dtype.str, array.shape, array.tobytes())
        if key not in self._made:
            self._made[key] = f"c{len(self._tensors)}"
            self._tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), self._made[key]))
        return self._made[key]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The value that an operator makes of others; "" stands for an optional one that is left out."""
        key = (operator, inputs, repr(sorted(attributes.items())))
        if key not in self._made:
            self._made[key] = f"{operator.lower()}{len(self._nodes)}"
            self._nodes.append(helper.make_node(operator, list(inputs), [self._made[key]], **attributes))
        return self._made[key]

    def integers(self, *values: int) -> str:
        """A constant list of int64."""
        return self.constant(values, np.int64)

    def model(self, name: str, output: str, shape: Sequence[int | str], metadata: dict[str, str]) -> bytes:
        """The file, which gives the value `output` as float32 `name`. Raises ValueError beyond 2 GiB."""
        return self.models({name: (output, shape)}, metadata)

    def models(
        self, outputs: Mapping[str, tuple[str, Sequence[int | str]]], metadata: dict[str, str]
    ) -> bytes:
        """The same with several outputs: name -> value and shape."""
        self._nodes += [helper.make_node("Identity", [value], [name]) for name, (value, _) in outputs.items()]
        size = sum(len(tensor.raw_data) for tensor in self._tensors)
        if size > MOST_BYTES:
            raise ValueError(f"the weights take {size / 2**30:.1f} GiB, an ONNX file holds less than 2")
        graph = helper.make_graph(
            self._nodes,
            "spadework",
            self._inputs,
            [_value(name, np.float32, shape) for name, (_, shape) in outputs.items()],
            self._tensors,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="spadework"
        )
        helper.set_model_props(model, metadata)
        return model.SerializeToString()


def array_type(dtype: type[np.generic]) -> int:
    """ONNX's number of a numpy type."""
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def _value(name: str, dtype: type[np.generic], shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, array_type(dtype), list(shape))


def as_array(tensor: Any) -> NDArray[np.float32]:
    """A torch tensor's float32 values."""
    return tensor.detach().float().cpu().numpy()
