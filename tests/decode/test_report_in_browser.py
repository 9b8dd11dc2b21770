"""The page of a report in a real browser: what is seen, what a click and a key do, and that no text of a peer runs."""

from __future__ import annotations

import re
import time
from importlib.resources import files

import pytest
from attrs import evolve
from tests.decode.browser import browser, screen, wait_until
from tests.decode.made_up import HOSTILE, LAMP, PLUG, Talk, attack, evening, touched

from hap_trio.cli.page import look
from hapcore.decode import Direction, Kind, Touched
from hapcore.decode import report as page
from hapcore.decode.report import Look, report

from selenium.webdriver.common.by import By  # isort: skip - after the check that it is installed
from selenium.webdriver.common.keys import Keys  # isort: skip
from selenium.webdriver.support.ui import Select  # isort: skip

#: The rows in sight as people read them, from the top.
ROWS = """return [...document.querySelectorAll('.item')].sort((a, b) => a.offsetTop - b.offsetTop)
    .map(node => node.querySelector('.title, .silence').textContent)"""
#: Seconds a machine that is busy with other things may take for the largest conversation the issue names.
REASONABLE = 10.0
#: Nodes of rows that may be in the document at once: those in sight, and some above and below.
FEW = 120


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.fixture
def open_page(chrome, tmp_path):
    def opened(entries, title="lamp.pcapng", *, remarks=(), width=1280, height=800, dark=False, fragment=""):
        screen(chrome, width, height, dark=dark)
        path = tmp_path / f"report{len(list(tmp_path.iterdir()))}.html"
        with path.open("w", encoding="utf-8") as out:
            out.writelines(report(entries, title, look(), remarks))
        chrome.get(path.as_uri() + fragment)
        wait_until(chrome, "return document.body.dataset.ready")
        return chrome

    yield opened
    assert [one["message"] for one in chrome.get_log("browser")] == []


def rows(chrome):
    return chrome.execute_script(ROWS)


def find(chrome, selector):
    return chrome.find_element(By.CSS_SELECTOR, selector)


def row(chrome, title):
    """The first row in sight with this title."""
    nodes = chrome.find_elements(By.CSS_SELECTOR, ".item[data-index]")
    by_place = sorted(nodes, key=lambda node: int(node.get_attribute("data-index")))
    return next(node for node in by_place if node.find_element(By.CSS_SELECTOR, ".title").text == title)


def press(chrome, *keys):
    for key in keys:
        find(chrome, "#scroll").send_keys(key)


def choose(chrome, name, text):
    Select(find(chrome, f"#{name}")).select_by_visible_text(text)


def panel(chrome):
    node = find(chrome, "#panel")
    return node.text if node.is_displayed() else None


def test_the_conversation_is_drawn(open_page):
    chrome = open_page(evening(), height=2000)
    assert chrome.title == "lamp.pcapng"
    assert rows(chrome) == [
        "connection opened",
        "pair-setup M1 \u2026 M6",
        "pair-verify M1 \u2026 M4",
        "GET /accessories",
        "200 OK",
        "2.30 s pause",
        "PUT /characteristics",
        "204 No Content",
        "EVENT",
        "14.0 s pause",
        "GET /characteristics?id=1.9,1.10",
        "1.24 s until the answer",
        "207 Multi-Status",
        "42 bytes missing here",
        "connection opened",
        "pair-verify M1 \u2026 M2",
        "no keys for this connection",
        "GET /characteristics?id=1.9",
        "200 OK",
        "1 min 15 s pause",
        "GET /characteristics?id=1.10",
        "3.00 s pause",
        "closed by the controller",
        "10.0 s pause",
        "closed by the accessory",
    ]
    assert row(chrome, "PUT /characteristics").find_element(By.CSS_SELECTOR, ".values").text == (
        "Lightbulb.On = true \u00b7 Lightbulb.Brightness = 40"
    )
    slow = row(chrome, "207 Multi-Status")
    assert slow.find_element(By.CSS_SELECTOR, ".took.slow").text == "1.24 s"
    assert slow.find_element(By.CSS_SELECTOR, ".badge.refused").text == "refused"
    assert row(chrome, "204 No Content").find_element(By.CSS_SELECTOR, ".took").text == "12 ms"
    assert row(chrome, "GET /characteristics?id=1.10").find_element(By.CSS_SELECTOR, ".badge").text == "no answer"
    assert row(chrome, "pair-verify M1 \u2026 M2").text.split("\n")[-2:] == ["refused", "unfinished"]
    assert [chip.text for chip in chrome.find_elements(By.CSS_SELECTOR, ".chip")] == [
        "1 without an answer",
        "1 gap",
        "2 refused",
        "1 slow answer",
        "1 unfinished handshake",
    ]
    heads = [head.text for head in chrome.find_elements(By.CSS_SELECTOR, ".head")]
    assert [re.findall(r"\d+\.\d+\.\d+\.\d+:\d+|(?:\w\w:){5}\w\w", head) for head in heads] == [
        ["192.168.1.4:51622", "3C:33:1B:21:B3:00", "192.168.1.9:5001"],
        ["192.168.1.4:51700", "AA:BB:CC:00:11:22", "192.168.1.12:5001"],
    ]


def test_arrows_point_where_the_message_went(open_page):
    chrome = open_page(evening())
    for title, way in (("GET /accessories", "to-a"), ("200 OK", "to-c"), ("EVENT", "to-c")):
        assert way in row(chrome, title).get_attribute("class").split()
    lanes = [node.rect for node in chrome.find_elements(By.CSS_SELECTOR, ".item[data-index='0'] .lives")]
    arrow = row(chrome, "GET /accessories").find_element(By.CSS_SELECTOR, ".arrow").rect
    assert len(lanes) == 1
    assert lanes[0]["x"] < arrow["x"] < arrow["x"] + arrow["width"] < lanes[0]["x"] + lanes[0]["width"]


def test_a_click_opens_bytes_and_what_was_decoded(open_page):
    chrome = open_page(evening())
    assert panel(chrome) is None
    row(chrome, "PUT /characteristics").click()
    text = panel(chrome)
    assert "Lightbulb.Brightness" in text
    assert "204 No Content (entry 14)" in text
    assert "2025-11-20 13:14:17" in text
    dumped = find(chrome, "#panel pre").text
    assert dumped.startswith("00000  50 55 54 20 2f 63 68 61  PUT /cha")
    digits = "".join(line[7:30].strip() for line in dumped.split("\n"))
    assert bytes.fromhex(digits) == b"PUT /characteristics HTTP/1.1\r\n\r\n"
    chrome.find_element(By.CSS_SELECTOR, "#panel .facts .link").click()
    assert find(chrome, "#panel h2").text == "204 No Content"
    assert "after 12 ms" in panel(chrome)
    row(chrome, "200 OK").click()
    assert [node.text for node in chrome.find_elements(By.CSS_SELECTOR, "#panel .details > *")] == [
        "Content-Type",
        "application/hap+json",
        "JSON",
        "{}",
    ]
    find(chrome, "#panel .close").click()
    assert panel(chrome) is None


def test_keys_move_open_and_close(open_page):
    chrome = open_page(evening())
    press(chrome, Keys.ARROW_DOWN * 4, Keys.ENTER)
    assert find(chrome, "#panel h2").text == "GET /accessories"
    press(chrome, Keys.ARROW_DOWN * 2)  # the pause between is no message
    assert find(chrome, "#panel h2").text == "PUT /characteristics"
    press(chrome, Keys.ARROW_UP)
    assert find(chrome, "#panel h2").text == "200 OK"
    active = find(chrome, "#scroll").get_attribute("aria-activedescendant")
    assert find(chrome, f"#{active}").get_attribute("aria-selected") == "true"
    press(chrome, Keys.ESCAPE)
    assert panel(chrome) is None
    press(chrome, Keys.END, Keys.ENTER)
    assert find(chrome, "#panel h2").text == "closed by the accessory"
    press(chrome, Keys.HOME)
    assert find(chrome, "#panel h2").text == "connection opened"
    press(chrome, "n")
    assert find(chrome, "#panel h2").text == "207 Multi-Status"
    press(chrome, "/")
    assert chrome.switch_to.active_element.get_attribute("id") == "query"
    chrome.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert chrome.switch_to.active_element.get_attribute("id") == "scroll"


def test_a_handshake_unfolds_and_folds(open_page):
    chrome = open_page(evening())
    before = rows(chrome)
    fold = row(chrome, "pair-setup M1 \u2026 M6")
    assert fold.get_attribute("aria-expanded") == "false"
    fold.click()
    inside = [f"pair-setup M{step}" for step in range(1, 7)]
    assert rows(chrome)[1:8] == ["pair-setup M1 \u2026 M6", *inside]
    assert row(chrome, "pair-setup M1 \u2026 M6").get_attribute("aria-expanded") == "true"
    row(chrome, "pair-setup M3").click()
    assert "Public key" in panel(chrome)
    assert "<32 bytes>" in panel(chrome)
    press(chrome, Keys.ESCAPE, Keys.ARROW_LEFT)
    assert rows(chrome)[: len(before) - 5] == before[: len(before) - 5]
    press(chrome, Keys.ENTER)
    assert "pair-setup M6" in rows(chrome)
    press(chrome, Keys.ARROW_LEFT)
    assert "pair-setup M6" not in rows(chrome)


def test_filters(open_page):
    chrome = open_page(evening(), height=1600)
    count = find(chrome, "#count")
    assert count.text == "28 entries"

    choose(chrome, "accessory", "AA:BB:CC:00:11:22")
    assert count.text == "6 of 28 entries"
    assert [text for text in rows(chrome) if "later" not in text and "pause" not in text] == [
        "connection opened",
        "pair-verify M1 \u2026 M2",
        "no keys for this connection",
        "GET /characteristics?id=1.10",
        "closed by the controller",
    ]
    assert "1 min 15 s later, 2 not shown" in rows(chrome), "a pause is none if something was said in it"

    find(chrome, "#reset").click()
    wait_until(chrome, "return document.getElementById('count').textContent === '28 entries'")
    choose(chrome, "characteristic", "Lightbulb.Brightness (1.10)")
    assert [text for text in rows(chrome) if "later" not in text] == ["PUT /characteristics", "207 Multi-Status"]

    choose(chrome, "characteristic", "all")
    choose(chrome, "connection", f"A {LAMP}")
    assert count.text == "22 of 28 entries"

    choose(chrome, "connection", "all")
    find(chrome, "#query").send_keys("APPLICATION/hap+json", Keys.ENTER)  # a header, and in other letters
    assert rows(chrome) == ["200 OK"]
    find(chrome, "#query").send_keys(" of nothing", Keys.ENTER)
    assert rows(chrome) == []
    assert find(chrome, "#empty").is_displayed()
    find(chrome, "#query").send_keys(Keys.ESCAPE)
    assert count.text == "28 entries"


def test_what_is_marked_is_found(open_page):
    chrome = open_page(evening(100))
    wanted = [chip for chip in chrome.find_elements(By.CSS_SELECTOR, ".chip") if "gap" in chip.text]
    assert wanted[0].text == "100 gaps"
    tops = []
    for _ in range(3):
        wanted[0].click()
        tops.append(chrome.execute_script("return document.querySelector('.selected.is-gap').offsetTop"))
    assert tops == sorted(set(tops))


def test_a_message_has_an_address(open_page):
    chrome = open_page(evening(), fragment="#3")
    assert find(chrome, "#panel h2").text == "pair-setup M3"
    assert "pair-setup M3" in rows(chrome)
    row(chrome, "GET /accessories").click()
    assert chrome.current_url.endswith("#11")


@pytest.mark.parametrize("fragment", ["#999999999", "#<script>window.hacked=1</script>", "#-1", "#1e9"])
def test_an_address_of_nothing_opens_nothing(open_page, fragment):
    chrome = open_page(evening(), fragment=fragment)
    assert panel(chrome) is None
    assert len(rows(chrome)) > 5


def test_ten_thousand_messages(open_page):
    entries = evening(720)
    assert len(entries) > 10_000
    began = time.perf_counter()
    chrome = open_page(entries)
    assert time.perf_counter() - began < REASONABLE
    few = "return document.querySelectorAll('.item').length"
    assert 10 < chrome.execute_script(few) < FEW
    height = chrome.execute_script("return document.getElementById('canvas').offsetHeight")
    assert height > 300_000
    for part in (0.25, 0.5, 0.99):
        chrome.execute_script("document.getElementById('scroll').scrollTop = arguments[0]", height * part)
        wait_until(
            chrome,
            """const top = document.getElementById('scroll').scrollTop;
            return [...document.querySelectorAll('.item')].some(node => Math.abs(node.offsetTop - top) < 100)""",
        )
        assert 10 < chrome.execute_script(few) < FEW
    press(chrome, Keys.END, Keys.ENTER)
    assert find(chrome, "#panel h2").text == "closed by the accessory"
    assert f"entry {len(entries) - 1}" in panel(chrome)
    began = time.perf_counter()
    find(chrome, "#query").send_keys("brightness = 40", Keys.ENTER)
    assert find(chrome, "#count").text == "720 of 10,094 entries"
    assert time.perf_counter() - began < REASONABLE


def test_every_entry_comes_into_sight(open_page):
    entries = evening(30)
    chrome = open_page(entries)
    for fold in chrome.find_elements(By.CSS_SELECTOR, ".fold")[:1]:
        fold.click()
    seen: dict[int, str] = {}
    top = -1
    while True:
        seen |= chrome.execute_script(
            """const found = {};
            for (const node of document.querySelectorAll('.item[data-index]'))
                found[node.dataset.index] = node.querySelector('.title').textContent;
            return found"""
        )
        now = chrome.execute_script(
            "const s = document.getElementById('scroll'); s.scrollTop += 500; return s.scrollTop"
        )
        if now == top:
            break
        top = now
        chrome.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    titles = [seen[number] for number in sorted(seen, key=int)]
    folded = re.compile(r"pair-(verify|setup) M\d")
    assert [one for one in titles if not folded.match(one)] == [
        entry.title for entry in entries if not folded.match(entry.title)
    ]
    assert sum(one.endswith("M1 \u2026 M2") for one in titles) == 30


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_no_text_of_a_peer_runs_or_becomes_markup(open_page, text):
    chrome = open_page(attack(text), text)
    elements = (
        "return ['img', 'svg', 'iframe', 'script', 'style', 'link'].map(n => document.querySelectorAll(n).length)"
    )
    before = chrome.execute_script(elements)
    assert before[:3] == [0, 0, 0]
    press(chrome, Keys.ARROW_DOWN, Keys.ENTER)
    for _ in range(4):
        press(chrome, Keys.ARROW_DOWN)
        assert panel(chrome)
    find(chrome, "#query").send_keys("hacked", Keys.ENTER)
    assert chrome.execute_script("return window.hacked") is None
    after = chrome.execute_script(elements)
    assert after[:3] == [0, 0, 0]
    assert after[3] <= before[3]
    assert after[4:] == before[4:]


def test_texts_are_shown_as_they_are(open_page):
    hostile = "</script><img src=x onerror=alert(1)>"
    chrome = open_page(attack(hostile), hostile)
    assert find(chrome, "h1").text == hostile
    assert hostile in rows(chrome)
    row(chrome, hostile).click()
    assert panel(chrome).count(hostile) > 5


def test_what_cannot_be_seen_is_made_visible(open_page):
    talk = Talk()
    talk.add(
        Kind.EVENT, "a\x00b\x1b[31m\u202ec\u200bd\nfalse title", details=(("JSON", "one\ntwo\x07"),), data=b"\x00A\xff"
    )
    chrome = open_page(talk.entries)
    assert rows(chrome) == [
        "a\u27e800\u27e9b\u27e81B\u27e9[31m\u27e8202E\u27e9c\u27e8200B\u27e9d\u27e80A\u27e9false title"
    ]
    row(chrome, rows(chrome)[0]).click()
    assert find(chrome, "#panel .details dd").text == "one\ntwo\u27e807\u27e9"
    assert find(chrome, "#panel pre").text.split() == ["00000", "00", "41", "ff", "\u00b7A\u00b7"]


def test_the_policy_holds_against_what_gets_into_the_page(chrome, tmp_path):
    """If markup of a peer ever reached the page, it would neither run nor load."""
    ours = look()
    smuggled = (
        "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'>"
        "<link rel=stylesheet href=file:///etc/hostname><iframe src='data:text/html,hello'></iframe>"
        "<style>h1 { display: none }</style>"
    )
    path = tmp_path / "report.html"
    path.write_text(
        "".join(report(evening(), "", Look(ours.body + smuggled, ours.style, ours.script))), encoding="utf-8"
    )
    chrome.get(path.as_uri())
    wait_until(chrome, "return document.body.dataset.ready")
    assert chrome.execute_script("return window.hacked") is None
    assert find(chrome, "h1").is_displayed()
    refused = [one["message"] for one in chrome.get_log("browser")]
    for directive in ("script-src", "style-src", "default-src"):
        assert any("Content Security Policy" in message and directive in message for message in refused), refused


@pytest.mark.parametrize("long", ["long " * 20_000, "x" * 100_000], ids=["words", "one word"])
def test_long_values_do_not_break_the_diagram(open_page, long):
    talk = Talk()
    found = (Touched(1, 9, "Lightbulb.On", long),)
    talk.add(Kind.EVENT, long, to=Direction.TO_CONTROLLER, touched=found, details=((long, long),), data=bytes(70_000))
    chrome = open_page(talk.entries, long)
    room = chrome.execute_script("return innerWidth")
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= room
    assert find(chrome, ".item").size["height"] < 100
    assert find(chrome, "#top").size["height"] < 300
    find(chrome, ".item").click()
    assert chrome.execute_script("return document.getElementById('panel').scrollWidth") <= room / 2
    assert "The report holds the first 65,536 of 70,000 bytes." in panel(chrome)
    assert len(find(chrome, "#panel pre").text.split("\n")) == 4096 / 8
    find(chrome, "#panel > .link").click()
    assert len(find(chrome, "#panel pre").text.split("\n")) == 65_536 / 8


def test_connections_one_after_the_other_share_a_column(open_page):
    talk = Talk()
    for number in range(40):
        name = f"10.0.0.1:{5000 + number} > 10.0.0.2:80"
        talk.add(Kind.OPENED, "connection opened", connection=name)
        talk.answer(talk.ask("GET /", connection=name), "200 OK", connection=name)
        talk.add(Kind.CLOSED, "closed", connection=name)
    chrome = open_page(talk.entries)
    assert len(chrome.find_elements(By.CSS_SELECTOR, ".head")) == 1
    assert "10.0.0.1:5000" in find(chrome, ".head").text
    press(chrome, Keys.END)
    wait_until(chrome, "return !document.querySelector('.head').textContent.includes(':5000')")
    choose(chrome, "connection", "B 10.0.0.1:5001 > 10.0.0.2:80")
    assert "10.0.0.1:5001" in find(chrome, ".head").text


def test_many_connections_at_once_have_a_column_each(open_page):
    talk = Talk()
    names = [f"10.0.0.{number} > 10.0.1.1" for number in range(12)]
    for _ in range(2):
        for name in names:
            talk.answer(talk.ask("GET /", connection=name), "200 OK", connection=name)
    chrome = open_page(talk.entries)
    assert len(chrome.find_elements(By.CSS_SELECTOR, ".head")) == 12
    press(chrome, Keys.END)
    cell = find(chrome, ".selected .cell").rect
    assert 0 < cell["x"] < cell["x"] + cell["width"] <= 1280, "the selected one is brought into sight, sideways too"


def test_a_clock_that_goes_back_is_told(open_page):
    talk = Talk()
    talk.ask("GET /")
    talk.ask("GET /", after=-5.0)
    talk.add(Kind.NOTE, "no time", after=float("nan"))
    chrome = open_page(talk.entries)
    assert rows(chrome) == ["GET /", "the clock went back by 5.00 s", "GET /", "no time"]


def test_what_is_wrong_with_the_whole_is_said_at_the_top(open_page, monkeypatch):
    monkeypatch.setattr(page, "MAX_ENTRIES", 20)
    chrome = open_page(evening(), remarks=["the capture was cut off <b>"])
    assert [one.text for one in chrome.find_elements(By.CSS_SELECTOR, "#about .remark")] == [
        "the capture was cut off <b>",
        "the report would be too large: 8 later entries are not in it",
    ]


def test_that_all_is_well_is_said_only_where_everything_was_read(open_page):
    talk = Talk()
    talk.answer(talk.ask("GET /"), "200 OK", touched=touched(((1, 9, "Lightbulb.Name"), "", None)))
    chrome = open_page(talk.entries)
    assert find(chrome, ".fine").text.endswith("nothing missing, slow or refused")
    assert find(chrome, ".values").text == 'Lightbulb.Name = ""'
    chrome = open_page(talk.entries, remarks=["the capture is cut off"])
    assert chrome.find_elements(By.CSS_SELECTOR, ".fine") == []
    talk.add(Kind.NOTE, "300 encrypted bytes")
    chrome = open_page(talk.entries)
    assert chrome.find_elements(By.CSS_SELECTOR, ".fine") == []


def test_an_empty_conversation(open_page):
    chrome = open_page([])
    assert "no messages" in find(chrome, "#empty").text
    press(chrome, Keys.ARROW_DOWN, Keys.ENTER, Keys.END, "n", Keys.ARROW_LEFT, Keys.ESCAPE)
    assert panel(chrome) is None


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_narrow_screen(open_page, dark):
    chrome = open_page(evening(), width=390, height=800, dark=dark)
    assert chrome.execute_script("return document.documentElement.scrollWidth") == 390
    assert (
        chrome.execute_script("const s = document.getElementById('scroll'); return s.scrollWidth - s.clientWidth") == 0
    )
    assert len(chrome.find_elements(By.CSS_SELECTOR, ".head")) == 1
    assert not find(chrome, "#filters").is_displayed()
    find(chrome, "#toggle-filters").click()
    choose(chrome, "accessory", "AA:BB:CC:00:11:22")
    assert find(chrome, "#count").text == "6 of 28 entries"
    row(chrome, "no keys for this connection").click()
    assert find(chrome, "#panel").rect == {"x": 0, "y": 0, "width": 390, "height": 800}
    find(chrome, "#panel .close").click()
    ground = chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == dark


def test_it_stays_where_it_was_when_the_width_changes(open_page):
    chrome = open_page(evening(50))
    chrome.execute_script("document.getElementById('scroll').scrollTop = 5000")
    wait_until(chrome, "return document.querySelectorAll('.item').length > 5")
    top = """const edge = document.getElementById('canvas').getBoundingClientRect().top;
        const at = document.getElementById('heads').getBoundingClientRect().bottom - edge;
        return [...document.querySelectorAll('.item')].filter(n => n.offsetTop <= at + 1)
            .sort((a, b) => b.offsetTop - a.offsetTop)[0].textContent.replace(/[0-9:.AB ]+/g, '')"""
    wide = chrome.execute_script(top)
    screen(chrome, 390, 800)
    wait_until(chrome, "return document.body.classList.contains('narrow')")
    assert chrome.execute_script(top) == wide


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("span(0.0004)", "0.4 ms"),
        ("span(0.0381)", "38 ms"),
        ("span(0.9996)", "1.00 s"),
        ("span(9.996)", "10.0 s"),
        ("span(59.96)", "1 min 0 s"),
        ("span(3599.7)", "1 h 0 min"),
        ("span(86400 * 3 + 7200)", "3 d 2 h"),
        ("span(-2)", "\u22122.00 s"),
        ("span(null)", "unknown time"),
        ("watch(0)", "0.000"),
        ("watch(59.9996)", "1:00.000"),
        ("watch(3723.0456)", "1:02:03.046"),
        ("watch(-1.5)", "\u22121.500"),
        ("watch(null)", "?"),
        ("clock(1763644455.25, 6)", "2025-11-20 13:14:15.250000 UTC"),
        ("clock(12.5)", ""),
        ("clock(1e300)", ""),
        ("letter(0) + letter(25) + letter(26) + letter(702)", "AZAAAAA"),
        ("plural(1, 'byte') + plural(2000, 'byte')", "1 byte2,000 bytes"),
        ("dump(new Uint8Array([65, 10]), 0, 2, 8)", "00000  41 0a                    A\u00b7"),
    ],
)
def test_texts_for_people(chrome, call, text):
    source = files("hap_trio.cli.page").joinpath("text.js").read_text(encoding="utf-8")
    chrome.get("about:blank")
    assert chrome.execute_script(f"{source}\nreturn {call}") == text


def test_no_answer_is_said_only_where_none_can_have_been_missed(open_page):
    talk = Talk()
    talk.ask("GET /accessories?one", connection="a > b")
    talk.add(Kind.GAP, "9 bytes missing here", connection="a > b", after=1.0)
    talk.ask("GET /accessories?two", connection="c > d")
    talk.add(Kind.GAP, "9 bytes missing here", connection="c > d", after=20.0)
    talk.add(Kind.GAP, "9 bytes missing here", connection="e > f")
    talk.ask("GET /accessories?three", connection="e > f")
    talk.ask("GET /accessories?four", connection="a > b", after=11.0)
    talk.add(Kind.CLOSED, "the capture ends", connection="a > b")
    talk.add(Kind.CLOSED, "the capture ends", connection="e > f")
    chrome = open_page(talk.entries)
    marked = {title[-4:]: "no answer" in row(chrome, title).text for title in rows(chrome) if title.startswith("GET")}
    assert marked == {"?one": False, "?two": True, "hree": True, "four": False}
    row(chrome, "GET /accessories?four").click()
    assert "unknown: the capture ends soon after" in panel(chrome)
    row(chrome, "GET /accessories?one").click()
    assert "unknown: bytes are missing soon after" in panel(chrome)


def test_an_accessory_is_the_same_before_its_id_is_known(open_page):
    talk = Talk()
    for connection in (LAMP, LAMP.replace("51622", "51623")):
        talk.ask("GET /accessories", connection=connection)
    for number in (0, 1):
        talk.entries[number] = evolve(talk.entries[number], accessory="192.168.1.9:5001")
    talk.ask("GET /characteristics")
    talk.ask("GET /", connection=PLUG)
    talk.entries[3] = evolve(talk.entries[3], accessory="192.168.1.12:5001")  # of which no id becomes known
    chrome = open_page(talk.entries)
    offered = [one.text for one in Select(find(chrome, "#accessory")).options]
    assert offered == ["all", "3C:33:1B:21:B3:00", "192.168.1.12:5001"]
    choose(chrome, "accessory", "3C:33:1B:21:B3:00")
    assert find(chrome, "#count").text == "3 of 4 entries"


def test_it_stays_where_it_was_when_a_filter_hides_what_is_above(open_page):
    chrome = open_page(evening(50))
    chrome.execute_script("document.getElementById('scroll').scrollTop = 15000")
    seconds = """const top = node => node.getBoundingClientRect().top;
        const edge = document.getElementById('heads').getBoundingClientRect().bottom - 1;
        const times = [...document.querySelectorAll('.item .when')].filter(node => top(node) >= edge)
            .sort((one, other) => top(one) - top(other)).map(node => node.textContent);
        return (times[0] ?? '0').split(':').reduce((sum, part) => sum * 60 + Number(part), 0)"""
    wait_until(chrome, f"return (() => {{ {seconds} }})() > 600")
    before = chrome.execute_script(seconds)
    choose(chrome, "characteristic", "Lightbulb.Brightness (1.10)")
    assert abs(chrome.execute_script(seconds) - before) < 100  # a round takes 96 s
    choose(chrome, "characteristic", "all")
    assert abs(chrome.execute_script(seconds) - before) < 100


def test_characteristics_get_their_name_when_it_becomes_known(open_page):
    talk = Talk()
    talk.add(Kind.EVENT, "EVENT", touched=touched(((1, 9, "1.9"), "1", None), ((1, 77, "1.77"), "1", None)))
    talk.add(Kind.EVENT, "EVENT", touched=touched(((1, 9, "Lightbulb.On"), "0", None)))
    chrome = open_page(talk.entries)
    assert [one.text for one in Select(find(chrome, "#characteristic")).options] == [
        "all",
        "Lightbulb.On (1.9)",
        "1.77",
    ]
    choose(chrome, "characteristic", "Lightbulb.On (1.9)")
    assert find(chrome, "#count").text == "2 of 2 entries"
