"""Muon: steps of orthogonalised momentum for kernels, Adam's steps for everything else."""
import torch


# Of a wider layer, so many outputs at a time: the iteration costs the square of them.
STRIP = 256


def orthogonalised(matrices, iterations=5):
    """The nearest orthogonal matrices of [B, m, n], roughly: singular values end between 0.7 and 1.2.

    Quintic Newton-Schulz iteration x <- a x + (b s + c s^2) x with s = x x^T, whose coefficients pull every singular
    value towards 1 as fast as five rounds can (Jordan et al. 2024); in bfloat16, which is precise enough for that.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = (x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-12)).bfloat16()
    for _ in range(iterations):
        s = x @ x.mT
        x = 3.4445 * x + (-4.7750 * s + 2.0315 * s @ s) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Kernels of two or more dimensions, flattened to [out, in], in strips of at most STRIP rows: momentum, made
    orthogonal, and scaled to the size that Adam's steps have (0.2 a number), so that both take the same learning rate.
    Other parameters: Adam."""

    def __init__(self, parameters, lr, momentum=0.95, betas=(0.9, 0.999)):
        super().__init__(parameters, dict(lr=lr, momentum=momentum, betas=betas))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            kernels = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.ndim < 2:
                    self.adam(parameter, group)
                    continue
                state = self.state[parameter]
                mean = state.setdefault("mean", torch.zeros_like(parameter))
                mean.lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(mean, group["momentum"]).flatten(1)
                for strip, its_ahead in zip(parameter.split(STRIP), ahead.split(STRIP)):
                    kernels.setdefault(its_ahead.shape, []).append((strip, its_ahead))
            for (rows, columns), alike in kernels.items():
                steps = orthogonalised(torch.stack([ahead for _, ahead in alike]))
                size = 0.2 * max(rows, columns) ** 0.5
                for (parameter, _), step in zip(alike, steps):
                    parameter.sub_(step.view_as(parameter), alpha=group["lr"] * size)

    def adam(self, parameter, group):
        state, (first, second) = self.state[parameter], group["betas"]
        mean = state.setdefault("mean", torch.zeros_like(parameter))
        square = state.setdefault("square", torch.zeros_like(parameter))
        count = state["count"] = state.get("count", 0) + 1
        mean.lerp_(parameter.grad, 1 - first)
        square.lerp_(parameter.grad.square(), 1 - second)
        parameter.addcdiv_(mean / (1 - first ** count), (square / (1 - second ** count)).sqrt() + 1e-8, value=-group["lr"])
