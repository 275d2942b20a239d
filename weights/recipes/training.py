"""What every training recipe needs: a time box, resuming, averaged weights, a progress bar, curves."""
import copy
import csv
import signal
import time
from pathlib import Path

import torch
from tqdm import tqdm

from muon import Muon
from saving import write_whole


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
        reason = str(problem).splitlines()[0].partition(". ")[0]
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
        raise SystemExit(f"{path}: its weights are of another architecture ({str(problem).splitlines()[1].strip()}).")


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
                 initial_weights=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model, self.learning_rate, self.minutes = model, learning_rate, minutes
        if initial_weights:
            load_weights(model, read_checkpoint(initial_weights, "averaged")["averaged"], initial_weights)
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
                     optimizer=self.optimizer.state_dict(), step=self.step, seconds=self.seconds,
                     architecture=getattr(self.model, "architecture", {}))
        write_whole(self.checkpoint, lambda file: torch.save(state, file))

    def record(self, row):
        """Appends one row of figures to curves.csv and draws the curves anew."""
        path = self.folder / "curves.csv"
        fresh = not path.exists()
        with open(path, "a", newline="") as file:
            writer = csv.DictWriter(file, row.keys())
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        draw_curves(path, self.folder / "curves.png")

    def train(self, batches, loss_of, evaluate, every_minutes=3.0):
        """Runs until the time box ends. `batches` yields; `loss_of(model, batch, progress)` returns
        the loss and a dict of its parts; `evaluate(averaged)` returns a dict of figures."""
        bar = tqdm(total=int(60 * self.minutes), initial=int(self.seconds), unit="s",
                   bar_format="{l_bar}{bar}| {elapsed} {postfix}")
        mean, saved = {}, self.seconds
        batches = iter(batches)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self._train(bar, mean, saved, batches, loss_of, evaluate, every_minutes)
        except KeyboardInterrupt:
            self.save()
            raise SystemExit(f"interrupted; the same command resumes from {self.checkpoint}")
        bar.close()

    def _train(self, bar, mean, saved, batches, loss_of, evaluate, every_minutes):
        while self.seconds < 60 * self.minutes:
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


def draw_curves(csv_path, png_path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    with open(csv_path) as file:
        rows = list(csv.DictReader(file))
    names = [n for n in rows[0] if n not in ("step", "minutes")]
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure, axes = pyplot.subplots(lines, columns, figsize=(3.2 * columns, 2.4 * lines),
                                   squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, name in zip(axes.flat, names):
        axis.axis("on")
        axis.plot([float(r["minutes"]) for r in rows], [float(r[name]) for r in rows])
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("minutes", fontsize=8)
        axis.tick_params(labelsize=7)
    figure.tight_layout()
    figure.savefig(png_path, dpi=90)
    pyplot.close(figure)
