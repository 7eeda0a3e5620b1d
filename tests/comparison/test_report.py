"""`labkit compare`: the whole run on the kit's ten photos, its page in a real browser, and calls that go wrong."""

import ast
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from browser import View
from links import external_links

from labkit.__main__ import main
from labkit.comparison import report as compare
from labkit.comparison.report import make_comparison
from labkit.report import run
from labkit.variants import VARIANTS
from labkit.weights.find import embedded_path

TITLES = [row.title for row in VARIANTS]
TITLE = "document.querySelector('[data-labkit]').shadowRoot.querySelector('.title').textContent"
SIDES = ("select[name=left]", "select[name=right]")


@pytest.fixture(scope="module")
def made(tmp_path_factory, root):
    """The command on the kit's photos and a broken one: the folder with its files, and the finished process."""
    folder = tmp_path_factory.mktemp("все модели")
    (folder / "битый.jpg").write_bytes(b"not a photo")
    options = ["--device", "cpu", "--student", "Иванова <b>", "--group", "ИУ-1", "--out", str(folder / "out")]
    command = [sys.executable, "-m", "labkit", "compare", str(root / "data" / "images"), str(folder / "битый.jpg")]
    done = subprocess.run([*command, *options], cwd=root, capture_output=True, encoding="utf-8")
    return folder / "out", done


@pytest.fixture(scope="module")
def page(made):
    """The page that it wrote."""
    return (made[0] / "compare.html").read_text(encoding="utf-8")


def test_files_and_exit_code(made):
    """Page and notebook, every cell run, their paths printed; the broken photo costs only itself and the exit code."""
    out, done = made
    assert (done.returncode, sorted(path.name for path in out.iterdir())) == (1, ["compare.html", "compare.ipynb"])
    assert done.stdout.splitlines() == [str(out / "compare.ipynb"), str(out / "compare.html")]
    assert "битый.jpg: не обработано" in done.stderr and "Traceback" not in done.stderr
    cells = nbformat.read(out / "compare.ipynb", 4).cells
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code")


def test_one_small_page(made, page):
    """At most 3 MB with ten photos, each of them in it once, and nothing is fetched."""
    assert len(page.encode()) < 3_000_000 and external_links(page) == []
    assert page.count('"photo": "data:image/jpeg;base64,') == 10
    assert len(set(re.findall(r'"photo": (\d+)', page))) == 10 and len(re.findall(r'"photo": \d+', page)) == 50


def test_what_the_page_says(page):
    """Student, models with their weights, table with seconds and sizes, areas of all photos, agreement."""
    assert "Иванова &lt;b&gt;" in page and "ИУ-1" in page and "<b>" not in page[: page.index("<main")]
    for row in VARIANTS:
        assert f"{row.number} {row.title}: веса embedded/{row.name} (так указано)" in page
        found = re.search(rf"^{row.number} {re.escape(row.title)} +\d из 10 .*?≤?(\d+,\d\d) +(\d+,\d)$", page, re.M)
        megabytes = embedded_path(row.name).stat().st_size / 1e6
        assert found and float(found[2].replace(",", ".")) == pytest.approx(megabytes, abs=0.06)
    assert re.search(r"^cat_kitten( +2[2-6].%){6}$", page, re.M) and re.search(r"^sheep( +—){6}$", page, re.M)
    assert "<title>согласие, кошка</title>" in page


@pytest.fixture
def view(open_page, page):
    """The page's viewer."""
    return lambda **options: View(open_page(page, **options))


def go_to(shown: View, name: str) -> None:
    """A click on a photo's thumbnail."""
    shown.find(f".thumb[title={name}]").click()
    shown.page.wait_for_function(f"name => {TITLE}.includes(name)", arg=name)
    shown.settle()


def test_the_choice_stays(view):
    """The two models stay on their sides from photo to photo, and the thumbnail that is marked is the photo's."""
    shown = view()
    shown.press("curtain")
    for select, title in zip(SIDES, ("PSPNet", "SAM"), strict=True):
        shown.find(select).select_option(label=title)
    first = shown.pixels("curtain")
    for name in ("cat_yarn", "sheep", "officer", "horses", "cat_kitten", "cat_chelsea"):
        go_to(shown, name)
        chosen = [shown.find(f"{select} option:checked").inner_text() for select in SIDES]
        assert chosen == ["PSPNet", "SAM"] and "DeepLabV3+" in shown.title
        marked = shown.find(".thumb[aria-current=true]")
        assert marked.count() == 1 and marked.get_attribute("title") == name
    assert np.array_equal(shown.pixels("curtain"), first)  # 36 results on, the first six are decoded anew


def test_through_the_models(view):
    """The arrows go through the models of a photo, then on to the next one; a thumbnail keeps the model."""
    shown = view()
    seen = [shown.title]
    for _ in range(6):
        shown.press("next")
        shown.page.wait_for_function(f"before => {TITLE} !== before", arg=seen[-1])
        seen.append(shown.title)
    first = [f"{n}/60. cat_chelsea · {title}" for n, title in enumerate(TITLES, 19)]  # the clearest cat
    assert seen == [*first, "25/60. cat_kitten · DeepLabV3+"]
    shown.press("next")
    go_to(shown, "cat_yarn")
    assert shown.title == "32/60. cat_yarn · U-Net" and "кошка" in shown.shares


@pytest.mark.parametrize("width", [1280, 400])
def test_accessible(view, width):
    """axe finds nothing serious, the page is as wide as the window, and so is the curtain."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    shown = view(viewport={"width": width, "height": 900})
    shown.press("curtain")
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.canvas("curtain").bounding_box()["width"] > 0.6 * min(width, 1000)
    violations = axe.Axe().run(shown.page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in violations if v["impact"] in ("serious", "critical")] == []


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """`make_comparison` without the run itself: answers the parameters, and what it said had failed."""
    monkeypatch.setattr(run, "run_notebook", lambda *_: None)

    def ask(*photos, **options) -> tuple[dict[str, object], list[str]]:
        failed: list[str] = []
        report = make_comparison(photos, out=tmp_path / "out", failed=failed.append, **options)
        cells = nbformat.read(report.notebook, 4).cells
        (cell,) = (cell for cell in cells if "injected-parameters" in cell.metadata.get("tags", []))
        return {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body}, failed

    return ask


def test_official_is_downloaded_first(asked, monkeypatch):
    """Each release that knows the class is fetched before the notebook runs; it is told to take official ones."""
    fetched = []
    monkeypatch.setattr(compare, "fetch", lambda release: fetched.append(release.name) or release)
    given, failed = asked(weights="official")
    assert given["weights"] == "official" and failed == []
    first = "deeplabv3_resnet101 fcn_resnet101 sam_vit_b pspnet_resnetd101b_voc maskrcnn_resnet50_fpn_v2"
    assert fetched == first.split()
    asked(weights="official/sam_vit_l")
    assert fetched[5:] == ["sam_vit_l"]


def test_official_that_cannot_be_had(asked, monkeypatch, tmp_path):
    """Each is said, and the others are taken from the cache: the notebook does not try once more."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "кэш"))
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    given, failed = asked(weights="official", target="person")
    assert given["weights"] == "cached" and len(failed) == 6 and all("LABKIT_OFFLINE" in line for line in failed)


def test_photos_and_parameters(asked, root, monkeypatch):
    """Paths become absolute, since the notebook runs in its own folder; without any it takes the kit's ten."""
    monkeypatch.chdir(root / "data")
    options = {"target": "собака", "device": "cpu", "student": "Иванова <b>", "group": "Б"}
    given, failed = asked("images/sheep.jpg", "images/cat_yarn.jpg", **options)
    folder = root / "data" / "images"
    assert given["photos_path"] == [str(folder / "sheep.jpg"), str(folder / "cat_yarn.jpg")] and failed == []
    rest = {name: value for name, value in given.items() if name != "photos_path"}
    assert rest == {**options, "weights": "embedded", "seconds_digits": 2}
    assert "photos_path" not in asked()[0]


def test_a_run_that_stops(monkeypatch, tmp_path, capsys):
    """The page says where, both files are there, the exit code is 1."""
    monkeypatch.setattr(run, "run_notebook", lambda *_: "ячейка с кодом № 4: MemoryError")
    assert main(["compare", "--out", str(tmp_path)]) == 1
    written = capsys.readouterr()
    assert "MemoryError" in written.err and str(tmp_path / "compare.html") in written.out
    assert "ячейка с кодом № 4: MemoryError" in (tmp_path / "compare.html").read_text(encoding="utf-8")
