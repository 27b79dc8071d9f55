"""The figures of docs/jupyterlab.md, measured: `.venv/bin/python tests/lab/figures.py`.

From an event in the journal to its sight in the panel; the panel and the graph with 500 stages, and how smoothly it is dragged; the size of what the
browser loads; the processor time of Jupyter Server.
"""

from __future__ import annotations

import contextlib
import gzip
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT / "jupyter_extension"), str(ROOT / "tests")]

import psutil  # noqa: E402 - the paths come first
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from lab.browser import conftest  # noqa: E402
from lab.server import TOKEN  # noqa: E402
from stagebook.events import CellStarted  # noqa: E402

STAGES = 500
CELLS = 120
WATCH = """() => {
  window.__seen = {};
  new MutationObserver(() => {
    const found = /cell (\\d+) of/.exec(document.querySelector('.sb-Line')?.textContent ?? '');
    if (found !== null) { window.__seen[found[1]] ??= Date.now() / 1000; }
  }).observe(document.querySelector('.sb-Panel'), { subtree: true, childList: true, characterData: true });
}"""

FRAMES = """() => {
  window.__frames = 0;
  const count = () => { window.__frames += 1; requestAnimationFrame(count); };
  requestAnimationFrame(count);
}"""


def make(root: Path) -> Any:
    builder = conftest.make_project(root)
    builder.notebook("ticks", "import time", *["time.sleep(0.15)"] * CELLS)
    builder.pipeline("stages:\n  tick: {notebook: notebooks/ticks.ipynb}\n", "ticks")
    lines = [
        f"  s{at}: {{notebook: notebooks/work.ipynb, after: [s{max(0, at - 7)}]}}" for at in range(1, STAGES)
    ]
    builder.pipeline("stages:\n  s0: {notebook: notebooks/work.ipynb}\n" + "\n".join(lines) + "\n", "big")
    return builder


def main() -> None:
    executable = next(found for name in conftest.NAMES if (found := shutil.which(name)))
    with (
        tempfile.TemporaryDirectory() as home,
        conftest.running_lab(Path(home), make) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=executable, args=list(conftest.FLAGS))
        with conftest.open_page(browser, lab) as (page, _):
            before = memory(page)
            sight(page, lab)
            count = events(lab)
            while count < 1_000:
                lab.stagebook("run", "ticks", "--force").wait()
                count = events(lab)
            print(f"memory of the page: {before:.0f} MB; after {count} events {memory(page):.0f} MB")
            many_stages(page)
            print(f"loaded by then: {loaded(page) / 1e3:.0f} kB")
            server = psutil.Process(lab.process.pid)
            print(f"server, one page open, nothing runs: {cpu(server):.1f} % of a core")
        with viewers(lab, 10):
            print(f"server, ten viewers, nothing runs: {cpu(server):.1f} % of a core")
            process = lab.stagebook("run", "ticks", "--force")
            time.sleep(4)
            print(f"server, ten viewers, a run of 7 cells a second: {cpu(server, 10):.1f} % of a core")
            process.wait()
        browser.close()
    static = list((ROOT / "jupyter_extension/labextension/static").glob("*.js"))
    packed = sum(len(gzip.compress(path.read_bytes(), 9)) for path in static)
    print(f"bundle: {sum(path.stat().st_size for path in static) / 1e3:.0f} kB, packed {packed / 1e3:.0f} kB")


def sight(page: Page, lab: conftest.Lab) -> None:
    page.get_by_role("combobox", name="Pipeline").first.select_option("ticks")
    page.get_by_role("treeitem").first.wait_for()
    page.evaluate(WATCH)
    lab.stagebook("run", "ticks").wait()
    page.wait_for_timeout(1000)
    seen = {int(cell): at for cell, at in page.evaluate("window.__seen").items()}
    with contextlib.closing(lab.project.project) as project:
        run = project.history.runs()[0].id
        times = {
            event.cell: event.at
            for _, event in project.journal.events.of(run)
            if isinstance(event, CellStarted)
        }
    waits = sorted((seen[cell] - at) * 1000 for cell, at in times.items() if cell in seen)
    late = waits[int(len(waits) * 0.95)]
    print(
        f"event to sight: median {statistics.median(waits):.0f} ms, p95 {late:.0f} ms ({len(waits)} events)"
    )


def many_stages(page: Page) -> None:
    for when in ("first", "again"):
        page.get_by_role("combobox", name="Pipeline").first.select_option("ticks")
        page.wait_for_timeout(1500)
        begun = time.monotonic()
        page.get_by_role("combobox", name="Pipeline").first.select_option("big")
        page.wait_for_function(f"document.querySelectorAll('.sb-Line').length === {STAGES}")
        print(f"panel with {STAGES} stages, {when}: {time.monotonic() - begun:.2f} s")
    begun = time.monotonic()
    page.evaluate("window.jupyterapp.commands.execute('stagebook:open-graph')")
    page.wait_for_function(f"document.querySelectorAll('.sb-Node').length === {STAGES}")
    print(f"graph with {STAGES} stages: {time.monotonic() - begun:.2f} s")
    page.wait_for_timeout(1000)
    print(f"dragging it: {frames_while_dragging(page):.0f} frames a second")


def events(lab: conftest.Lab) -> int:
    """How many events the journal has."""
    with contextlib.closing(lab.project.project) as project:
        return sum(len(project.journal.events.of(run.id)) for run in project.history.runs())


def memory(page: Page) -> float:
    """What the scripts of the page hold, in MB, once nothing can be freed."""
    tools = page.context.new_cdp_session(page)
    tools.send("HeapProfiler.collectGarbage")
    tools.send("Performance.enable")
    found = {one["name"]: one["value"] for one in tools.send("Performance.getMetrics")["metrics"]}
    tools.detach()
    return float(found["JSHeapUsedSize"] / 1e6)


def loaded(page: Page) -> float:
    """The bytes of the extension's scripts that the browser has loaded, unpacked."""
    own = "performance.getEntriesByType('resource').filter(one => one.name.includes('@stagebook/lab/static'))"
    return float(page.evaluate(f"{own}.reduce((sum, one) => sum + one.decodedBodySize, 0)"))


def frames_while_dragging(page: Page, seconds: float = 3.0) -> float:
    """How many frames a second the browser draws while the graph is dragged to and fro."""
    scroll = page.locator(".sb-Scroll")
    box = scroll.bounding_box()
    assert box is not None
    page.get_by_role("button", name="Larger").click()
    # Between two layers there is nothing but the ground.
    x, y = box["x"] + box["width"] - 60, box["y"] + 4
    page.evaluate(FRAMES)
    page.mouse.move(x, y)
    page.mouse.down()
    begun, step = time.monotonic(), 0
    first, most = page.evaluate("window.__frames"), 0
    while time.monotonic() - begun < seconds:
        step += 1
        page.mouse.move(x - 300 + abs(step % 60 - 30) * 10, y)
        most = max(most, scroll.evaluate("one => one.scrollLeft"))
    took = time.monotonic() - begun
    page.mouse.up()
    assert most > 0, "nothing was dragged"
    return (page.evaluate("window.__frames") - first) / took


def cpu(process: psutil.Process, seconds: float = 20) -> float:
    """Of one core, in percent."""
    before, begun = process.cpu_times(), time.monotonic()
    time.sleep(seconds)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return 100 * used / (time.monotonic() - begun)


@contextlib.contextmanager
def viewers(lab: conftest.Lab, count: int) -> Any:
    """Streams that somebody reads."""
    request = urllib.request.Request(
        f"{lab.url}/stagebook/stream", headers={"Authorization": f"token {TOKEN}"}
    )
    streams = [urllib.request.urlopen(request) for _ in range(count)]

    def read(stream: Any) -> None:
        with contextlib.suppress(Exception):
            while stream.readline():
                pass

    for stream in streams:
        threading.Thread(target=read, args=[stream], daemon=True).start()
    yield
    for stream in streams:
        with contextlib.suppress(Exception):
            stream.fp.raw._sock.shutdown(2)


if __name__ == "__main__":
    main()
