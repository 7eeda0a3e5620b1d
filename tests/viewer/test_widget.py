"""The viewer as a widget: what it sends to the page and hears from it, without a browser."""

import pytest
from browser import page_of

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
    [
        ("", "labkit-live", ""),
        ("", "", "missing"),
        ("jupyter-widgets-disconnected", "labkit-live", "asleep"),
    ],
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
