#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The outputs of ONNX files in ONNX Runtime: the second opinion of the Rust tests.

Reads one request a line from standard input, until it ends, and answers each with one line:

    {"model": "M.onnx", "inputs": {"image": "image.npy"}, "folder": "out"}
    {"outputs": [["scores", "out/0.npy"], ["activations", "out/1.npy"]]}      or      {"error": "why not"}

Runs on the CPU with one thread and with all graph optimisations off, so that the nodes are computed as the file has
them.
"""

import json
import os
import sys

import numpy as np
import onnxruntime


def outputs(request):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(request["model"], options, providers=["CPUExecutionProvider"])
    inputs = {name: np.load(path, allow_pickle=False) for name, path in request["inputs"].items()}
    known = {port.name for port in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {name: value for name, value in inputs.items() if name in known})
    files = [os.path.join(request["folder"], f"{at}.npy") for at in range(len(names))]
    for file, value in zip(files, values):
        np.save(file, np.asarray(value, order="C"))
    return list(zip(names, files))


def main():
    onnxruntime.set_default_logger_severity(3)
    for line in sys.stdin:
        try:
            answer = {"outputs": outputs(json.loads(line))}
        except Exception as error:  # onnxruntime's errors share no narrower class
            answer = {"error": " ".join(str(error).split())}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
