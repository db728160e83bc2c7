"""What a training writes down: metrics.jsonl for programs, TensorBoard events for people."""

from __future__ import annotations

from pathlib import Path

from zfjax.runs.folder import append_metrics, truncate_metrics


class MetricsLog:
    """Both files of one run; a context manager."""

    def __init__(self, workdir: str | Path):
        self._workdir, self._writer = Path(workdir), None

    def rewind(self, step: int) -> None:
        """Begins after `step`: what an interrupted run wrote beyond its last checkpoint will be written again."""
        from tensorboardX import SummaryWriter

        truncate_metrics(self._workdir, step)
        self._writer = SummaryWriter(str(self._workdir), purge_step=step + 1 if step else None)

    def append(self, metrics: dict[str, float]) -> None:
        """Writes one record; it must have a "step"."""
        append_metrics(self._workdir, metrics)
        for name, value in metrics.items():
            if name != "step":
                self._writer.add_scalar(name, value, metrics["step"])
        self._writer.flush()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *_) -> None:
        if self._writer:
            self._writer.close()
