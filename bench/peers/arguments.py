"""What may be asked of run.sh; it needs nothing but Python, so that it is checked before anything is installed."""
import argparse
import os
from pathlib import Path

NETWORKS = ("compact", "one-module", "paper")
PEERS = ("onnxruntime", "openvino", "ncnn", "mnn", "torch")
BODIES = ("smpl", "silhouette")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


class OneSentence(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"run.sh: {message}; see --help.\n")


def some_of(known):
    def parse(text):
        names = text.split(",") if text else []
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(known)}")
        return tuple(name for name in known if name in names)
    return parse


def whole_number(least):
    def parse(text):
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least {least}")
        return int(text)
    return parse


def thread_counts(text):
    return tuple(sorted({whole_number(1)(count) for count in text.split(",")}))


def parse(words=None):
    parser = OneSentence(prog="bench/peers/run.sh", allow_abbrev=False, description=(
        "Measures the library beside CPU inference engines, SMPL in PyTorch and in Eigen, and Mesa's rasterizer: in "
        "turns, on pinned cores, after their outputs agreed. A whole run writes its section of docs/performance.md and "
        "a picture; a part of one only prints."))
    parser.add_argument("--networks", type=some_of(NETWORKS), default=NETWORKS, metavar="A,B",
                        help=f"of {','.join(NETWORKS)}; '' for none")
    parser.add_argument("--peers", type=some_of(PEERS), default=PEERS, metavar="A,B", help=f"of {','.join(PEERS)}")
    parser.add_argument("--bodies", type=some_of(BODIES), default=BODIES, metavar="A,B",
                        help=f"of {','.join(BODIES)}; '' for none")
    parser.add_argument("--threads", type=thread_counts, default=(1, 2), metavar="1,2",
                        help="threads of a network's call")
    parser.add_argument("--rounds", type=whole_number(1), metavar="N", help="turns of each pair; default 15, quick 3")
    parser.add_argument("--core", type=whole_number(0), default=0, metavar="N",
                        help="the core at one thread and the first one at more; default 0")
    parser.add_argument("--bf16", action="store_true",
                        help="time all in bfloat16 as well, in a table of its own")
    parser.add_argument("--avx2", action="store_true",
                        help="time all of them held to AVX2 as well, in a table of their own")
    parser.add_argument("--quick", action="store_true", help="few rounds; writes no page")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the section there, whatever was measured")
    chosen = parser.parse_args(words)
    cores = os.cpu_count()
    if max(chosen.threads) > cores:
        parser.error(f"argument --threads: {max(chosen.threads)} threads on {cores} cores would share them")
    if chosen.core >= cores:
        parser.error(f"argument --core: there is no core {chosen.core}; the cores are 0 to {cores - 1}")
    if chosen.out and not chosen.out.parent.is_dir():
        parser.error(f"argument --out: the folder {chosen.out.parent} does not exist")
    everything = ((chosen.networks, chosen.peers, chosen.bodies, chosen.threads)
                  == (NETWORKS, PEERS, BODIES, (1, 2)))
    if everything and not chosen.quick and not chosen.out:
        chosen.out = PAGE
    chosen.rounds = chosen.rounds or (3 if chosen.quick else 15)
    return chosen


if __name__ == "__main__":
    parse()
