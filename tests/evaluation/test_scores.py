"""The scores of real results agree with scikit-learn's and with a panoptic quality counted naively here."""

import json
from dataclasses import replace
from functools import partial
from xml.etree import ElementTree

import annotated
import drawn
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score, recall_score

from labkit.classes import IGNORE, VOC, label_set
from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.figures import confusion_figure, worst_figure
from labkit.evaluation.metrics import iou, mask_ap
from labkit.evaluation.scores import Scores, scores, scores_table
from labkit.figures import svg
from labkit.locale import use_language
from labkit.segmentation import Segmentation

COCO, PEOPLE = label_set("COCO"), label_set("people")
SIZE = (60, 80)
block = partial(annotated.block, size=SIZE)
NOWHERE = block(0, 0, 0, 0)


@pytest.fixture(scope="module")
def semantic(load, default_photos):
    """DeepLab's results on the ten photos."""
    return load(1).segment_all(list(default_photos.values()))


@pytest.fixture(scope="module")
def measured(semantic):
    """DeepLab's scores."""
    return scores(semantic)


@pytest.fixture(scope="module")
def prompted(load, default_photos):
    """SAM's masks of everything on three photos, one of them without an outline, and their scores."""
    photos = [default_photos[name] for name in ("cat_kitten", "officer", "horses")]
    results = [load(4).segment(photo, points_per_side=6) for photo in photos]
    return results, scores(results)


def scored(*pairs):
    """The scores of results by the ground truth that stands beside each, None where there is none."""
    return scores([result for result, _ in pairs], {result.photo.name: one for result, one in pairs if one is not None})


def made(name, *labelled, classes=VOC, **made_by):
    """A result of (label, mask) on a grey photo."""
    ids = [classes.id(label) if classes else 0 for label, _ in labelled]
    return drawn.found([mask for _, mask in labelled], ids, classes=classes, made_by=made_by, size=SIZE, name=name)


def truth(*labelled, unknown=NOWHERE, objects=True, classes=VOC):
    """Ground truth of (label, mask); it says nothing of what is `unknown`."""
    annotation = made("annotation", *labelled, classes=classes, objects=objects)
    return replace(annotation, confidence=(~unknown).astype(np.float32))


def naive_quality(pairs):
    """PQ, SQ and RQ of each VOC class from its definition, object against object (Kirillov et al., 2019, 4.1)."""
    quality = {}
    for label_id in sorted({segment.label_id for pair in pairs for one in pair for segment in one.segments}):
        overlaps, wrong = [], 0
        for result, annotation in pairs:
            void = (annotation.confidence == 0) & (annotation.ids == 0)
            given, true = (
                [mask for s in one.segments if s.label_id == label_id and (mask := one.ids == s.id).any()]
                for one in (result, annotation)
            )
            best = [max((iou(answer & ~void, mask) for mask in true), default=0) for answer in given]
            hits = [overlap for overlap in best if overlap > 0.5]  # each fits one object alone
            overlaps += hits
            lost = [answer for answer, overlap in zip(given, best, strict=True) if overlap <= 0.5]
            wrong += len(true) - len(hits) + sum((answer & void).sum() <= 0.5 * answer.sum() for answer in lost)
        if count := len(overlaps) + wrong / 2:
            sq, rq = np.mean(overlaps) if overlaps else 0.0, len(overlaps) / count
            quality[VOC.names[label_id]] = (sq * rq, sq, rq)
    return quality


def counted(true, given):
    """IoU, Dice and accuracy of a mask as scikit-learn counts them, of each kind of pixel so many."""
    weights = np.bincount(2 * true.ravel() + given.ravel(), minlength=4)
    scores = (jaccard_score, f1_score, recall_score)
    numbers = (score([0, 0, 1, 1], [0, 1, 0, 1], sample_weight=weights) for score in scores)
    return pytest.approx(tuple(numbers), abs=1e-6)


def test_each_photo_and_all(measured, semantic):
    """A row a class that the outlines show; over all photos also the mean, the confusion, the pixel accuracy."""
    truths = {result.photo.name: find_ground_truth(result.photo) for result in semantic}
    pixels = {r.photo.name: (t.labels.ravel(), r.labels.ravel()) for r in semantic if (t := truths[r.photo.name])}
    true, given = pixels[None] = tuple(np.concatenate(side) for side in zip(*pixels.values(), strict=True))
    rows = {(row.photo, row.names[1]): (row.iou, row.dice, row.accuracy) for row in measured.rows + measured.totals}
    for (name, label), row in rows.items():
        assert row == counted(*(side == VOC.id(label) for side in pixels[name]))
    assert rows.keys() == {(name, VOC.names[n]) for name, (shown, _) in pixels.items() for n in np.unique(shown)}
    assert len(measured.rows) == 18 and measured.without == ["horses"]
    assert measured.mean_iou == pytest.approx(np.mean([row.iou for row in measured.totals]))
    counts = np.bincount(256 * true.astype(int) + given, minlength=256**2)
    kinds = np.divmod(np.arange(256**2), 256)
    assert measured.pixel_accuracy == pytest.approx(accuracy_score(*kinds, sample_weight=counts), abs=1e-6)
    assert np.array_equal(measured.confusion, confusion_matrix(*kinds, labels=range(21), sample_weight=counts))


def test_quality_of_many_objects():
    """Random objects, some over places of which nobody knows: PQ, SQ and RQ as counted naively, pycocotools' AP50."""
    random = np.random.default_rng(5)
    pairs = []
    for photo in range(12):
        sides = []
        for _ in range(2):
            corners = random.integers(0, (65, 45), (6, 2))
            labels = random.choice(["cat", "dog", "bird"], 6)
            sides.append([(n, block(x, y, x + 15, y + 15)) for n, (x, y) in zip(labels, corners.tolist(), strict=True)])
        given, true = sides
        given[:3] = [(label, np.roll(mask, (photo % 4, 1), (0, 1))) for label, mask in true[:3]]
        unknown = block(0, 0, 30, 60) & ~np.logical_or.reduce([mask for _, mask in true])
        pairs.append((made(f"p{photo}", *given, variant="mask_rcnn"), truth(*true, unknown=unknown)))
    found, expected = scored(*pairs), naive_quality(pairs)
    numbers = {row.names[1]: (row.pq, row.sq, row.rq) for row in found.objects}
    assert numbers == {name: pytest.approx(numbers) for name, numbers in expected.items()}
    assert len(numbers) == 3 and all(0 < pq < 1 for pq, _, _ in numbers.values()) and found.kind == "instance"
    unknown = [one.confidence == 0 for _, one in pairs]
    ap = mask_ap(*([one.segments for one in side] for side in zip(*pairs, strict=True)), unknown)
    assert {VOC.id(row.names[1]): row.ap50 for row in found.objects} == {
        label_id: pytest.approx(ap50) for label_id, (ap50, _) in ap.items()
    }
    assert sum(row.count for row in found.objects) == 72 and not found.flat
    assert found.mean_objects["pq"] == pytest.approx(np.mean([pq for pq, _, _ in expected.values()]))
    assert found.mean_objects["ap50"] == pytest.approx(np.mean([ap50 for ap50, _ in ap.values()]))


def test_best_segment_for_each_object(prompted):
    """SAM: the IoU of the segment that fits best, found by trying them all; no classes, no confusion."""
    results, found = prompted
    assert (found.kind, found.confusion, found.totals, found.objects) == ("prompted", None, [], [])
    shown = [("cat_kitten", ("кошка", "cat")), ("officer", ("человек", "person"))]
    assert [(row.photo, row.names) for row in found.rows] == shown
    for row, result in zip(found.rows, results, strict=False):
        mask = find_ground_truth(result.photo).segments[0].mask
        best = max(result.segments, key=lambda segment: iou(segment.mask, mask)).mask
        assert (row.iou, row.dice, row.accuracy) == counted(mask, best)
    assert found.mean_iou == pytest.approx(np.mean([row.iou for row in found.rows]))
    assert "кошка" in scores_table(found) and "horses" in scores_table(found)


def test_sam_finds_nothing():
    """An object that no segment meets has the score 0; two of a class are numbered; the whole object is wrong."""
    two = truth(("cat", block(0, 0, 20, 20)), ("cat", block(40, 0, 70, 40)))
    for answers in ((), [("object", block(0, 50, 5, 60))]):
        found = scored((made("x", *answers, classes=None), two))
        rows = [(row.names[0], row.iou, row.dice, row.accuracy) for row in found.rows]
        assert rows == [("кошка 1", 0, 0, 0), ("кошка 2", 0, 0, 0)]
        (worst,) = found.worst
        assert np.array_equal(worst.wrong, block(40, 0, 70, 40)) and worst.predicted_id is None
        assert "кошка" in worst_figure(found).get_label()


def test_places_that_nobody_labelled():
    """Whatever the model says there changes no number, and no worst region lies there."""
    unknown = block(40, 0, 80, 60)
    annotation = truth(("cat", block(0, 0, 20, 60)), unknown=unknown)
    records = []
    for extra in ([], [("dog", unknown)], [("cat", unknown)]):
        result = made("x", ("cat", block(0, 0, 25, 60)), *extra, variant="mask_rcnn")
        found = scored((result, annotation))
        records.append({**found.record(), "confusion": None})
        assert found.rows[1].iou == pytest.approx(20 / 25) and found.pixel_accuracy == pytest.approx(35 / 40)
        assert not (found.worst[0].wrong & unknown).any()
        sam = scored((made("x", ("a", block(0, 0, 25, 60) | unknown), classes=None), annotation))
        assert sam.rows[0].iou == pytest.approx(20 / 25)
    assert records[0] == records[1] == records[2]


def test_nothing_but_unlabelled():
    """A mask that says nothing at all is as good as none: sentences, and JSON without NaN."""
    for kind in ({}, {"variant": "mask_rcnn"}):
        found = scored((made("x", ("cat", block(0, 0, 20, 60)), **kind), truth(unknown=np.ones(SIZE, bool))))
        assert not found.rows and found.pixel_accuracy is None and not found.worst
        json.dumps(found.record(), allow_nan=False)
        assert "нет разметки" in scores_table(found)


def test_photo_without_objects():
    """An annotation that shows nothing but background is one: what the model invents there is wrong."""
    found = scored((made("x", ("cat", block(0, 0, 20, 60)), variant="mask_rcnn"), truth()))
    assert [(row.names[1], row.iou) for row in found.rows] == [("background", pytest.approx(0.75))]
    assert [(row.names[1], row.count, row.ap50, row.pq) for row in found.objects] == [("cat", 0, None, 0)]
    assert scored((made("x", variant="mask_rcnn"), truth())).objects == []
    json.dumps(found.record(), allow_nan=False)


def test_other_label_sets():
    """Classes are matched by key; what VOC and the annotation do not have is background; `foreign` is said."""
    annotation = truth(("sofa", block(0, 0, 40, 60)), ("cat", block(40, 0, 80, 30)))
    mine = [("couch", block(0, 0, 40, 60)), ("zebra", block(40, 30, 80, 60)), ("cat", block(40, 0, 80, 30))]
    found = scored((made("x", *mine, classes=COCO), annotation))
    assert [(row.names[1], row.iou) for row in found.rows] == [("background", 1), ("cat", 1), ("sofa", 1)]
    assert found.foreign == []
    people = scored((made("x", ("person", block(0, 0, 40, 60)), classes=PEOPLE), annotation))
    assert people.foreign == [("диван", "sofa"), ("кошка", "cat")]
    assert "не знает" in scores_table(people) and "диван" in scores_table(people)
    streets = scored((made("x", ("road", block(0, 0, 80, 60)), classes=label_set("Cityscapes")), annotation))
    assert [(row.names[1], row.iou) for row in streets.rows] == [("background", 0.25), ("cat", 0), ("sofa", 0)]


def test_translations_change_no_score():
    """A class is the same under any Russian name, of the model, of the annotation or of both, swapped ones too."""
    shown = [("sofa", block(0, 0, 40, 60)), ("cat", block(40, 0, 80, 30)), ("zebra", block(40, 30, 80, 60))]
    others = replace(COCO, names_ru=COCO.names_ru[:1] + COCO.names_ru[:0:-1])
    records = []
    for mine, theirs in ((COCO, COCO), (others, COCO), (COCO, others), (others, others)):
        annotation = truth(*((name, np.roll(mask, 5, axis=1)) for name, mask in shown), classes=theirs)
        found = scored((made("x", *shown, classes=mine, variant="mask_rcnn"), annotation))
        assert [row.names[1] for row in found.rows][-1] == "zebra" and found.objects and found.foreign == []
        records.append(found.record())
    assert all(record == records[0] for record in records)


def test_classes_beyond_voc(tmp_path):
    """A student may label what only the model knows: read in its label set, for SAM in COCO's."""
    rows = [{"label": "zebra", "shape_type": "rectangle", "points": [[0, 0], [39, 59]]}]
    annotated.write_shapes(tmp_path / "x.json", *rows, size=(80, 60))
    found = scores([made("x", ("zebra", block(0, 0, 40, 60)), classes=COCO)], tmp_path)
    assert [(row.names, row.iou) for row in found.rows] == [(("фон", "background"), 1), (("зебра", "zebra"), 1)]
    assert len(found.classes) == 22 and found.confusion.shape == (22, 22)
    sam = scores([made("x", ("a", block(0, 0, 40, 60)), classes=None)], tmp_path)
    assert [(row.names[0], row.iou) for row in sam.rows] == [("зебра", 1)]
    voc = scores([made("x")], tmp_path)
    assert not voc.rows and "zebra" in voc.notes[0] and "x.json" in scores_table(voc)
    rows.append({"label": "cat", "shape_type": "rectangle", "points": [[40, 0], [79, 59]]})
    annotated.write_shapes(tmp_path / "x.json", *rows, size=(80, 60))
    partly = scores([made("x", ("cat", block(40, 0, 80, 60)))], tmp_path)
    assert [row.names[1] for row in partly.rows] == ["background", "cat"] and "zebra" in scores_table(partly)
    streets = scores([made("x", ("road", block(0, 0, 80, 60)), classes=label_set("Cityscapes"))], tmp_path)
    assert [row.names[1] for row in streets.rows] == ["background", "cat"]  # VOC's classes count under every model


def test_reference_next_to_the_photo_or_in_a_folder(tmp_path):
    """What is given comes first, then what lies next to the photo, then the folder; a broken one is named."""
    results = [made(name, ("cat", block(0, 0, 40, 60))) for name in "abc"]
    half = block(0, 0, 40, 60).astype(np.uint8)
    masks = {"folder/a": half * 8, "folder/b": half * 8, "folder/c": half * 99, "b": half * 0 + VOC.id("dog")}
    annotated.put(tmp_path, {f"{name}.mask.png": mask for name, mask in masks.items()})
    results[1] = replace(results[1], photo=replace(results[1].photo, path=tmp_path / "b.jpg"))
    results.append(replace(results[0], photo=replace(results[0].photo, name="d")))
    found = scores(results, tmp_path / "folder")
    shown = [(row.photo, row.names[1]) for row in found.rows if row.names[1] != "background"]
    assert shown == [("a", "cat"), ("b", "dog")]
    given = scores(results, {"d": truth(("sheep", block(0, 0, 40, 60)))})
    assert [(row.photo, row.names[1]) for row in given.rows] == [("b", "dog"), ("d", "background"), ("d", "sheep")]
    assert found.notes[0].startswith("c — c.mask.png") and "c.mask.png" in scores_table(found)
    assert not scores(results[:1], tmp_path / "nowhere").rows


def test_masks_that_do_not_tell_objects_apart():
    """Of an index mask nobody knows how many objects it shows: it counts for pixels and not for AP50 and PQ."""
    mask = block(0, 0, 40, 60)
    flat, whole = truth(("cat", mask), objects=False), truth(("cat", mask))
    first, second = (made(name, ("cat", mask), variant="mask_rcnn") for name in "ab")
    found, alone = scored((first, flat), (second, whole)), scored((first, flat))
    assert found.flat == ["a"] and [row.count for row in found.objects] == [1] and len(found.rows) == 4
    assert alone.objects == [] and "на этих фото её нет: a" in scores_table(alone)


def test_the_worst_region():
    """The largest connected region of one confusion, over all photos by its share; small ones are none."""
    annotation = truth(("cat", block(0, 0, 40, 60)))
    first = made("a", ("cat", block(0, 0, 30, 60)), ("dog", block(60, 0, 75, 60)))
    second = made("b", ("dog", block(0, 0, 40, 60)))
    third = made("c", ("cat", block(0, 0, 40, 60) | block(79, 0, 80, 2)))
    found = scored((first, annotation), (second, annotation), (third, annotation))
    assert [(r.result.photo.name, r.true_id, r.predicted_id, r.share) for r in found.worst] == [
        ("b", VOC.id("cat"), VOC.id("dog"), 0.5),
        ("a", 0, VOC.id("dog"), 15 / 80),
    ]
    assert np.array_equal(found.worst[1].wrong, block(60, 0, 75, 60))
    assert np.array_equal(found.worst[0].truth, block(0, 0, 40, 60)) and not found.worst[0].answer.any()


def test_figures(measured):
    """Both are SVG with the names in them as text, the same at every run, and small enough for a report."""
    worst = measured.worst[0].true_id, measured.worst[0].predicted_id
    mistake = "разметка: {}, модель: {}".format(*map(measured.classes.label, worst))
    for make, words in ((confusion_figure, ("собака", "модель")), (worst_figure, (mistake,))):
        first, second = svg(make(measured)), svg(make(measured))
        ElementTree.fromstring(first)
        assert first == second and len(first) < 300_000 and all(word in first for word in words)
    with use_language("en"):
        mistake = "annotation: {}, model: {}".format(*map(measured.classes.label, worst))
        assert mistake in worst_figure(measured).get_label()
        labels = [tick.get_text() for tick in confusion_figure(measured).axes[0].get_yticklabels()]
        assert labels == [row.names[1] for row in measured.totals]


def test_confusion_figure_tells_the_shares(measured):
    """The numbers are per cent of the row, and every one of at least half a per cent is there."""
    told = [int(t.get_text()) for t in confusion_figure(measured).axes[0].texts]
    rows = measured.confusion[measured.confusion.sum(1) > 0]
    shares = rows / rows.sum(1, keepdims=True)
    assert sorted(told) == sorted(round(100 * share) for share in shares[shares >= 0.005].tolist())


def test_small_photos_and_regions_at_the_edge():
    """A region in a corner, a photo of few pixels, a narrow one: each has its window."""
    for size in ((4, 4), (200, 20), (20, 200)):
        result = drawn.found([annotated.block(0, 0, 2, 2, size)])
        nothing = Segmentation.from_labels(result.photo, np.zeros(size, np.uint8))
        ElementTree.fromstring(svg(worst_figure(scored((result, nothing)))))


def test_a_sentence_where_there_is_nothing_to_draw(prompted):
    """No mistakes, no classes, no masks, no results: a sentence says why and what to do."""
    perfect = scored((made("x", ("cat", block(0, 0, 9, 9))), truth(("cat", block(0, 0, 9, 9)))))
    figures = worst_figure(perfect), confusion_figure(prompted[1]), confusion_figure(scores([made("x")]))
    said = [figure.get_label() for figure in (*figures, worst_figure(scores([])))]
    assert said[2] == said[3] == scores_table(Scores()) and "labelme" in said[2] and len(set(said)) == 3


def test_table(measured):
    """A row a photo and class, the photo named once, and all photos at the end, in both languages."""
    lines = scores_table(measured).splitlines()
    assert lines[0].split() == ["фото", "класс", "IoU", "Dice", "полнота"]
    assert len(lines) == 2 + len(measured.rows) + len(measured.totals) + 3
    assert sum("cat_yarn" in line for line in lines) == 1 and "horses" in lines[-1]
    cat = next(row for row in measured.totals if row.names[1] == "cat")
    (line,) = [line for line in lines[20:] if "кошка" in line]
    assert line.split()[1:] == [f"{x:.2f}".replace(".", ",") for x in (cat.iou, cat.dice, cat.accuracy)]
    with use_language("en"):
        english = scores_table(measured)
    assert "all photos" in english and "cat" in english and not any("а" <= c <= "я" for c in english.lower())


def test_record(load, default_photos, measured, prompted):
    """JSON's types, rounded, the same numbers; of every kind and of nothing."""
    found = scores(load(6).segment_all([default_photos["cat_kitten"], default_photos["officer"]]))
    for one in (measured, found, prompted[1], Scores()):
        assert json.loads(json.dumps(one.record(), allow_nan=False)) == one.record()
    record = measured.record()
    assert record["photos"][0].keys() == {"photo", "class", "iou", "dice", "accuracy"}
    assert record["mean_iou"] == round(measured.mean_iou, 4) and record["without_masks"] == ["horses"]
    assert np.sum(record["confusion"]["pixels"]) == measured.confusion.sum()
    assert "background" in record["confusion"]["classes"] and IGNORE not in np.unique(measured.confusion.shape)
    assert {row["class"] for row in found.record()["objects"]} >= {"cat", "person"}
    assert len(json.dumps(found.record())) < 10_000
