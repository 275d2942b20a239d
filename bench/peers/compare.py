"""The driver of run.sh: prepares the networks, checks that all engines agree, lets them take turns, writes the page."""
import os
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import arguments
import bodies
import page
from duel import Broken, Entry, duels, fastest, start
from prepare import HEATMAPS, NETWORKS, export, make_folder

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE.parents[1] / "build" / "bench"
# The largest relative RMS error of heat maps or silhouette against float64 with which an engine still computes this
# network in float32 (Winograd of large tiles came to 2e-3 on the deepest one) or in bfloat16 (1.6e-2 and more).
BARS = {False: 5e-3, True: 1e-1}
# How libgomp's threads wait for work: as it likes, which is to spin for milliseconds and costs seconds a call as soon
# as another program wants a core, or briefly. The faster way is kept.
OPENMP, WAITING = ("ncnn", "torch"), ({}, {"GOMP_SPINCOUNT": "2000"})
# What holds an engine to AVX2, for its own kernels and for oneDNN's; engine.py looks whether it does. The others choose
# by the processor alone.
ONEDNN = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
HELD_TO_AVX2 = {"openvino": ONEDNN | {"OV_CPU_MAX_ISA": "AVX2"}, "mnn": {},
                "torch": ONEDNN | {"ATEN_CPU_CAPABILITY": "avx2", "TORCHINDUCTOR_CPP_MARCH": "haswell"}}


@dataclass
class Results:
    networks: dict = field(default_factory=dict)  # (network, threads, bf16): entries, ours first
    bodies: list = field(default_factory=list)
    avx2: dict = field(default_factory=dict)  # as networks, all engines held to AVX2

    def disagreements(self):
        lists = [*self.networks.values(), *self.avx2.values(), *(comparison.entries for comparison in self.bodies)]
        return sum(entry.disagrees for entries in lists for entry in entries)

    def slowest_ratio(self):
        """The smallest ratio of the best float32 peer's time to ours, over networks and thread counts."""
        best = [min(ratios) for (_, _, bf16), entries in self.networks.items() if not bf16
                if (ratios := [entry.duel.ratio[1] for entry in entries if entry.duel])]
        return min(best, default=None)


def error_against(expected):
    """Relative RMS and the largest difference as a share of the largest value: the worse of the two outputs."""
    def error(path):
        found, errors = np.fromfile(path, np.float32), []
        for part in (slice(None, HEATMAPS), slice(HEATMAPS, None)):
            difference, true = found[part] - expected[part], expected[part]
            errors.append((np.sqrt((difference ** 2).mean() / (true ** 2).mean()),
                           np.abs(difference).max() / np.abs(true).max()))
        return tuple(float(worse) for worse in np.max(errors, axis=0))
    return error


def cores_of(first, threads):
    return [(first + i) % os.cpu_count() for i in range(threads)]


def compare_network(name, folder, threads, chosen, exported, bf16, avx2=False):
    """The entries, ours first."""
    print(f"{NETWORKS[name].title}, threads: {threads}{', bf16' if bf16 else ''}{', AVX2' if avx2 else ''}",
          flush=True)
    error, cores = error_against(np.fromfile(folder / "expected.f64")), cores_of(chosen.core, threads)
    entries, workers = [Entry("maquette")], {}
    program = PROGRAMS / ("peer_worker_avx2" if avx2 else "peer_worker")
    command = [program, name, folder, threads] + ["bfloat16"] * bf16
    ours = start(entries[0], command, cores, folder, error, BARS[bf16])
    if ours is None:
        raise SystemExit(f"run.sh: maquette, {name}: {entries[0].absent}")
    try:
        for engine in chosen.peers:
            held = HELD_TO_AVX2.get(engine) if avx2 else {}
            entry = Entry(engine, absent=exported[engine] or ("" if held is not None else "cannot be held to AVX2"))
            if entry.absent:
                print(f"  {engine} is absent: {entry.absent}", file=sys.stderr, flush=True)
                entries.append(entry)
                continue
            command = [sys.executable, HERE / "engine.py", engine, "--folder", folder, "--threads", threads]
            candidates = []
            for environment in WAITING if engine in OPENMP and threads > 1 else ({},):
                entry = Entry(engine)
                worker = start(entry, command + ["--bf16"] * bf16, cores, folder, error, BARS[bf16],
                               BARS[False] * bf16, held | environment)
                if worker:
                    entry.about += "".join(f", {name}={value}" for name, value in environment.items())
                    candidates.append((entry, worker))
            if candidates:
                entry, workers[engine] = fastest(candidates)
            entries.append(entry)
        found = duels(ours, workers, chosen.rounds)
        for entry in entries:
            entry.take(found)
    finally:
        for worker in (ours, *workers.values()):
            worker.end()
    return entries


def main():
    chosen = arguments.parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("run.sh: terminated"))  # so that the workers end as well
    results = Results()
    with tempfile.TemporaryDirectory() as scratch:
        for name in chosen.networks:
            folder = Path(scratch) / name
            print(f"{NETWORKS[name].title}: weights and exports", flush=True)
            make_folder(NETWORKS[name], folder)
            exported = export(folder, chosen.peers)
            for bf16 in (False, True)[:1 + chosen.bf16]:
                for threads in chosen.threads:
                    results.networks[name, threads, bf16] = compare_network(name, folder, threads, chosen, exported,
                                                                            bf16)
            for threads in chosen.threads if chosen.avx2 else ():
                results.avx2[name, threads, False] = compare_network(name, folder, threads, chosen, exported, False,
                                                                     avx2=True)
        for name in chosen.bodies:
            results.bodies.append(bodies.compare(name, Path(scratch), cores_of(chosen.core, 1), chosen.rounds))
    text = page.text_of(results, chosen)
    print(text)
    if chosen.out:
        page.write(text, results, chosen)
    if results.disagreements():
        print(f"run.sh: {results.disagreements()} times a peer disagreed and was not timed", file=sys.stderr)
    slowest = results.slowest_ratio()
    if slowest is not None:
        print(f"slowest ratio best-peer/maquette: {slowest:.2f}")
    return 1 if results.disagreements() else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as reason:
        sys.exit(f"run.sh: an engine stopped answering: {reason}")
