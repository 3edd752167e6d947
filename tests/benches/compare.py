"""How long a frame's network takes beside ONNX Runtime and OpenVINO, on the same cores in the same minutes.

Each round runs every contender once, one after the other, in an order that turns; what is printed are medians over the
rounds of each contender's median, and of the ratios within a round. Ratios below 1 mean that gradcam is faster.

    pip install onnx onnxruntime openvino        # and, for two more columns: torch onnx2torch grad-cam torchcam
    cargo build --release --locked
    python tests/benches/compare.py              # the default model and the zoo, one thread and two
    python tests/benches/compare.py --threads 1 --rounds 21 path/to/model.onnx
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFAULT = ROOT / "models/efficientnet_lite0.onnx"
ZOO = sorted((ROOT / "tests/data/zoo").glob("*/model.onnx"))


def main():
    options = arguments()
    cores = sorted(os.sched_getaffinity(0))
    for threads in options.threads:
        if threads > len(cores):
            print(f"{threads} threads: left out, there are {len(cores)} cores")
            continue
        # Children inherit it, and so do the threads that a library makes.
        os.sched_setaffinity(0, cores[:threads])
        print(f"\n{threads} thread{'s' * (threads > 1)}, {options.rounds} rounds of {options.runs} runs; {machine()}")
        for path in options.models or [DEFAULT, *ZOO]:
            compare(pathlib.Path(path), threads, options)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="ONNX classifiers (default: the default model and tests/data/zoo)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runs", type=int, default=40, help="runs of each contender in a round")
    parser.add_argument("--gradcam", default=ROOT / "target/release/gradcam", help="the program")
    return parser.parse_args()


def machine():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return os.uname().machine


def compare(path, threads, options):
    name = path.parent.name if path.name == "model.onnx" else path.stem
    with tempfile.TemporaryDirectory() as folder:
        plain = pathlib.Path(folder) / "plain.onnx"
        picture = without_head(path, plain)
        contenders = {
            "fused": program(path, "fused", threads, options),
            "tract": program(path, "tract", threads, options),
            "ONNX Runtime": onnx_runtime(plain, picture, threads, options.runs),
            "OpenVINO": openvino(plain, picture, threads, options.runs),
            "pytorch-grad-cam": torch_cam(plain, picture, threads, "pytorch_grad_cam"),
            "TorchCAM": torch_cam(plain, picture, threads, "torchcam"),
        }
        contenders = {name: run for name, run in contenders.items() if run}
        names = list(contenders)
        times = {name: [] for name in names}
        for number in range(options.rounds):
            turn = number % len(names)
            for contender in names[turn:] + names[:turn]:
                times[contender].append(contenders[contender]())
    ours = times["fused"]
    forward = [forward for forward, _ in ours]
    total = [forward + heat for forward, heat in ours]
    print(f"{name:<24} forward {ms(forward)}, with Grad-CAM {ms(total)}")
    for contender in names[1:]:
        theirs = [forward for forward, _ in times[contender]]
        # What makes a heat map itself is compared with what does.
        explains = contender in ("pytorch-grad-cam", "TorchCAM")
        alone = "" if explains else f"forward {ratio(forward, theirs)}, "
        print(f"  of {contender:<16} {ms(theirs)}:  {alone}with Grad-CAM {ratio(total, theirs)}")


def ms(times):
    return f"{statistics.median(times) * 1e3:7.2f} ms"


def ratio(ours, theirs):
    ratios = sorted(one / other for one, other in zip(ours, theirs))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def program(path, engine, threads, options):
    """Seconds of a forward pass and of the heat map (its gradients, method and scale)."""
    command = [options.gradcam, "bench", "--json", "--engine", engine, "--threads", threads]
    command += ["--iterations", options.runs, "--model", path]

    def run():
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{path}: {done.stderr.strip()}")
        stages = json.loads(done.stdout)["stages"]
        return stages["forward"]["p50"] / 1e3, stages["heatmap"]["p50"] / 1e3

    return run


def without_head(path, to):
    """Writes what of the model makes the scores; gives the shape of its picture."""
    model = onnx.load(path)
    graph = model.graph
    target = [port for port in graph.input if port.name == "target"]
    if target:
        keep(graph, graph.output[0].name)
        graph.input.remove(target[0])
    weights = {tensor.name for tensor in graph.initializer}
    picture = next(port for port in graph.input if port.name not in weights)
    for side in picture.type.tensor_type.shape.dim[:1]:
        side.dim_value = 1
    shape = [side.dim_value for side in picture.type.tensor_type.shape.dim]
    onnx.save(model, to)
    return shape


def keep(graph, output):
    """Removes every node that `output` does not need."""
    needed, nodes = {output}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            nodes.append(node)
    for field, kept in (
        (graph.node, nodes[::-1]),
        (graph.initializer, [tensor for tensor in graph.initializer if tensor.name in needed]),
        (graph.output, [port for port in graph.output if port.name == output]),
    ):
        kept = list(kept)
        del field[:]
        field.extend(kept)


def timed(run, runs):
    """Medians, after runs that are not counted; no heat map."""

    def measure():
        for _ in range(5):
            run()
        times = []
        for _ in range(runs):
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
        return statistics.median(times), 0.0

    return measure


def installed(*modules):
    return all(importlib.util.find_spec(module) for module in modules)


def onnx_runtime(path, shape, threads, runs):
    if not installed("onnxruntime"):
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: pixels(shape)}
    return timed(lambda: session.run(None, feed), runs)


def openvino(path, shape, threads, runs):
    if not installed("openvino"):
        return None
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    model.reshape(shape)
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(pixels(shape)))
    return timed(request.infer, runs)


def torch_cam(path, shape, threads, package):
    """The heat map of one picture by a library for PyTorch, at the last convolution's maps; few runs, for it is slow."""
    if not installed("torch", "onnx2torch", package):
        return None
    import torch
    from onnx2torch import convert

    torch.set_num_threads(threads)
    network = convert(str(path)).eval()
    picture = torch.from_numpy(pixels(shape))
    layer = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    if package == "pytorch_grad_cam":
        from pytorch_grad_cam import GradCAM

        cam = GradCAM(network, [layer])
        return timed(lambda: cam(picture, None), 5)
    from torchcam.methods import GradCAM

    cam = GradCAM(network, layer)

    def explain():
        scores = network(picture)
        cam(scores.argmax().item(), scores)

    return timed(explain, 5)


def pixels(shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


if __name__ == "__main__":
    main()
