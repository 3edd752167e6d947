"""Whether gradient heads are exact: full-size classifiers, exported, explained, and compared with PyTorch in f64.

For each classifier of torchvision and timm, with random weights: PyTorch exports it, our library derives the head for
the automatic layer and for some named ones, and the file that it writes is evaluated in f64 (`evaluate`). It is exact
where

- the head's gradients are those that PyTorch's autograd finds for the same file, within 1e-6: what is left is that
  factors in a head, such as 1/3, are f32;
- the file's scores are those of PyTorch's network, and so are the gradients at the picture, and at the layer where a
  module puts that layer out, within 1e-4: exporters fold weights in f32, which may turn a corner (`corners.py`). Of a
  network whose gradient at the picture goes further when its own weights are rounded to f32, no more than twice as
  far is asked.

In f64 no rounding hides an error, and no error can be taken for rounding. Then the same file is run in f32 by both of
our backends, by ONNX Runtime and by PyTorch, and where these are apart from f64 corners must explain it.

    make judge                                    # all, both exporters: hours
    make judge ARGS="resnet18 --seeds 0 1 2"      # one
    make judge ARGS=/path/to/classifier.onnx      # a file: its head alone
"""

import argparse
import gc
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnx
import torch

import corners
import evaluate
import models
from networks import Reference, colours_last, export, made, named, picture_for, relative

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/examples/judge"
# Relative L2. The first is about the head alone, where only its constants are rounded. The second is about what
# exporters fold into weights in f32, seen through a whole network.
EXACT, FOLDED = 1e-6, 1e-4
# What the project promises of f32, away from corners.
CLOSE = 1e-4
# How near a corner units are that f32 may turn, and those that folding may.
REACH, FOLDED_REACH = 2e-4, 3e-5
CLASSES = (1, 3)
# What a case is known by.
KEYS = ("library", "name", "exporter", "seed")


def main():
    options = arguments()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    done = set()
    if options.results.exists():
        for line in options.results.read_text().splitlines():
            done.add(tuple(json.loads(line)[key] for key in KEYS))
    for case in cases(options):
        if tuple(case[key] for key in KEYS) in done:
            continue
        found = []
        for row in rows(case, options):
            found.append(json.dumps(case | row) + "\n")
            print(told(case | row), flush=True)
        # All at once: a case that was stopped is done again.
        with options.results.open("a") as results:
            results.write("".join(found))
        gc.collect()


def cases(options):
    files = [name for name in options.names if name.endswith(".onnx")]
    for name in files:
        for seed in options.seeds:
            yield dict(library="file", name=name, exporter="unknown", seed=seed)
    for library in options.library:
        sizes = models.SIZES[library]
        for name in [name for name in options.names if name in sizes] if options.names else sizes:
            for exporter in options.exporter:
                for seed in options.seeds:
                    yield dict(library=library, name=name, exporter=exporter, size=sizes[name], seed=seed)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="classifiers (default: all of models.py), or files .onnx")
    parser.add_argument("--library", nargs="+", default=list(models.SIZES))
    parser.add_argument("--exporter", nargs="+", default=["classic", "dynamo"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--named", type=int, default=2, help="named layers beside the automatic one")
    parser.add_argument("--layers", nargs="+", help="these layers in place of chosen ones")
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM, help="what engines.rs was built to")
    parser.add_argument(
        "--results", type=pathlib.Path, default=ROOT / "target/judge.jsonl", help="what is there is not done again"
    )
    return parser.parse_args()


def told(row):
    head, run = row.get("f64", {}), row.get("f32", {})
    worst = lambda numbers: "%.0e" % max((value for value in numbers.values() if value is not None), default=0)
    numbers = (
        f"f64 {worst(head)}, f32 " + " ".join(f"{name} {worst(errors)}" for name, errors in run.items()) if head else ""
    )
    for name, corner in row.get("rough", {}).items():
        numbers += f", {name} but for {corner['units']} corners {corner['left']:.0e}"
    if "rounded" in head:
        numbers += f", picture moves by {head['rounded']:.0e} with its weights"
    return f"{row['name']} {row['exporter']} {row['seed']} {row['layer'][-44:]}: {row['verdict'][:200]} {numbers}"


def rows(case, options):
    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        path = folder / "classifier.onnx"
        try:
            if case["library"] == "file":
                shutil.copy(case["name"], path)
                picture, reference = picture_for(path, case["seed"]), None
            else:
                network, picture = made(case)
                export(network, picture, path, case["exporter"])
                reference = Reference(network, picture)
        except Exception as error:
            yield dict(layer="auto", verdict=f"not exported: {first_line(error)}")
            return
        np.save(folder / "input.npy", picture.numpy())
        names = options.layers or ["auto", *named(path, case["name"], options.named)]
        for layer in names:
            row = judged(folder, layer, picture, reference, options.program)
            yield dict(layer=layer, seconds=round(time.time() - start, 1)) | row


def first_line(error):
    text = str(error).strip() or repr(error)
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}"


def judged(folder, layer, picture, reference, program):
    for left in [*folder.glob("*.*.npy"), folder / "explainable.onnx"]:
        left.unlink(missing_ok=True)
    command = [program, folder / "classifier.onnx", layer, folder / "input.npy", ",".join(map(str, CLASSES)), folder]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        words = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return dict(verdict=("refused: " if done.returncode == 2 else "DIED: ") + words)
    about = json.loads(done.stdout)
    try:
        return about | compared(folder, layer, picture, reference)
    except NotImplementedError as error:
        return about | dict(verdict=f"not judged: {error}")


def compared(folder, layer, picture, reference):
    model = onnx.load(folder / "explainable.onnx")
    graph = evaluate.Graph(model)
    if colours_last(model):
        picture = picture.permute(0, 2, 3, 1).contiguous()
    exact = explained(graph, picture)
    jumps = Jumps(graph, exact)
    f64, rough = {}, {}
    f64["head"] = max(relative(exact[f"gradients{c}"], exact[f"autograd{c}"]) for c in CLASSES)
    if reference:
        f64["scores"] = relative(exact["scores"], reference.scores)
        found = reference.nearest(exact, CLASSES)
        if found:
            f64["network"], rough["network"] = jumps.compare("activations", found, FOLDED_REACH)
        if layer == "auto":
            found = {CLASSES[0]: reference.gradients(reference.picture, CLASSES[0])}
            f64["picture"], rough["picture"] = jumps.compare(exact["image"], found, FOLDED_REACH)

    found = {}
    for backend in ("fused", "tract"):
        found[backend] = {what: np.load(folder / f"{backend}.{what}.npy") for what in values()}
    found["onnxruntime"] = onnx_runtime(folder / "explainable.onnx", picture)
    found["pytorch"] = explained(evaluate.Graph(model, torch.float32), picture)
    found["pytorch"] |= {f"gradients{c}": found["pytorch"][f"autograd{c}"] for c in CLASSES}
    f32 = {name: {what: relative(has[what], exact[what]) for what in values()} for name, has in found.items()}
    for name, has in found.items():
        _, rough[name] = jumps.compare("activations", {c: has[f"gradients{c}"] for c in CLASSES}, REACH)

    rough = {name: corner for name, corner in rough.items() if corner}
    wrong = []
    if not f64["head"] <= EXACT:
        wrong.append("head")
    if not f64.get("scores", 0) <= FOLDED:
        wrong.append("scores")
    wrong += [name for name in ("network", "picture") if name in rough and not rough[name]["left"] <= FOLDED]
    if "picture" in wrong:
        f64["rounded"] = reference.moved(CLASSES[0])
        if rough["picture"]["left"] <= 2 * f64["rounded"]:
            wrong.remove("picture")
    norm = float(np.linalg.norm(exact[f"gradients{CLASSES[0]}"]))
    return dict(verdict="WRONG: " + ", ".join(wrong) if wrong else "exact", f64=f64, f32=f32, rough=rough, norm=norm)


class Jumps:
    """Compares gradients with those in f64, and where they are apart asks whether corners explain it."""

    def __init__(self, graph, exact):
        self.graph, self.exact, self.found = graph, exact, {}

    def at(self, *place):
        if place not in self.found:
            leaf, class_number, reach = place
            known = self.exact["known"] if leaf == "activations" else {leaf: self.exact["picture"]}
            self.found[place] = corners.Jumps(self.graph, known, leaf, self.exact["output"], class_number, reach)
        return self.found[place]

    def compare(self, leaf, gradients, reach):
        """The largest error, and if it is large, what corners explain of it in the worse class."""
        if leaf == "activations":
            error = {c: relative(values, self.exact[f"autograd{c}"]) for c, values in gradients.items()}
        else:
            error = {
                c: relative(values, at_picture(self.graph, self.exact["picture"])) for c, values in gradients.items()
            }
        worst = max(error, key=error.get)
        if error[worst] <= CLOSE:
            return error[worst], None
        jumps = self.at(leaf, worst, reach)
        return error[worst], jumps.explain(
            torch.as_tensor(gradients[worst]).double().reshape(jumps.exact.shape), CLOSE / 10
        )


def explained(graph, picture):
    """Scores, activations, and the gradients of the head and of autograd."""
    scores = next(wire for wire in graph.outputs if wire not in ("activations", "gradients"))
    image = next(wire for wire in graph.inputs if wire != "target")
    known = graph.run({image: picture.to(graph.kind)}, ["activations", scores], leaf="activations")
    leaf = known["activations"]
    result = dict(scores=known[scores][0].detach(), activations=leaf.detach())
    for c in CLASSES:
        found = torch.autograd.grad(known[scores][0, c], leaf, retain_graph=True, allow_unused=True)[0]
        result[f"autograd{c}"] = torch.zeros_like(leaf) if found is None else found
    result |= dict(output=scores, image=image, picture=picture.to(graph.kind))
    # The wires that the tail makes require gradients.
    result["known"] = {wire: value for wire, value in known.items() if not value.requires_grad} | {"activations": leaf}
    known = {wire: value.detach() for wire, value in known.items()}
    for c in CLASSES:
        target = torch.zeros_like(known[scores])
        target[0, c] = 1
        with torch.no_grad():
            result[f"gradients{c}"] = graph.run(known | {"target": target}, ["gradients"])["gradients"]
    return result


def at_picture(graph, picture):
    scores = next(wire for wire in graph.outputs if wire not in ("activations", "gradients"))
    image = next(wire for wire in graph.inputs if wire != "target")
    values = picture.to(graph.kind).requires_grad_()
    return torch.autograd.grad(graph.run({image: values}, [scores])[scores][0, CLASSES[0]], values)[0]


def values():
    return ["scores", "activations", *(f"gradients{c}" for c in CLASSES)]


def onnx_runtime(path, picture):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    outputs = [port.name for port in session.get_outputs()]
    result = {}
    for c in CLASSES:
        shape = next(port.shape for port in session.get_inputs() if port.name == "target")
        target = np.zeros(shape, np.float32)
        target[0, c] = 1
        feeds = {port.name: target if port.name == "target" else picture.numpy() for port in session.get_inputs()}
        made = dict(zip(outputs, session.run(None, feeds)))
        result[f"gradients{c}"] = made["gradients"]
    result["activations"] = made["activations"]
    result["scores"] = next(value for name, value in made.items() if name not in ("activations", "gradients"))
    return result


if __name__ == "__main__":
    main()
