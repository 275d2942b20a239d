"""One peer in a process of its own: loads a network once, then obeys the lines on its standard input.

    python bench/peers/engine.py NAME --folder FOLDER --threads N [--bf16]

FOLDER is what prepare.py made. It prints "ready VERSION AND SETTINGS" or "absent REASON"; then "run N" prints the
milliseconds of N calls on one line, and "write FILE" writes the outputs of one call as float32: heat maps, silhouette.
A call takes the picture from memory and leaves both outputs there as float32.
"""
import argparse
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

SHAPES = ((16, 64, 64), (2, 64, 64))
COMPILATION_SECONDS = 120
HELD_TO_AVX2 = os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2"


class Absent(Exception):
    """The engine cannot run this network in this way."""


def picture_of(folder):
    return np.fromfile(folder / "picture.f32", np.float32).reshape(1, 3, 256, 256)


def load_onnxruntime(folder, threads, bf16):
    import onnxruntime
    if bf16:
        raise Absent("its CPU kernels have no bf16 on x86")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "network.onnx"), options, ["CPUExecutionProvider"])
    inputs = {"picture": picture_of(folder)}
    return "all graph optimisations", lambda: session.run(None, inputs)


def load_openvino(folder, threads, bf16):
    import openvino
    core = openvino.Core()
    if bf16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise Absent("it sees no bf16 on this processor")
    compiled = core.compile_model(core.read_model(folder / "network.onnx"), "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": True})
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(picture_of(folder)))
    outputs = [request.get_output_tensor(index).data for index in range(2)]

    def call():
        request.infer()
        return outputs
    if HELD_TO_AVX2:
        kernels = {node.get_rt_info()["primitiveType"].astype(str) for node in compiled.get_runtime_model().get_ops()}
        if any("avx512" in kernel for kernel in kernels):
            raise Absent("this version's kernels are not all held to AVX2")
    return "latency hint, pinned threads", call


def load_ncnn(folder, threads, bf16):
    import ncnn
    network = ncnn.Net()
    network.opt.num_threads = threads
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "int8_inference"):
        setattr(network.opt, f"use_{name}", False)
    for name in ("winograd_convolution", "sgemm_convolution", "packing_layout"):
        setattr(network.opt, f"use_{name}", True)
    network.opt.use_bf16_storage = network.opt.use_bf16_packed = bf16
    network.opt.lightmode = True
    if network.load_param(str(folder / "network.ncnn.param")) or network.load_model(str(folder / "network.ncnn.bin")):
        raise Absent("it cannot read what pnnx made of the network")
    picture = picture_of(folder)[0]

    def call():
        extractor = network.create_extractor()
        extractor.input("in0", ncnn.Mat(picture))  # borrows the array's memory, and does not keep the array
        return [np.array(extractor.extract(name)[1]) for name in ("out0", "out1")]
    return "Winograd, packed, light mode", call


def load_mnn(folder, threads, bf16):
    import MNN
    network = MNN.Interpreter(str(folder / "network.mnn"))
    session = network.createSession({"backend": "CPU", "numThread": threads, "precision": "low" if bf16 else "high"})
    source = network.getSessionInput(session)
    picture = MNN.Tensor((1, 3, 256, 256), MNN.Halide_Type_Float, picture_of(folder), MNN.Tensor_DimensionType_Caffe)
    results = [network.getSessionOutput(session, name) for name in ("heatmaps", "silhouette")]
    outputs = [np.zeros((1, *shape), np.float32) for shape in SHAPES]
    hosts = [MNN.Tensor(each.shape, MNN.Halide_Type_Float, each, MNN.Tensor_DimensionType_Caffe) for each in outputs]

    def call():
        source.copyFrom(picture)
        network.runSession(session)
        for result, host in zip(results, hosts):
            result.copyToHostTensor(host)
        return [host.getNumpyData() for host in hosts]
    return f"precision {'low' if bf16 else 'high'}", call


def load_torch(folder, threads, bf16):
    """The fastest of PyTorch's ways to run a module."""
    import signal
    import torch
    import torch._inductor.config
    from prepare import load_network
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    torch._inductor.config.freezing = True
    if HELD_TO_AVX2 and torch.backends.cpu.get_cpu_capability() != "AVX2":
        raise Absent("its own kernels are not held to AVX2")
    form = dict(dtype=torch.bfloat16 if bf16 else torch.float32, memory_format=torch.channels_last)
    module, picture = load_network(folder).to(**form), torch.from_numpy(picture_of(folder)).to(**form)
    ways = {"eager": module,
            "optimize_for_inference": torch.jit.optimize_for_inference(torch.jit.trace(module, picture)),
            "compiled": torch.compile(module)}

    def give_up(*_):
        raise TimeoutError(f"torch.compile took more than {COMPILATION_SECONDS} s")
    signal.signal(signal.SIGALRM, give_up)
    for name in list(ways):
        signal.alarm(COMPILATION_SECONDS)
        try:
            ways[name](picture), ways[name](picture)
        except Exception as error:
            print(f"torch, {name}: {error}", file=sys.stderr)
            del ways[name]
        signal.alarm(0)
    if not ways:
        raise Absent("none of its ways to run a module works")
    took = {name: [] for name in ways}
    for _ in range(7):
        for name, way in ways.items():
            start = time.perf_counter()
            way(picture)
            took[name].append(time.perf_counter() - start)
    best = min(ways, key=lambda name: min(took[name]))
    return f"channels_last, {best}", lambda: [output.float().numpy() for output in ways[best](picture)]


def load_smplx(folder, threads, bf16):
    import torch
    from smplx.lbs import lbs
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    arrays = np.load(Path(__file__).resolve().parents[2] / "weights" / "body.npz")

    def tensor(array):
        return torch.from_numpy(np.ascontiguousarray(array, np.float32))
    beta, theta = (tensor(np.fromfile(folder / name, np.float32)[None]) for name in ("beta.f32", "theta.f32"))
    parents = torch.from_numpy(arrays["kintree_table"][0].astype(np.int64))
    body = (tensor(arrays["v_template"]), tensor(arrays["shapedirs"]), tensor(arrays["posedirs"].reshape(-1, 207).T),
            tensor(arrays["J_regressor"]), parents, tensor(arrays["weights"]))
    return f"lbs, torch {torch.__version__}", lambda: [lbs(beta, theta, *body)[0].numpy()]


ENGINES = {"onnxruntime": load_onnxruntime, "openvino": load_openvino, "ncnn": load_ncnn, "mnn": load_mnn,
           "torch": load_torch, "smplx": load_smplx}
DISTRIBUTIONS = {name: name for name in ENGINES} | {"mnn": "MNN"}


def obey(call, answers):
    """Until standard input ends."""
    for line in sys.stdin:
        command, argument = line.split(maxsplit=1)
        if command == "run":
            took = []
            for _ in range(int(argument)):
                start = time.perf_counter()
                call()
                took.append(1e3 * (time.perf_counter() - start))
            print(*took, file=answers)
        else:
            np.concatenate([np.asarray(output, np.float32).ravel() for output in call()]).tofile(argument.strip())
            print("written", file=answers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=ENGINES)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--bf16", action="store_true")
    arguments = parser.parse_args()
    # Engines print what they like: the driver's line keeps standard output for itself.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        settings, call = ENGINES[arguments.name](arguments.folder, arguments.threads, arguments.bf16)
    except (Absent, ImportError) as reason:
        print("absent", reason, file=answers)
        return
    print("ready", f"{version(DISTRIBUTIONS[arguments.name])}, {settings}", file=answers)
    obey(call, answers)


if __name__ == "__main__":
    main()
