"""Training: runs side by side over the same batches, on CUDA each a replayed graph on a stream of its own."""

import math
import warnings
from collections.abc import Callable

import torch
from torch import nn

from experiments.trainable_kernels.sines import Batches, Sines


class Run:
    """A model on its way, by Adam and the mean squared error, over batches in an order that stays.

    On CUDA a step, and the scoring of a batch, is a graph: it takes the batch from a counter on the device, makes the
    waves and moves the weights, and the host does nothing but start it.

    Args:
        model: waves or features in, (batch, 1) out; on its device.
        rate: learning rate.
        kernel_rate: that of the kernels and the bank, or None: they have the same. The model is then a pair, front-end
            and head.
        parts: "train", and what is scored after each epoch.
        sines: makes the waves.
        capture: replay graphs where there is CUDA.

    Attributes:
        curve: of each epoch the MSE of each part, in their order: (parts,) tensors. That of "train" is the mean of the
            steps' losses, each before its step.
    """

    def __init__(
        self,
        model: nn.Module,
        rate: float,
        parts: dict[str, Batches],
        sines: Sines,
        capture: bool = True,
        kernel_rate: float | None = None,
    ):
        self.model, self.rate, self.kernel_rate, self.parts, self.sines = model, rate, kernel_rate, parts, sines
        device = parts["train"].k.device
        on_cuda = device.type == "cuda"
        self.n_weights = sum(weight.numel() for weight in model.parameters())
        weights = [{"params": list(model.parameters())}]
        if kernel_rate is not None:
            weights = [{"params": list(model[0].parameters()), "lr": kernel_rate}, {"params": model[1].parameters()}]
        self.optimizer = torch.optim.Adam(weights, lr=rate, fused=on_cuda, capturable=on_cuda)
        self.at = torch.zeros(1, dtype=torch.int64, device=device)
        self.sums = torch.zeros(len(parts), device=device)
        self.curve: list[torch.Tensor] = []
        self.stream = torch.cuda.Stream() if on_cuda else None
        if on_cuda:
            self.stream.wait_stream(torch.cuda.current_stream())
        self.graphs: dict[str, torch.cuda.CUDAGraph] = {}
        if on_cuda and capture:
            self._capture()

    def begin(self) -> None:
        """Go to the first batch."""
        with torch.cuda.stream(self.stream):
            self.at.zero_()

    def go(self, part: str) -> None:
        """A step, or the scoring of a batch, and on to the next."""
        with torch.cuda.stream(self.stream):
            if self.graphs:
                self.graphs[part].replay()
            else:
                self._work(part)

    def note(self) -> None:
        """Put the epoch's means down."""
        with torch.cuda.stream(self.stream):
            self.curve.append(self.sums.clone())
            self.sums.zero_()

    def _loss(self, part: str) -> torch.Tensor:
        inputs, targets, weights = self.parts[part].take(self.at, self.sines)
        loss = (weights * (self.model(inputs)[:, 0] - targets).square()).sum()
        share = self.parts[part].shares.index_select(0, self.at)[0]
        self.sums[list(self.parts).index(part)].add_(loss.detach() * share)
        self.at.add_(1)
        return loss

    def _work(self, part: str) -> None:
        with torch.set_grad_enabled(part == "train"):
            loss = self._loss(part)
        if part == "train":
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)

    def _capture(self) -> None:
        """Record the work as graphs; the steps that warm it up are undone."""
        weights = list(self.model.parameters())
        with torch.cuda.stream(self.stream), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*capturable=True.*")
            before = [weight.detach().clone() for weight in weights]
            for _ in range(2):
                for part in self.parts:
                    self.at.zero_()
                    self._work(part)
        torch.cuda.synchronize()
        graphs, pool = {}, torch.cuda.graph_pool_handle()
        for part in self.parts:
            graphs[part] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[part], pool=pool, stream=self.stream):
                self._work(part)
        with torch.cuda.stream(self.stream), torch.no_grad():
            for weight, value in zip(weights, before, strict=True):
                weight.copy_(value)
            for state in self.optimizer.state.values():
                for value in state.values():
                    value.zero_()
            self.sums.zero_()
        self.graphs = graphs


def train(runs: list[Run], epochs: int) -> None:
    """Train runs that share their batches, a step of each in turn."""
    for _ in range(epochs):
        for part, batches in runs[0].parts.items():
            for run in runs:
                run.begin()
            for _ in range(len(batches)):
                for run in runs:
                    run.go(part)
        for run in runs:
            run.note()
    if runs[0].stream is not None:
        torch.cuda.synchronize()


def curve(run: Run) -> list[dict[str, float]]:
    """Of each epoch, part -> MSE."""
    return [dict(zip(run.parts, means.tolist(), strict=True)) for means in run.curve]


def search(makers: list[Callable[[], Run]], rungs: tuple[tuple[int, int], ...]) -> list[dict]:
    """Successive halving by the validation part (Jamieson and Talwalkar 2016).

    Args:
        makers: of the runs to choose among.
        rungs: epochs, and how many of the runs go on after them; the last leaves one.

    Returns:
        A row a run: epochs that it had, validation_mse (mean of the last three of them), chosen.
    """
    runs = [make() for make in makers]
    rows = [{"chosen": 0} for _ in runs]
    going = list(range(len(runs)))
    for epochs, kept in rungs:
        train([runs[i] for i in going], epochs)
        for i in going:
            last = [epoch["validation"] for epoch in curve(runs[i])[-3:]]
            rows[i] |= {"epochs": len(runs[i].curve), "validation_mse": sum(last) / len(last)}
        going = sorted(going, key=lambda i: _finite(rows[i]["validation_mse"]))[:kept]
    rows[going[0]]["chosen"] = 1
    return rows


def _finite(mse: float) -> float:
    """A run that diverged comes last."""
    return mse if math.isfinite(mse) else math.inf
