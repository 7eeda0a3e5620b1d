"""The viewer as a widget: what it sends to the page and hears from it, without a browser."""

import base64
import json

import pytest
from browser import View, page_of

from labkit.locale import text, use_language
from labkit.segmentation import Segmentation
from labkit.viewer.items import item_of, module, viewer_data
from labkit.viewer.widget import ViewerWidget, awake


def test_what_is_sent(outlined):
    """The item without its photo, the photo beside it, the words and the style; the viewer's module is its code."""
    with use_language("en"):
        widget, data = ViewerWidget(outlined), viewer_data()
    whole = item_of(outlined)
    (item,) = widget.items
    assert widget.photos == [whole["photo"]] and "photo" not in item and item["segments"] == whole["segments"]
    assert widget.data == data and not widget.asks
    assert widget._esm == module() or module() in str(widget._esm)


def test_a_photo_travels_once(outlined, default_photos):
    """Another result of the same photo sends no photo; another photo does."""
    widget = ViewerWidget(outlined)
    sent = []
    widget.observe(lambda change: sent.append(change["name"]), names=["photos", "items"])
    widget.update(Segmentation.nothing(outlined.photo), "слова")
    assert sent == ["items"] and widget.items[0]["segments"] == [] and widget.message == "слова"
    widget.update(Segmentation.nothing(default_photos["horses"]))
    assert sent == ["items", "photos", "items"] and widget.message == "" and len(widget.photos) == 1


@pytest.mark.parametrize(
    "box, part, seen",
    [("", "labkit-live", ""), ("", "", "missing"), ("jupyter-widgets-disconnected", "labkit-live", "asleep")],
)
def test_notes(open_page, box, part, seen):
    """Nothing is said while all works; without a network or a kernel a sentence says so, and old ticks go."""
    notes = awake("labkit.explore").children[0].value
    done = '<p class="labkit-done">✓</p>'
    page = open_page(page_of(f'<div class="widget-box {box}"><div>{notes}</div><div class="{part}">{done}</div></div>'))
    page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")
    for name, key in (("asleep", "prompt.asleep"), ("missing", "prompt.missing")):
        note = page.get_by_text(text(key, call="labkit.explore"))
        assert note.is_visible() == (name == seen)
    assert page.locator(".labkit-done").is_visible() == (seen != "asleep")


LIVE = """<div id="live"></div><script type="module">
  import widget from "data:text/javascript;base64,MODULE";
  const [values, heard] = [STATE, {}];
  const model = {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      for (const act of heard[`change:${name}`] ?? []) act();
    },
    on: (event, act) => (heard[event] ??= []).push(act),
    save_changes() {},
  };
  window.show = () => {
    const el = document.getElementById("live").appendChild(document.createElement("section"));
    widget.render({model, el});
    el.firstChild.dataset.labkit = "live";
  };
  window.show();
  window.asked = () => values.asked;
  window.answer = (items) => model.set("items", items);
</script>"""


@pytest.fixture
def live(open_page, outlined):
    """A widget that takes prompts in a page, and what brings it SAM's answer to those before."""
    widget = ViewerWidget(Segmentation.nothing(outlined.photo), on_ask=lambda asked: None)
    state = {name: getattr(widget, name) for name in ("data", "photos", "items", "message", "asks", "asked")}
    code = base64.b64encode(module().encode()).decode()
    view = View(open_page(page_of(LIVE.replace("MODULE", code).replace("STATE", json.dumps(state)))))
    widget.update(outlined)
    return view, lambda: view.page.evaluate("(items) => window.answer(items)", widget.items)


def test_an_answer_in_the_middle_of_a_drag(live, outlined):
    """A box that is being drawn when the answer to an earlier prompt comes is drawn to its end, and asked."""
    view, answer = live
    view.find("[data-tool=box]").click()
    box = view.canvas("overlay").bounding_box()

    def move(x, y):
        view.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=3)

    move(0.2, 0.2)
    view.page.mouse.down()
    move(0.4, 0.5)
    answer()
    move(0.8, 0.9)
    view.page.mouse.up()
    height, width = outlined.photo.pixels.shape[:2]
    expected = [0.2 * width, 0.2 * height, 0.8 * width, 0.9 * height]
    assert view.page.evaluate("window.asked()")["box"] == pytest.approx(expected, abs=4)
    assert "кошка" in view.canvas("overlay").get_attribute("aria-label")


def test_two_views_of_one_widget(live):
    """What is clicked in a new view of the cell's output is known in the first one too, and the other way round."""
    first = live[0]
    first.page.evaluate("window.show()")
    views = first, View(first.page, 1)
    for turn, place in enumerate((0.3, 0.4, 0.5, 0.6)):
        canvas = views[turn % 2].canvas("overlay")
        box = canvas.bounding_box()
        canvas.click(position={"x": place * box["width"], "y": 0.5 * box["height"]})
        assert len(first.page.evaluate("window.asked()")["points"]) == turn + 1


def test_an_answer_leaves_the_cursor(live, outlined):
    """The cross that the arrows move, and the focus, stay where they are when an answer comes."""
    view, answer = live
    view.canvas("overlay").focus()
    for _ in range(3):
        view.page.keyboard.press("ArrowRight")
    answer()
    view.page.keyboard.press("Enter")
    ((x, _),) = view.page.evaluate("window.asked()")["points"]
    assert x > 0.53 * outlined.photo.pixels.shape[1]
