"""The page in a real browser: Chromium without a window, driven by keys alone."""

import os
import re
import threading

import pytest
import waitress
from labelling import HOSTILE, TOKEN, desk, in_file, name
from narrow_heads import narrow  # noqa: F401  a fixture

from experiments.bench.others.page import find_browser
from experiments.label import page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    driver = pytest.importorskip("playwright.sync_api", reason="no playwright here: pip install -e '.[browser]'")
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium here: install chromium, or name one in CHROMIUM")
    with driver.sync_playwright() as started:
        found = started.chromium.launch(executable_path=program, args=["--no-sandbox"] * (os.geteuid() == 0))
        yield found
        found.close()


@pytest.fixture
def served(tmp_path):
    """Serves a desk over a pool of so many classes."""
    servers = []

    def serve(*arguments, **how):
        at = desk(tmp_path, "--audit", "0", *arguments, **how)
        at.view()
        server = waitress.create_server(page.app(at, TOKEN, "pool.npz"), host="127.0.0.1", port=0, threads=4)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        servers.append((server, thread))
        return at, f"http://127.0.0.1:{server.effective_port}/{TOKEN}/"

    yield serve
    for server, _ in servers:
        server.close()


@pytest.fixture
def tab(browser):
    """Opens a tab; whatever it fetches from elsewhere or complains about fails the test."""
    wrong, contexts = [], []

    def open_tab(url, provoked="409", **how):
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **how}))
        found = contexts[-1].new_page()
        found.set_default_timeout(60_000)
        found.on("request", lambda request: request.url.startswith(url) or wrong.append(request.url))
        found.on("pageerror", lambda error: wrong.append(str(error)))
        found.on(
            "console",
            lambda said: said.type == "error" and not re.search(provoked, said.text) and wrong.append(said.text),
        )
        found.goto(url)
        return found

    yield open_tab
    for context in contexts:
        context.close()
    assert wrong == []


def asked(found):
    return int(found.get_attribute("#question", "data-row"))


def press(found, *keys):
    """Presses keys, and waits for another question."""
    row = asked(found)
    for key in keys:
        found.keyboard.press(key)
    found.wait_for_selector(f'#question:not([data-row="{row}"])')
    return row


def key_of(found, row):
    names = [button.get_attribute("data-name") for button in found.query_selector_all(".answer")]
    return str(names.index(name(row)) + 1)


def test_a_pool_is_labelled_by_keys_alone(served, tab, tmp_path):
    _, url = served()
    found, rows = tab(url), []
    for _ in range(6):
        rows.append(press(found, key_of(found, asked(found))))
    assert in_file(tmp_path) == {row: name(row) for row in rows}
    assert press(found, "s") not in in_file(tmp_path)
    press(found, "u")
    press(found, "u")
    assert list(in_file(tmp_path)) == rows[:-1] and asked(found) == rows[-1]
    assert found.inner_text("#progress h2") == "5 of 60 rows labelled" and found.inner_text("#said").startswith(
        "Taken back"
    )
    found.keyboard.press("?")
    assert found.is_visible("#help")
    found.keyboard.press("1")  # a key meant for the help is no answer
    found.keyboard.press("Escape")
    assert not found.is_visible("#help") and asked(found) == rows[-1]
    found.reload()
    assert asked(found) == rows[-1]


def test_the_tab_key_reaches_every_button(served, tab, tmp_path):
    _, url = served()
    found, reached = tab(url), []
    for _ in range(8):
        found.keyboard.press("Tab")
        reached.append(found.evaluate("() => document.activeElement.id"))
    assert reached[:6] == ["answer-1", "answer-2", "answer-3", "search", "skip", "keys"]
    found.keyboard.press("Shift+Tab")
    row = asked(found)
    found.focus("#answer-1")
    press(found, "Enter")
    assert in_file(tmp_path) == {row: "ant"} and found.evaluate("() => document.activeElement.id") == "ask"


def test_a_class_is_found_by_a_part_of_its_name(served, tab, tmp_path):
    _, url = served(num_classes=40)
    found = tab(url)
    found.keyboard.press("/")
    found.keyboard.type("er 17")
    assert found.inner_text("#matches [aria-selected=true]") == "further_17"
    text, best = (found.locator(what).bounding_box() for what in (".cell", "#matches [aria-selected=true]"))
    assert text["y"] + text["height"] <= best["y"] and best["y"] + best["height"] <= found.viewport_size["height"]
    row = press(found, "Enter")
    assert in_file(tmp_path) == {row: "further_17"}
    found.keyboard.press("/")
    found.keyboard.type("further 1")
    listed = found.eval_on_selector_all("#matches li", "all => all.map(one => one.textContent)")
    assert listed[:3] == ["further_10", "further_11", "further_12"] and "and 2 more" in listed
    second = press(found, "ArrowDown", "ArrowUp", "ArrowDown", "Enter")
    assert in_file(tmp_path)[second] == "further_11"
    found.keyboard.press("/")
    found.keyboard.type("1")  # in the box a digit is a letter
    found.keyboard.press("Escape")
    assert found.input_value("#search") == "" and len(in_file(tmp_path)) == 2


def test_a_new_class_takes_two_keys_and_not_one(served, tab, tmp_path):
    _, url = served()
    found = tab(url)
    row = asked(found)
    found.keyboard.press("/")
    found.keyboard.type("wolf <i>")
    found.keyboard.press("Enter")
    assert not (tmp_path / "labels.csv").exists()
    press(found, "ArrowDown", "Enter")
    assert in_file(tmp_path) == {row: "wolf <i>"} and "wolf <i>" in found.inner_text("#counts")


def test_nothing_of_the_data_runs(served, tab):
    _, url = served()
    found = tab(url, provoked="Content Security Policy")
    assert found.inner_text(".cell").startswith(HOSTILE) and found.title() == "Label pool.npz"
    press(found, "2")
    assert "bee & <b>wasp</b>" in found.inner_text("#said") and found.title() == "Label pool.npz"
    assert found.query_selector_all("#question img, #question script, #counts b") == []
    refused = found.evaluate(
        "() => new Promise(done => {"
        "document.addEventListener('securitypolicyviolation', event => done(event.violatedDirective));"
        "const made = document.createElement('div');"
        "made.innerHTML = '<p onclick=\"1\">x</p>'; document.body.append(made); made.firstChild.click(); })"
    )
    assert refused.startswith("script-src")


def test_two_tabs_see_each_other_and_answer_a_row_once(served, tab, tmp_path):
    at, url = served()
    one, two = tab(url), tab(url)
    row = asked(one)
    assert asked(two) == row
    press(one, "1")
    two.keyboard.press("2")  # of a question that the other tab has answered
    two.wait_for_selector(f'#question:not([data-row="{row}"])')
    assert in_file(tmp_path) == {row: "ant"}
    two.wait_for_selector("#said:not(:empty)")
    assert re.search("labelled 'ant', got 'bee|Another tab has answered", two.inner_text("#said"))
    assert asked(two) == at.view().row


def test_a_server_that_is_gone_is_said_and_the_question_stays(served, tab, tmp_path):
    _, url = served()
    found = tab(url, provoked="net::ERR_FAILED")
    row = asked(found)
    found.route("**/answer", lambda route: route.abort())
    found.keyboard.press("1")
    found.wait_for_selector("#said.trouble")
    assert "does not answer" in found.inner_text("#said") and asked(found) == row
    found.unroute("**/answer")
    press(found, "1")
    assert in_file(tmp_path) == {row: "ant"}


@pytest.mark.parametrize(
    "width, height, scheme",
    [
        (1280, 800, "light"),
        (320, 640, "dark"),
        pytest.param(390, 844, "light", marks=pytest.mark.exhaustive),
        pytest.param(1280, 800, "dark", marks=pytest.mark.exhaustive),
        pytest.param(390, 844, "dark", marks=pytest.mark.exhaustive),
    ],
)
def test_it_fits_and_can_be_read(served, tab, scheme, width, height):
    at, url = served(num_classes=12)
    for row in range(12):
        at.answer(row, name(row))
    at.catch_up()
    found = tab(url, viewport={"width": width, "height": height}, color_scheme=scheme)
    assert found.evaluate("() => document.documentElement.scrollWidth") == width
    for what in (".cell", ".answer .name", ".chance", "#progress p", ".num.short", "#search"):
        assert contrast(found, what) >= 4.5, what
    box = found.locator("#answer-9" if width == 1280 else "#answer-1").bounding_box()
    assert box["y"] + box["height"] <= height and box["height"] >= 44


def contrast(found, selector):
    """Of text and the colour behind it, as WCAG 2 counts it."""
    colours = found.eval_on_selector(
        selector,
        "at => { const ink = getComputedStyle(at).color; let paper = 'rgba(0, 0, 0, 0)';"
        "for (; paper === 'rgba(0, 0, 0, 0)'; at = at.parentElement) paper = getComputedStyle(at).backgroundColor;"
        "return [ink, paper]; }",
    )
    light, dark = sorted(map(luminance, colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
