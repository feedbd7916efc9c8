"""Execute notebooks and store their outputs in them.

    python notebooks/execute.py                        # all
    python notebooks/execute.py 02_symmetries 04_symmetrized_nplm

What would differ from one run or machine to the next (times, versions, execution metadata) is left out; pictures are
stored with 256 colours, a third of the size. A notebook that fails, prints a warning, or shows a path of this machine
is not written, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbclient
import nbformat
from nbformat import NotebookNode
from PIL import Image

HERE = Path(__file__).resolve().parent
TIMEOUT = 300  # seconds a cell, as in pyproject.toml
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LARGEST = 1_500_000  # bytes of a notebook, pictures included


def found(names: list[str]) -> list[Path]:
    """Return the notebooks of these names, with or without folder and suffix; all of them without names."""
    if not names:
        return sorted(HERE.glob("*.ipynb"))
    return [HERE / f"{Path(name).stem}.ipynb" for name in names]


def executed(notebook: NotebookNode) -> NotebookNode:
    """Run all cells in a fresh kernel and return the notebook with their outputs."""
    client = nbclient.NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources={"metadata": {"path": str(HERE)}}
    )
    return client.execute()


def stripped(notebook: NotebookNode) -> NotebookNode:
    """Take away whatever differs between two runs that compute the same."""
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = NotebookNode({key: value for key, value in cell.metadata.items() if key == "tags"})
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
            for one in cell.outputs:
                if "image/png" in one.get("data", {}):
                    one.data["image/png"] = smaller(one.data["image/png"])
    return notebook


def smaller(picture: str) -> str:
    """Return a picture (PNG, base64) with a palette of 256 colours."""
    image = Image.open(io.BytesIO(base64.b64decode(picture)))
    if image.mode == "P":
        return picture
    written = io.BytesIO()
    image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(written, "png", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of one stream: how a kernel cuts what a cell prints is chance."""
    kept: list[NotebookNode] = []
    for one in outputs:
        one.pop("metadata", None) if one.output_type == "stream" else one.metadata.clear()
        if kept and one.output_type == kept[-1].output_type == "stream" and one.name == kept[-1].name:
            kept[-1].text += one.text
        else:
            kept.append(one)
    return kept


def texts(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield the name of every stream or type of output, and its text; no pictures."""
    for cell in notebook.cells:
        for one in cell.get("outputs", []):
            if one.output_type == "stream":
                yield one.name, one.text
            for kind, value in one.get("data", {}).items():
                if kind.startswith("text/"):
                    yield kind, "".join(value)


def complaints(notebook: NotebookNode) -> list[str]:
    """Return what must not be stored."""
    private = {str(path) for path in (HERE.parent, Path.home(), Path(tempfile.gettempdir())) if len(path.parts) > 1}
    problems = [f"a cell wrote to stderr: {text.strip()[:300]}" for kind, text in texts(notebook) if kind == "stderr"]
    for kind, text in texts(notebook):
        problems += [f"{kind} shows a path of this machine: {path}" for path in private if path in text]
    size = len(nbformat.writes(notebook))
    if size > LARGEST:
        problems.append(f"{size:,} bytes, more than {LARGEST:,}")
    return problems


def main() -> int:
    """Execute the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a notebook; all by default")
    # Sums of floats in parallel depend on how they are cut: one thread gives the same digits everywhere.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    failed = False
    for path in found(parser.parse_args().names):
        began = time.perf_counter()
        try:
            notebook = stripped(executed(nbformat.read(path, as_version=4)))
            problems = complaints(notebook)
        except (OSError, nbclient.exceptions.CellExecutionError, nbclient.exceptions.CellTimeoutError) as error:
            problems = [re.sub(r"\x1b\[[0-9;]*m", "", str(error))]  # without colours
        if not problems:
            nbformat.write(notebook, path)
        failed |= bool(problems)
        print(f"{path.name}: {time.perf_counter() - began:.0f} s", *(f"\n  {text}" for text in problems))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
