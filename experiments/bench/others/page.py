"""`experiments.bench page`: from the key of an answer to the next question, by the clock of the browser itself."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

from experiments.bench.others.session import pool

LABELS = 30  # answered before anything is timed
PAUSE_S = 0.5  # between two answers, less than anybody takes to read
LONGEST_MS = 600_000
PLACES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CLOCK = """
window.clock = {at: 0, row: null, times: []};
document.addEventListener("keydown", () => { clock.at = performance.now(); }, true);
new MutationObserver(() => {
  const row = document.getElementById("question")?.dataset.row;
  if (row === undefined || row === clock.row) return;
  const start = clock.at, there = performance.now();
  clock.row = row;
  requestAnimationFrame(() => setTimeout(() => clock.times.push([there - start, performance.now() - start])));
}).observe(document, {childList: true, subtree: true});
"""


def find_browser() -> str | None:
    """The Chromium of this machine: what CHROMIUM names, else one that is installed."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, PLACES)), None)


def measure(args: argparse.Namespace) -> dict:
    """Labels a drawn pool in a headless Chromium, as a person with the keys would.

    Args:
      args: rows N, features D (as the last layer sees them), classes K, repeats.

    Returns:
      rows of a table: until the next question is in the page, and until the frame with it has been drawn.

    Raises:
      ValueError: there is no browser, or nothing that drives it.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise ValueError("page: needs playwright, pip install -e '.[browser]'") from None
    program = find_browser()
    if program is None:
        raise ValueError("page: needs a Chromium; install one, or name it in CHROMIUM")
    with tempfile.TemporaryDirectory() as folder:
        rows, labels = pool(args)
        np.save(pathlib.Path(folder) / "pool.npy", rows)
        del rows
        process, url = _serve(pathlib.Path(folder), args.classes)
        try:
            with sync_playwright() as driver:
                sandbox = ["--no-sandbox"] * (os.geteuid() == 0)
                browser = driver.chromium.launch(executable_path=program, args=sandbox)
                times = _label(browser.new_page(), url, labels, args.repeats)
                browser.close()
        finally:
            process.terminate()
            process.wait()
    table = {"answer to question in the page": times[:, 0] / 1e3, "answer to question drawn": times[:, 1] / 1e3}
    return {name: _row(seconds) for name, seconds in table.items()}


def _serve(folder: pathlib.Path, num_classes: int) -> tuple[subprocess.Popen, str]:
    """The command over the pool in a folder, and its address."""
    names = ",".join(map(str, range(num_classes)))
    line = [sys.executable, "-u", "-m", "experiments.label", str(folder / "pool.npy"), "--classes", names]
    command = [*line, "--labels", str(folder / "labels.csv"), "--audit", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for said in process.stdout or ():
        if found := re.search(r"http://\S+", said):
            return process, found[0]
    raise ValueError(f"page: the command ended with {process.wait()}")


def _label(page: Any, url: str, labels: np.ndarray, repeats: int) -> np.ndarray:
    """Milliseconds until the next question was there and until it was drawn [repeats, 2]."""
    page.set_default_timeout(LONGEST_MS)
    page.add_init_script(CLOCK)
    page.goto(url)
    for num in range(LABELS + repeats):
        row = page.get_attribute("#question", "data-row")
        names = page.eval_on_selector_all(".answer", "all => all.map(one => one.dataset.name)")
        truth = str(labels[int(row)])
        page.keyboard.press(str(names.index(truth) + 1 if truth in names else 1))
        page.wait_for_selector(f'#question:not([data-row="{row}"])')
        time.sleep(PAUSE_S if num >= LABELS else 0)
        if num == LABELS - 1:
            time.sleep(10 * PAUSE_S)  # for what is compiled and fitted aside
            page.evaluate("() => { clock.times = []; }")
    return np.array(page.evaluate("() => clock.times"))


def _row(seconds: np.ndarray) -> dict[str, float]:
    low, median, high = np.percentile(seconds, [25, 50, 75]).tolist()
    return {"median_s": median, "low_s": low, "high_s": high, "largest_s": float(seconds.max())}
