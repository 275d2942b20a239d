"""Two programs take turns: worker processes that sleep but for their turn, and the ratio of their times."""
import atexit
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass

from pathlib import Path

import numpy as np

# llvmpipe draws on the calling thread; what torch.compile makes is kept for the next run. The caller's settings win.
ENVIRONMENT = {"LP_NUM_THREADS": "0", "PYTHONWARNINGS": "ignore",
               "TORCHINDUCTOR_CACHE_DIR": str(Path(__file__).resolve().parents[2] / ".cache" / "peers" / "torch")}
PATIENCE = 400  # seconds for one answer; torch.compile is the longest
TURN = 300  # milliseconds of calls a turn, about


class Broken(Exception):
    """A worker that ended, fell silent or said that it cannot."""


class Worker:
    """A process pinned to cores. Between its turns it is stopped (SIGSTOP with all of its threads and children), so
    that whatever an engine does while it waits, spinning included, takes nothing from the one that is measured."""

    def __init__(self, command, cores, log, environment):
        self.log = log
        pinned = ["taskset", "-c", ",".join(map(str, cores)), *map(str, command)]
        with open(log, "w") as errors:
            self.process = subprocess.Popen(pinned, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                            start_new_session=True, env=ENVIRONMENT | environment | os.environ,
                                            bufsize=0)
        atexit.register(self.end)  # a stopped process would outlive us
        try:
            status, _, self.about = self.answer().partition(" ")
            if status != "ready":
                raise Broken(self.about)
        except BaseException:
            self.end()
            raise
        self.signal(signal.SIGSTOP)

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def answer(self):
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise Broken(f"no answer within {PATIENCE} s")
        line = self.process.stdout.readline().decode().strip()
        if not line:
            last = open(self.log).read().strip().splitlines()[-1:]
            raise Broken(f"it ended with status {self.process.wait()}" + "".join(f": {words}" for words in last))
        return line

    def ask(self, command):
        try:
            self.signal(signal.SIGCONT)
            self.process.stdin.write(f"{command}\n".encode())
            answer = self.answer()
        except BaseException:
            self.end()
            raise
        self.signal(signal.SIGSTOP)
        return answer

    def turn(self, calls):
        """The median of `calls` calls in milliseconds. One more goes before, to cold caches."""
        return float(np.median([float(each) for each in self.ask(f"run {calls + 1}").split()[1:]]))

    def end(self):
        if self.process.returncode is None:
            self.signal(signal.SIGKILL)  # and its children
            self.process.wait()


@dataclass
class Duel:
    """Milliseconds of both, the quartiles of peer / ours over the rounds."""
    ours: float
    peer: float
    ratio: tuple


@dataclass
class Entry:
    """What became of one engine in one comparison."""
    engine: str
    about: str = ""
    error: tuple = ()
    duel: Duel | None = None
    absent: str = ""

    @property
    def disagrees(self):
        return bool(self.error) and bool(self.absent)

    def take(self, found):
        self.duel = found.get(self.engine)
        if self.duel:
            print(f"  {self.engine}: {self.duel.peer:.3g} ms, maquette {self.duel.ours:.3g} ms, ratio "
                  + " / ".join(f"{quartile:.2f}" for quartile in self.duel.ratio), flush=True)


def start(entry, command, cores, folder, error_of, bar, least=0, environment={}):
    """The worker of an entry; none where there is no such engine, or where `error_of` its output (a tuple, the first
    counts) is above the bar, or below what its arithmetic must show at least."""
    name = entry.engine.split()[0]
    output = folder / f"{name}.out"
    try:
        worker = Worker(command, cores, folder / f"{name}.log", environment)
        worker.ask(f"write {output}")
    except (Broken, OSError) as reason:
        entry.absent = str(reason)
        print(f"  {entry.engine} is absent: {entry.absent}", file=sys.stderr, flush=True)
        return None
    entry.about, entry.error = worker.about, error_of(output)
    print(f"  {entry.engine} {entry.about}: error {' / '.join(f'{error:.1e}' for error in entry.error)}", flush=True)
    if least <= entry.error[0] <= bar:
        return worker
    worker.end()
    if entry.error[0] < least:
        entry.absent, entry.error = "it computes in float32 all the same", ()
        print(f"  {entry.engine} is absent: {entry.absent}", file=sys.stderr, flush=True)
        return None
    entry.absent = f"disagrees: its error is {entry.error[0]:.1e}, at most {bar:.0e} was expected"
    print(f"  {entry.engine} DISAGREES and is not timed: {entry.absent}", file=sys.stderr, flush=True)
    return None


def fastest(candidates):
    """Of (entry, worker) pairs that are the same engine in different settings; the others end."""
    best = [float("inf")] * len(candidates)
    for _ in range(3 if len(candidates) > 1 else 0):
        best = [min(known, worker.turn(2)) for known, (_, worker) in zip(best, candidates)]
    chosen = min(range(len(candidates)), key=best.__getitem__)
    for index, (_, worker) in enumerate(candidates):
        if index != chosen:
            worker.end()
    return candidates[chosen]


def duels(ours, peers, rounds):
    """A Duel for each of the named peers. In each round each peer takes its turn beside a turn of ours, before it and
    after it alternately."""
    calls = {name: max(2, min(200, round(TURN / worker.turn(1)))) for name, worker in {"": ours, **peers}.items()}
    times = {name: [] for name in peers}
    for number in range(rounds):
        for name, peer in peers.items():
            pair = [(ours, calls[""]), (peer, calls[name])]
            order = (0, 1) if number % 2 == 0 else (1, 0)
            took = {which: pair[which][0].turn(pair[which][1]) for which in order}
            times[name].append((took[0], took[1]))
    results = {}
    for name, took in times.items():
        mine, theirs = np.array(took).T
        results[name] = Duel(float(np.median(mine)), float(np.median(theirs)),
                             tuple(np.quantile(theirs / mine, (0.25, 0.5, 0.75))))
    return results
