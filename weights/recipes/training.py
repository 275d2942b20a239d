"""What every training recipe needs: a time box, resuming, averaged weights, a progress bar, curves."""
import copy
import csv
import ctypes
import io
import signal
import time
from pathlib import Path

import torch
from tqdm import tqdm

from muon import Muon
from saving import write_whole


def keep_memory():
    """Freed memory stays with the program: what a step frees the next one needs, and to ask the kernel for it anew costs a
    fifth of the time. Where the C library is not glibc, nothing happens."""
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(mmap_max, 0)


def cosine(progress, warm_up=0.02):
    """Learning-rate factor: a short linear warm-up, then half a cosine down to zero at progress 1."""
    if progress < warm_up:
        return progress / warm_up
    phase = min(1.0, (progress - warm_up) / (1 - warm_up))
    return 0.5 * (1 + float(torch.cos(torch.tensor(phase * torch.pi))))


def read_checkpoint(path, *names):
    """A dictionary that a training saved; ends with a sentence if it is absent, cut off, or of another kind."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as problem:
        reason = (str(problem) or type(problem).__name__).splitlines()[0].partition(". ")[0]
        raise SystemExit(f"{path}: not a readable checkpoint ({reason}).")
    missing = [name for name in names if not isinstance(state, dict) or name not in state]
    if missing:
        raise SystemExit(f"{path}: holds no {', '.join(missing)}; expected a checkpoint of these recipes.")
    return state


def load_weights(model, weights, path):
    """Copies a checkpoint's weights into a model of the same architecture."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as problem:
        reason = str(problem).splitlines()[1].strip()
        raise SystemExit(f"{path}: its weights are of another architecture ({reason[:200]}).")


class Averaged:
    """Exponential moving average of a model's weights and buffers: what is evaluated and exported."""

    def __init__(self, model, decay):
        self.model, self.decay = copy.deepcopy(model).eval(), decay
        self.steps = 0

    @torch.no_grad()
    def update(self, model):
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for mine, theirs in zip(self.model.state_dict().values(), model.state_dict().values()):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


class Run:
    """One training run in its folder: `checkpoint.pt`, `curves.csv`, `curves.png`.

    Training ends when `minutes` of training time (summed over all resumed pieces) are used up. The
    learning rate follows `cosine` over that time, so a run that was interrupted goes on exactly
    where it stopped. On a processor a step takes no more than its processor time: a pause does not
    use the time up, nor, with one thread, a neighbour on the same core.
    """

    def __init__(self, folder, model, learning_rate, minutes, averaging=0.999, optimizer="adam",
                 initial_weights=None, research=False):
        if not minutes > 0:
            raise SystemExit(f"--minutes {minutes}: more than 0 was expected")
        keep_memory()
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model, self.learning_rate, self.minutes, self.optimizer_name = model, learning_rate, minutes, optimizer
        # Whether these weights, or those that they come from, saw pictures that are for research only.
        self.research = research
        if initial_weights:
            state = read_checkpoint(initial_weights, "averaged")
            load_weights(model, state["averaged"], initial_weights)
            self.research |= state.get("research", False)
        if optimizer == "rmsprop":
            self.optimizer = torch.optim.RMSprop(model.parameters(), lr=learning_rate, alpha=0.99)
        elif optimizer == "muon":
            self.optimizer = Muon(model.parameters(), learning_rate)
        else:
            self.optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
        self.averaged = Averaged(model, averaging)
        self.step, self.seconds = 0, 0.0
        self.checkpoint = self.folder / "checkpoint.pt"
        if self.checkpoint.exists():
            state = read_checkpoint(self.checkpoint, "model", "averaged", "step", "seconds")
            if state.get("optimizer_name", optimizer) != optimizer:
                raise SystemExit(f"{self.checkpoint}: was trained by {state['optimizer_name']}, found --optimizer {optimizer}; "
                                 "choose another --out, and --from to start from its weights")
            self.research |= state.get("research", False)
            load_weights(model, state["model"], self.checkpoint)
            self.averaged.model.load_state_dict(state["averaged"])
            self.averaged.steps = state["step"]
            if "optimizer" in state:  # not in what comes back from a borrowed machine
                self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]
            print(f"resumed {self.checkpoint} at step {self.step}, {self.seconds / 60:.1f} min")

    @property
    def progress(self):
        return min(1.0, self.seconds / (60 * self.minutes))

    def save(self):
        state = dict(model=self.model.state_dict(), averaged=self.averaged.model.state_dict(),
                     optimizer=self.optimizer.state_dict(), optimizer_name=self.optimizer_name, step=self.step,
                     seconds=self.seconds, research=self.research,
                     architecture=getattr(self.model, "architecture", {}))
        write_whole(self.checkpoint, lambda file: torch.save(state, file))

    def record(self, row):
        """Adds one row of figures to curves.csv, with columns that the rows before it may lack, and draws the curves anew.
        What goes wrong there is told; it is no reason to end a training."""
        path = self.folder / "curves.csv"
        try:
            rows = read_rows(path) + [row] if path.exists() else [row]
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, list(dict.fromkeys(name for one in rows for name in one)))
            writer.writeheader()
            writer.writerows(rows)
            write_whole(path, lambda file: file.write(text.getvalue().encode()))
            draw_curves(path, self.folder / "curves.png")
        except (OSError, ValueError, SystemExit) as problem:
            print(f"{path}: the curves are not up to date ({problem})")

    def train(self, batches, loss_of, evaluate, every_minutes=3.0):
        """Runs until the time box ends. `batches` yields; `loss_of(model, batch, progress)` returns
        the loss and a dict of its parts; `evaluate(averaged)` returns a dict of figures."""
        bar = tqdm(total=int(60 * self.minutes), initial=int(self.seconds), unit="s",
                   bar_format="{l_bar}{bar}| {elapsed} {postfix}")
        mean, saved = {}, self.seconds
        stopped = []

        def stop(kind, _):
            """Ends after the step, or the save, that it is in; asked once more, at once."""
            stopped.append(kind)
            signal.signal(kind, signal.SIG_DFL)

        for kind in (signal.SIGTERM, signal.SIGINT):
            signal.signal(kind, stop)
        self._train(bar, mean, saved, iter(batches), loss_of, evaluate, every_minutes, stopped)
        bar.close()
        if stopped:
            self.save()
            raise SystemExit(f"interrupted; the same command resumes from {self.checkpoint}")

    def _train(self, bar, mean, saved, batches, loss_of, evaluate, every_minutes, stopped):
        while self.seconds < 60 * self.minutes and not stopped:
            start, worked = time.monotonic(), time.process_time()
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate * cosine(self.progress)
            self.model.train()
            loss, parts = loss_of(self.model, next(batches), self.progress)
            self.optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            if torch.isfinite(norm):
                self.optimizer.step()
                self.averaged.update(self.model)
            self.step += 1
            spent = time.monotonic() - start
            if not next(self.model.parameters()).is_cuda:
                spent = min(spent, time.process_time() - worked)
            self.seconds += spent
            for name, value in parts.items():
                mean[name] = 0.98 * mean.get(name, float(value)) + 0.02 * float(value)
            bar.n = int(self.seconds)
            bar.set_postfix(step=self.step, **{k: f"{v:.4g}" for k, v in mean.items()})
            if self.seconds - saved > 60 * every_minutes or self.progress >= 1:
                saved = self.seconds
                self.save()
                figures = evaluate(self.averaged.model)
                self.record(dict(step=self.step, minutes=round(self.seconds / 60, 2), **{
                    k: round(float(v), 6) for k, v in {**mean, **figures}.items()}))
                bar.write(" ".join(f"{k} {v:.4g}" for k, v in {**mean, **figures}.items()))


def read_rows(csv_path):
    with open(csv_path, newline="") as file:
        return list(csv.DictReader(file))


def draw_curves(csv_path, png_path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    rows = read_rows(csv_path)
    names = [n for n in rows[0] if n not in ("step", "minutes")]
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure, axes = pyplot.subplots(lines, columns, figsize=(3.2 * columns, 2.4 * lines),
                                   squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, name in zip(axes.flat, names):
        axis.axis("on")
        axis.plot([float(r["minutes"]) for r in rows], [float(r[name] or "nan") for r in rows])
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("minutes", fontsize=8)
        axis.tick_params(labelsize=7)
    figure.tight_layout()
    figure.savefig(png_path, dpi=90)
    pyplot.close(figure)
