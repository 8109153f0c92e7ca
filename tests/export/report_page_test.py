"""Tests of export.report_page in headless Chromium, as a person would see it."""

import os
import re
import shutil
import subprocess

import pytest

from export import report_page

WIDTHS = {"desktop": (1280, 900), "notebook": (1024, 768), "phone": (375, 800)}
DISCS = ["T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@pytest.fixture(scope="module")
def chromium():
    """Path of the browser."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    return path or pytest.skip("chromium is not installed")


@pytest.fixture(scope="module")
def browser(chromium):
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=list(WIDTHS))
def page(browser, paired, request):
    """The page without JavaScript, and what the console said."""
    width, height = WIDTHS[request.param]
    opened = browser.new_page(
        viewport={"width": width, "height": height}, java_script_enabled=False
    )
    said = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("requestfailed", lambda failed: said.append(failed.url[:80]))
    opened.goto(f"file://{os.path.join(paired[1], 'report.html')}")
    yield opened, said
    opened.close()


def inside(box, outer, slack=1.0):
    """Whether a bounding box lies in another one."""
    return (
        box["x"] >= outer["x"] - slack
        and box["y"] >= outer["y"] - slack
        and box["x"] + box["width"] <= outer["x"] + outer["width"] + slack
        and box["y"] + box["height"] <= outer["y"] + outer["height"] + slack
    )


def test_it_loads_without_a_word_on_the_console(page):
    assert page[1] == []
    assert "Not a medical device" in page[0].locator(".notice").inner_text()


def test_every_disc_has_its_row_with_crop_grades_and_bars(page, paired):
    for disc in paired[0].content.discs:
        row = page[0].locator(f"#disc-{disc.level}")
        assert row.count() == 1 and row.is_visible()
        assert row.locator(".level").inner_text().startswith(disc.level)
        assert row.locator(".cell").count() == 2
        assert row.locator(".column").count() == 5 + 2  # Pfirrmann 1 to 5, spondylolisthesis 0, 1
        shown = [text.split()[0] for text in row.locator(".grade").all_inner_texts()]
        assert shown == [str(grade.grade) for grade in disc.grades]
        marks = row.locator(".mark").all_inner_texts()
        assert marks.count("uncertain") == sum(grade.uncertain for grade in disc.grades)
        assert any("unlike" in text for text in marks) == disc.is_outlier
    assert [disc.level for disc in paired[0].content.discs] == DISCS


def test_outlines_lie_on_the_slice(page):
    svg = page[0].locator(".top svg")
    image = svg.locator("image").bounding_box()
    assert image["width"] > 200
    outlines = svg.locator("polygon").all()
    assert len(outlines) == 7 + 6
    assert all(inside(outline.bounding_box(), image) for outline in outlines)
    boxes = {text.text_content(): text.bounding_box() for text in svg.locator("text").all()}
    assert set(boxes) >= {"T12", "S1", *DISCS}
    assert all(inside(box, image) for box in boxes.values())
    assert boxes["T12"]["y"] < boxes["L3"]["y"] < boxes["S1"]["y"]


def test_the_saliency_lies_on_the_crop(page):
    overlays = page[0].locator("img.overlay").all()
    assert len(overlays) == 6 * 2
    for overlay in overlays:
        crop = overlay.locator("xpath=preceding-sibling::img").bounding_box()
        assert overlay.bounding_box() == crop
        assert crop["width"] == pytest.approx(2 * crop["height"], abs=1.5)


def test_both_studies_stand_beside_each_other(page):
    one, two = (item.bounding_box() for item in page[0].locator("#comparison svg").all())
    assert one["y"] == pytest.approx(two["y"], abs=1) and one["x"] + one["width"] <= two["x"]
    rows = page[0].locator("#comparison tbody tr")
    assert rows.locator(".level").all_inner_texts()[0].startswith("T12-L1") and rows.count() == 6
    assert "Nobody checked" in page[0].locator("#check").inner_text()


def test_nothing_is_wider_than_the_screen(page):
    width = page[0].viewport_size["width"]
    parts = page[0].locator("header, section, figure, footer, .discs, .cell, .seen, .chart")
    right = parts.evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    wide = [edge for edge in right if edge > width]
    assert not wide


@pytest.mark.parametrize(
    "days, said",
    [
        (None, "at an unknown distance"),
        (30, "30 days after the earlier one"),
        (731, "2.0 years after the earlier one"),
        (-30, "30 days before the one given as earlier"),
    ],
)
def test_the_interval_is_said_in_words(days, said):
    assert report_page._interval(days).startswith(said)


@pytest.mark.slow
def test_it_prints_to_pdf(chromium, paired, tmp_path):
    target = tmp_path / "report.pdf"
    command = [chromium, "--headless", *_ARGUMENTS, f"--print-to-pdf={target}"]
    source = f"file://{os.path.join(paired[1], 'report.html')}"
    subprocess.run([*command, source], check=True, capture_output=True, timeout=120)
    content = target.read_bytes()
    assert content.startswith(b"%PDF-")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 8
