#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The outputs of an ONNX file in ONNX Runtime: the second opinion of the Rust tests.

    onnxruntime_outputs.py MODEL.onnx OUT_DIR NAME=INPUT.npy ...

Writes every output as OUT_DIR/OUTPUT.npy (characters other than letters, digits, `.`, `_` and `-` become `_`) and
prints one line per output: its name, a tab, its file. Runs on the CPU with one thread and with all graph
optimisations off, so that the nodes are computed as the file has them. Exit 2 and one line for what cannot be run.
"""

import os
import re
import sys

import numpy as np
import onnxruntime


def fail(message):
    print(f"onnxruntime_outputs: {message}", file=sys.stderr)
    sys.exit(2)


def read_inputs(arguments):
    inputs = {}
    for argument in arguments:
        # A wire's name may itself hold a `=`; a file name of ours does not.
        name, separator, path = argument.rpartition("=")
        if not separator or name in inputs:
            fail(f"{argument!r} is not one NAME=INPUT.npy per input")
        try:
            inputs[name] = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            fail(f"{path}: {error}")
    return inputs


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no narrower class
        fail(f"{path}: {' '.join(str(error).split())}")


def main(arguments):
    if len(arguments) < 2:
        fail("usage: onnxruntime_outputs.py MODEL.onnx OUT_DIR NAME=INPUT.npy ...")
    model, folder = arguments[:2]
    inputs = read_inputs(arguments[2:])
    session = open_session(model)
    names = [output.name for output in session.get_outputs()]
    files = [re.sub(r"[^A-Za-z0-9._-]", "_", name) + ".npy" for name in names]
    if len(set(files)) != len(files):
        fail(f"two outputs share a file name: {', '.join(names)}")
    try:
        outputs = session.run(names, inputs)
    except Exception as error:
        fail(f"{model}: {' '.join(str(error).split())}")
    os.makedirs(folder, exist_ok=True)
    for name, file, output in zip(names, files, outputs):
        path = os.path.join(folder, file)
        np.save(path, np.asarray(output, order="C"))
        print(f"{name}\t{path}")


if __name__ == "__main__":
    onnxruntime.set_default_logger_severity(3)
    main(sys.argv[1:])
