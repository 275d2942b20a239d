"""What a run adds to docs/performance.md: its section and its picture."""
import os
import subprocess
from pathlib import Path

from prepare import NETWORKS

NAMES = {"maquette": "maquette", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "ncnn": "ncnn", "mnn": "MNN",
         "torch": "PyTorch"}
BEGIN, END = "<!-- peers -->", "<!-- end of peers -->"
COLOURS = {"onnxruntime": "#4c72b0", "openvino": "#8172b3", "ncnn": "#55a868", "mnn": "#dd8452", "torch": "#c44e52"}


def machine():
    def said(key):
        lines = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.split(":")[0].strip() == key]
        return lines[0] if lines else "unknown"

    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return (f"{said('model name')} (family {said('cpu family')}, model {said('model')}), {os.cpu_count()} cores; "
            f"{compiler}")


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def milliseconds(entries, entry):
    """Of an entry; ours were measured once beside each peer."""
    if entry.duel:
        return f"{entry.duel.peer:.3g}"
    ours = sorted(each.duel.ours for each in entries if each.duel)
    return f"{ours[len(ours) // 2]:.3g}" if entry.engine == "maquette" and ours else ""


def ratio(entry):
    if not entry.duel:
        return ""
    low, middle, high = entry.duel.ratio
    return f"**{middle:.2f}** ({low:.2f} to {high:.2f})"


def network_table(networks, name, threads, bf16):
    columns = [networks[name, count, bf16] for count in threads]
    rows = []
    for row in zip(*columns):
        about = "; ".join(dict.fromkeys(entry.about for entry in row if entry.about))
        label = NAMES[row[0].engine] + (f" {about}" if about else "")
        cells, errors = [], [entry.error for entry in row if entry.error]
        for entries, entry in zip(columns, row):
            cells += [milliseconds(entries, entry), ratio(entry)] if not entry.absent else [entry.absent, ""]
        rows.append([label, *cells, *(f"{max(values):.1e}" for values in zip(*errors))] + [""] * (0 if errors else 2))
    head = ["engine"]
    for count in threads:
        head += [f"ms, {count} thread{'s' * (count > 1)}", "its time / ours"]
    return table(head + ["relative RMS error", "largest error"], rows)


def networks_text(networks, chosen, bf16):
    return "\n\n".join(f"#### {NETWORKS[name].title[0].upper()}{NETWORKS[name].title[1:]}\n"
                       + network_table(networks, name, chosen.threads, bf16) for name in chosen.networks)


def body_table(comparison):
    rows = [[entry.engine + (f" {entry.about}" if entry.about else ""),
             entry.absent or milliseconds(comparison.entries, entry), ratio(entry),
             *(f"{error:.1e}" for error in entry.error)] for entry in comparison.entries]
    return table(["", "ms, 1 thread", "its time / ours", comparison.measure], rows)


def text_of(results, chosen):
    text = f"""## Beside other engines

Made by `bench/peers/run.sh` on: {machine()}.

Every engine is a process of its own that has loaded the network and is pinned to as many cores as it has threads. In
each of {chosen.rounds} rounds each peer takes a turn of some 0.3 s beside a turn of ours, before it and after it
alternately; whoever is not at work is stopped. A turn gives the median of its calls, the first one left out; a ratio
compares the two turns of a pair. Given are medians, and for the ratios the quartiles, over the rounds. A call goes
from the picture in memory, in the layout that the engine likes best, to float32 heat maps and silhouette in memory.

The peers are the newest wheels of PyPI, with these settings: ONNX Runtime all graph optimisations, one intra-op thread
a core; OpenVINO latency hint, one stream, pinned threads; ncnn Winograd, sgemm and packing on, light mode; MNN
precision high (its 3.6.1 wheel holds no AVX-512 code); PyTorch the fastest of eager, `optimize_for_inference` and
`torch.compile` with frozen weights, channels last. On several threads ncnn and PyTorch are tried with OpenMP's own way
of waiting and with a brief one (GOMP_SPINCOUNT=2000), and keep the faster.
"""
    if chosen.networks:
        text += f"""
### Human2D, float32
Batch 1, picture 3 x 256 x 256. The shipped weights, or weights from a fixed seed. The errors are those of the last
stack's heat maps or silhouette, whichever is worse, against PyTorch in float64: the root mean square relative to that
of the truth, and the largest as a share of the largest value. An engine is timed only if the former is below 5e-3.

{networks_text(results.networks, chosen, False)}
"""
    if chosen.networks and chosen.bf16:
        text += f"""
### Human2D, bfloat16
The same, with every engine allowed to compute in bfloat16 (error below 1e-1). Ours multiplies everything but the heads so
(`arithmetic::bfloat16`).

{networks_text(results.networks, chosen, True)}
"""
    if chosen.networks and chosen.avx2:
        text += f"""
### Human2D, float32, held to AVX2
For processors without AVX-512 (`bench/peers/run.sh --avx2`): ours built for AVX2 and FMA (-march=haswell); OpenVINO by
ONEDNN_MAX_CPU_ISA and OV_CPU_MAX_ISA, where no kernel that it then names is one of AVX-512; MNN as it is; PyTorch by
ONEDNN_MAX_CPU_ISA, ATEN_CPU_CAPABILITY and TORCHINDUCTOR_CPP_MARCH. ONNX Runtime and ncnn have no such setting and
choose their kernels by the processor, so that they are left out.

{networks_text(results.avx2, chosen, False)}
"""
    for comparison in results.bodies:
        text += f"\n### {comparison.title[0].upper()}{comparison.title[1:]}\n{body_table(comparison)}\n"
    return text


def picture(results, chosen, path):
    """Bars of each peer's time as a multiple of ours, with the quartiles."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, len(chosen.threads), figsize=(5.2 * len(chosen.threads), 3.6), sharey=True,
                                   squeeze=False)
    width = 0.8 / len(chosen.peers)
    for axis, threads in zip(axes[0], chosen.threads):
        for place, engine in enumerate(chosen.peers):
            found = [(x, entry.duel.ratio) for x, name in enumerate(chosen.networks)
                     for entry in results.networks[name, threads, False] if entry.engine == engine and entry.duel]
            if not found:
                continue
            x = [column + (place - (len(chosen.peers) - 1) / 2) * width for column, _ in found]
            low, middle, high = zip(*(quartiles for _, quartiles in found))
            spread = [[m - a for m, a in zip(middle, low)], [b - m for m, b in zip(middle, high)]]
            axis.bar(x, middle, width * 0.92, yerr=spread, color=COLOURS[engine], label=NAMES[engine],
                     error_kw=dict(lw=0.8, capsize=1.5))
        axis.axhline(1, color="black", lw=1)
        axis.set_xticks(range(len(chosen.networks)), chosen.networks)
        axis.set_title(f"{threads} thread{'s' * (threads > 1)}", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("time / maquette's time")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="lower center", ncol=len(chosen.peers), frameon=False, fontsize=8)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(path, dpi=150)


def write(text, results, chosen):
    """The section, in place of the one between the marks or as a page of its own, and the picture of the networks in
    images/ beside it."""
    path = Path(chosen.out)
    if chosen.networks and chosen.peers:
        image = path.parent / "images" / "peers.png"
        image.parent.mkdir(exist_ok=True)
        picture(results, chosen, image)
        text += f"\n![the peers' times as multiples of ours](images/{image.name})\n"
    page = path.read_text() if path.exists() else ""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{text}{END}{after}" if begin and end else text)
