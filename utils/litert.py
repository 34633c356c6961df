"""Run a `.tflite` model with LiteRT: starts in a tenth of a second and needs no TensorFlow."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.utils.errors import UserError, show

_stderr_lock = threading.Lock()
_announced = threading.Event()  # LiteRT has said that it made its delegate, which it does once in a process


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what a C++ library says of itself off stderr, which is for messages to the person.

    It writes to the file descriptor, and has no switch; so the descriptor leads nowhere meanwhile, for the whole
    process: callers keep it as short as they can. One thread at a time.
    """
    if sys.stderr is None:  # closed by `2>&-`
        yield
        return
    with _stderr_lock:
        sys.stderr.flush()
        kept = os.dup(2)
        try:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _allocate(interpreter: Any) -> None:
    """Allocate a model's tensors; only the first model of a process touches stderr, for some milliseconds."""
    with contextlib.nullcontext() if _announced.is_set() else quiet_stderr():
        interpreter.allocate_tensors()
    _announced.set()


def load_interpreter(path: str | os.PathLike[str], threads: int) -> Any:
    """Load a `.tflite` file; raise `UserError` when it is missing or damaged."""
    try:
        # Given content is checked as a flatbuffer before use; a file name would be mapped into memory, and a cut
        # file could then end the process.
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{show(path)} is missing; make it with to_tflite.py or restore it") from None
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=content, num_threads=threads)
        _allocate(interpreter)
    except (ValueError, RuntimeError):
        damage = "damaged (not a TensorFlow Lite model)"
        raise UserError(f"{show(path)} is {damage}; restore it or run to_tflite.py") from None
    return interpreter


class LiteModel:
    """One `.tflite` with a single input and output of fixed batch size; one instance a thread."""

    def __init__(self, path: str | os.PathLike[str], threads: int) -> None:
        """Load the model; raise `UserError` when the file is missing or damaged."""
        self._interpreter = load_interpreter(path, threads)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self.batch = int(self._input["shape"][0])

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return the model's outputs for (n, ...) inputs, n of any size; the last batch is padded with zeros."""
        outputs = [self._run(values[start : start + self.batch]) for start in range(0, len(values), self.batch)]
        return np.concatenate(outputs)

    def _run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        batch = np.zeros(self._input["shape"], self._input["dtype"])
        batch[: len(values)] = values
        self._interpreter.set_tensor(self._input["index"], batch)
        self._interpreter.invoke()
        output = self._interpreter.get_tensor(self._output["index"])[: len(values)].astype(np.float32)
        scale, zero = self._output["quantization"]
        return np.asarray((output - zero) * scale if scale else output)


class ResizableModel:
    """One `.tflite` with one input of free height and width and any number of outputs; one instance a thread."""

    def __init__(self, path: str | os.PathLike[str], threads: int) -> None:
        """Load the model; raise `UserError` when the file is missing or damaged."""
        self._interpreter = load_interpreter(path, threads)
        self._shape: tuple[int, ...] = ()

    def __call__(self, values: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Return the model's outputs for one input of any size."""
        index = self._interpreter.get_input_details()[0]["index"]
        if values.shape != self._shape:
            self._interpreter.resize_tensor_input(index, values.shape)
            _allocate(self._interpreter)
            self._shape = values.shape
        self._interpreter.set_tensor(index, values)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output["index"]) for output in self._interpreter.get_output_details()]
