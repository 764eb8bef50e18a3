"""The ruler: window, noise and metrics of a benchmark task."""

from denoisebench.task.task import Noise, Task, load_task, task_names

__all__ = ["Noise", "Task", "load_task", "task_names"]
