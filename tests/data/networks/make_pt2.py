#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the .pt2 fixtures without torch.export: the networks of make.py, traced by torch.fx (PyTorch 1.13 has it),
in the form that torch/_export/serde/schema.py describes (schema 8). `make.py pt2` writes real ones with PyTorch 2.9 or later."""
import json, operator, zipfile
import torch, torch.fx, torch.nn as nn, torch.nn.functional as F

import make

tensor = lambda node: {"as_tensor": {"name": node.name}}
ints = lambda pair: {"as_ints": list(pair) if isinstance(pair, (tuple, list)) else [pair, pair]}
param = lambda node, name: {"as_tensor": {"name": f"p_{node.target}_{name}".replace(".", "_")}}

def activation(name):
    return lambda m, n: (f"{name}_.default" if getattr(m, "inplace", False) else f"{name}.default", {"self": tensor(n.args[0])})

def conv(m, n):
    args = {"input": tensor(n.args[0]), "weight": param(n, "weight"), "bias": param(n, "bias") if m.bias is not None else {"as_none": True},
            "stride": ints(m.stride), "padding": ints(m.padding)}
    if isinstance(m, nn.ConvTranspose2d):
        return "conv_transpose2d.input", args
    return "conv2d.default", args | {"dilation": ints(m.dilation), "groups": {"as_int": m.groups}}

def norm(m, n):
    buffer = lambda name: {"as_tensor": {"name": f"b_{n.target}_{name}".replace(".", "_")}}
    return "batch_norm.default", {"input": tensor(n.args[0]), "weight": param(n, "weight"), "bias": param(n, "bias"),
        "running_mean": buffer("running_mean"), "running_var": buffer("running_var"), "training": {"as_bool": m.training},
        "momentum": {"as_float": 0.1}, "eps": {"as_float": 1e-5}, "cudnn_enabled": {"as_bool": True}}

MODULES = {
    nn.Conv2d: conv, nn.ConvTranspose2d: conv, nn.BatchNorm2d: norm,
    nn.ReLU: activation("relu"), nn.SiLU: activation("silu"), nn.Sigmoid: activation("sigmoid"),
    nn.Hardswish: activation("hardswish"), nn.Hardsigmoid: activation("hardsigmoid"),
    nn.ReLU6: lambda m, n: ("hardtanh_.default", {"self": tensor(n.args[0]), "min_val": {"as_float": 0.0}, "max_val": {"as_float": 6.0}}),
    nn.MaxPool2d: lambda m, n: ("max_pool2d.default", {"self": tensor(n.args[0]), "kernel_size": ints(m.kernel_size), "stride": ints(m.stride), "padding": ints(m.padding)}),
    nn.AdaptiveAvgPool2d: lambda m, n: ("adaptive_avg_pool2d.default", {"self": tensor(n.args[0]), "output_size": ints(m.output_size)}),
    nn.Linear: lambda m, n: ("linear.default", {"input": tensor(n.args[0]), "weight": param(n, "weight"), "bias": param(n, "bias")}),
    nn.Dropout: lambda m, n: ("dropout.default", {"input": tensor(n.args[0]), "p": {"as_float": m.p}, "train": {"as_bool": m.training}}),
}
FUNCTIONS = {
    torch.flatten: lambda n: ("flatten.using_ints", {"self": tensor(n.args[0]), "start_dim": {"as_int": 1}}),
    torch.cat: lambda n: ("cat.default", {"tensors": {"as_tensors": [{"name": a.name} for a in n.args[0]]}, "dim": {"as_int": 1}}),
    F.relu: lambda n: ("relu.default", {"self": tensor(n.args[0])}),
    F.max_pool2d: lambda n: ("max_pool2d.default", {"self": tensor(n.args[0]), "kernel_size": ints(n.args[1]), "stride": ints(n.args[1])}),
    F.avg_pool2d: lambda n: ("avg_pool2d.default", {"self": tensor(n.args[0]), "kernel_size": {"as_ints": [n.args[1]]}}),
    F.interpolate: lambda n: (f"upsample_{n.kwargs['mode']}2d.vec", {"input": tensor(n.args[0]), "output_size": {"as_none": True},
        **({"align_corners": {"as_bool": False}} if n.kwargs["mode"] == "bilinear" else {}), "scale_factors": {"as_floats": [2.0, 2.0]}}),
    # torch.fx takes the += of Residual for a +.
    operator.add: lambda n: ("add_.Tensor", {"self": tensor(n.args[0]), "other": tensor(n.args[1])}),
    operator.mul: lambda n: ("mul.Tensor", {"self": tensor(n.args[0]), "other": tensor(n.args[1])}),
    "mean": lambda n: ("mean.dim", {"self": tensor(n.args[0]), "dim": ints(n.args[1])}),
}

def node(target, inputs, output, module=None, path=""):
    kind = f"{type(module).__module__}.{type(module).__qualname__}" if module is not None else ""
    metadata = {"nn_module_stack": f"L__self__,,make.Net;L__self___{output},{path},{kind}"} if module is not None else {}
    return {"target": f"torch.ops.aten.{target}", "inputs": [{"name": k, "arg": v, "kind": 1} for k, v in inputs.items()],
            "outputs": [{"as_tensor": {"name": output}}], "metadata": metadata}

def program(net):
    traced = torch.fx.symbolic_trace(net)
    modules, nodes, values, specs, output = dict(net.named_modules()), [], {}, [], None
    meta = lambda t, grad: {"dtype": 7, "sizes": [{"as_int": s} for s in t.shape], "requires_grad": grad, "layout": 7}
    for name, p in net.named_parameters():
        values["p_" + name.replace(".", "_")] = meta(p, p.requires_grad)
        specs.append({"parameter": {"arg": {"name": "p_" + name.replace(".", "_")}, "parameter_name": name}})
    for name, b in net.named_buffers():
        values["b_" + name.replace(".", "_")] = meta(b, False)
        specs.append({"buffer": {"arg": {"name": "b_" + name.replace(".", "_")}, "buffer_name": name, "persistent": True}})
    for n in traced.graph.nodes:
        if n.op == "placeholder":
            specs.append({"user_input": {"arg": tensor(n)}})
        elif n.op == "output":
            output = n.args[0].name
        elif n.op == "call_module":
            module = modules[n.target]
            if isinstance(module, nn.BatchNorm2d) and module.training:
                counter = f"b_{n.target}_num_batches_tracked".replace(".", "_")
                nodes.append(node("add_.Tensor", {"self": {"as_tensor": {"name": counter}}, "other": {"as_int": 1}}, f"count_{n.name}"))
            nodes.append(node(*MODULES[type(module)](module, n), n.name, module, n.target))
        else:
            nodes.append(node(*FUNCTIONS[n.target](n), n.name))
    return {"graph_module": {"graph": {"inputs": [], "outputs": [{"as_tensor": {"name": output}}], "nodes": nodes, "tensor_values": values,
                                       "sym_int_values": {}, "sym_bool_values": {}, "is_single_tensor_return": False},
                             "signature": {"input_specs": specs, "output_specs": [{"user_output": {"arg": {"as_tensor": {"name": output}}}}]},
                             "module_call_graph": []},
            "opset_version": {"aten": 10}, "range_constraints": {}, "schema_version": {"major": 8, "minor": 8}}

def write(file, name, net):
    with zipfile.ZipFile(make.HERE / f"{file}.pt2", "w") as archive:
        for entry, text in (("archive_format", "pt2"), (name, json.dumps(program(net))), (".data/version", "3\n")):
            archive.writestr(zipfile.ZipInfo(entry), text, zipfile.ZIP_DEFLATED)

nets = make.networks()
nets["residual"].conv1.requires_grad_(False)
for name, net in nets.items():
    write(name, f"{name}/models/model.json", net.train())
write("vgg11_narrow_bn_eval", "serialized_exported_program.json", make.Vgg(True).eval())
