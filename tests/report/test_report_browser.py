"""The report page in headless Chromium: it opens from a file, says nothing on the console, and asks nobody for anything."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_cases import BLACK, colour_claim, verdict_on

from ownmark.report.page import page, write

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PHONE = 390  # CSS pixels across
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
    "--enable-logging=stderr",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]


@dataclass(frozen=True)
class Visit:
    """What opening a page gave: the DOM as text, the lines of the console, and every address that the page asked for."""

    dom: str
    console: list[str]
    asked: set[str]


def chromium(folder: Path, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a browser that has never been used on a file."""
    profile = folder / f"profile-{len(list(folder.iterdir()))}"
    call = [str(CHROMIUM), *QUIET, f"--user-data-dir={profile}", *options, target.as_uri()]
    return subprocess.run(call, capture_output=True, text=True, timeout=120, check=True)


def visit(folder: Path, target: Path) -> Visit:
    log = folder / "net.json"
    done = chromium(folder, target, "--dump-dom", f"--log-net-log={log}")
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Visit(done.stdout, console, asked_for(json.loads(log.read_text(encoding="utf-8"))))


def asked_for(log: dict[str, Any]) -> set[str]:
    """Every address that a page wanted, by a net log; what the browser itself wants of its maker has no origin."""
    start = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    jobs = [event["params"] for event in log["events"] if event["type"] == start and "url" in event.get("params", {})]
    return {job["url"] for job in jobs if job["initiator"] != "not an origin"}


def photograph(folder: Path, target: Path, *options: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    file = folder / "screen.png"
    chromium(folder, target, f"--screenshot={file}", *options)
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one.html (a single verdict) and many.html (eight of them, with long and hostile names)."""
    folder = tmp_path_factory.mktemp("reports")
    claim = colour_claim()
    write(folder / "one.html", page(claim, [verdict_on(claim, "models/suspect.safetensors", 19, 18)]))
    names = ("https://api.example.com/v2/models/suspect/versions/1/infer", "x" * 90, "<img src=http://127.0.0.1:9/a.png>")
    verdicts = [verdict_on(claim, name, 0, 3 * place, reveals=BLACK, digest="") for place, name in enumerate(names)]
    verdicts += [verdict_on(claim, f"copy {place}", 20 - 3 * place, 19 - place) for place in range(5)]
    write(folder / "many.html", page(claim, verdicts))
    return folder


@pytest.mark.parametrize("name", ["one.html", "many.html"])
def test_the_page_opens_from_a_file_without_a_word_on_the_console_or_a_request(reports: Path, name: str) -> None:
    seen = visit(reports, reports / name)
    assert "What the models were shown" in seen.dom
    assert seen.console == []
    assert seen.asked == set()


def test_a_page_that_does_ask_and_complain_is_noticed(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    style = "<style>body { background: url(https://example.invalid/b.png) }</style>"
    script = "<script>console.error('seen')</script>"
    bad.write_text(f'<img src="http://127.0.0.1:9/a.png">{style}{script}', encoding="utf-8")
    seen = visit(tmp_path, bad)
    assert seen.asked == {"http://127.0.0.1:9/a.png", "https://example.invalid/b.png"}
    assert any("seen" in line for line in seen.console)


@pytest.mark.parametrize("width", [PHONE, 1200])
@pytest.mark.parametrize("name", ["one.html", "many.html"])
def test_nothing_reaches_beyond_the_edge_of_a_phone_or_a_screen(reports: Path, name: str, width: int) -> None:
    frame = reports / f"frame-{width}-{name}"
    frame.write_text(
        f'<iframe src="{name}" style="width:{width}px;height:900px;border:0" onload="measure(this)"></iframe><p id="found"></p>'
        "<script>function measure(frame) {"
        "  const page = frame.contentDocument;"
        "  const wide = [...page.querySelectorAll('main *')].filter(one => {"
        "    const box = one.getBoundingClientRect();"
        f"   return box.width > 0 && !one.closest('svg svg, .aside') && (box.left < -1 || box.right > {width} + 1); }});"
        "  const names = wide.map(one => one.tagName + '.' + one.getAttribute('class'));"
        "  document.getElementById('found').textContent = 'within ' + page.documentElement.scrollWidth + ' ' + names.join(' ');"
        "}</script>",
        encoding="utf-8",
    )
    found = re.search(r"within [^<]*", visit(reports, frame).dom)
    assert found is not None
    assert unescape(found.group()).strip() == f"within {width}"


def test_the_page_is_dark_where_the_reader_prefers_it(reports: Path) -> None:
    light = photograph(reports, reports / "one.html", "--window-size=900,900")
    dark = photograph(reports, reports / "one.html", "--window-size=900,900", "--blink-settings=preferredColorScheme=0")
    assert np.median(light) > 230
    assert np.median(dark) < 40
    assert dark.max() > 200


def test_the_suspects_pictures_are_drawn_in_colour_over_grey(reports: Path) -> None:
    shown = photograph(reports, reports / "one.html", "--window-size=1200,3000").astype(np.int32)
    warm = (shown[..., 0] > 200) & (shown[..., 2] < 120)
    assert warm.sum() > 1000, "the maps' hot corner is orange and yellow"


def test_the_page_can_be_printed(reports: Path) -> None:
    sheet = reports / "page.pdf"
    chromium(reports, reports / "one.html", "--no-pdf-header-footer", f"--print-to-pdf={sheet}")
    data = sheet.read_bytes()
    assert data.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) in range(2, 9)
