"""The catalogue: embedded files are whole, small and the ones that it names; other files are checked before use."""

import re
import struct

import pooch
import pytest
import safetensors.torch
import torch

from labkit.classes import label_set
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.models import SEMANTIC
from labkit.variants import VARIANTS
from labkit.weights import download
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import EMBEDDED, embedded_path, find_weights, read_header

WHOLE = embedded_path("fcn").read_bytes()


def test_every_variant_has_weights():
    """All six travel with the package, and nothing else does."""
    assert EMBEDDED.keys() == {row.name for row in VARIANTS}
    assert {path.stem for path in embedded_path("fcn").parent.glob("*.safetensors")} == EMBEDDED.keys()


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_files(name):
    """At most 12 MB, the right sha256, the variant's name inside; fp16, but for the large matrices of SAM."""
    path = embedded_path(name)
    assert path.stat().st_size <= 12_000_000
    assert pooch.file_hash(path) == EMBEDDED[name] and read_header(path)["variant"] == name
    dtypes = {tensor.dtype for tensor in safetensors.torch.load_file(path).values()}
    assert dtypes == {torch.float16} | ({torch.int8, torch.bfloat16} if name == "sam" else set())


def test_semantic_variants_share_one_encoder():
    """The encoders' weights are equal bit for bit: what differs between the four variants is the decoder."""
    states = [safetensors.torch.load_file(embedded_path(name)) for name in SEMANTIC]
    names = [name for name in states[0] if name.startswith("encoder.")]
    assert len(names) > 200
    assert all(torch.equal(state[name], states[0][name]) for state in states for name in names)


def test_changed_embedded_file(tmp_path, monkeypatch):
    """One flipped byte in the package is found, and both hashes are said."""
    data = bytearray(WHOLE)
    data[-1] ^= 1
    (tmp_path / "fcn.safetensors").write_bytes(data)
    monkeypatch.setattr("labkit.weights.find.embedded_path", lambda row: tmp_path / f"{row.name}.safetensors")
    with pytest.raises(LabkitError, match=EMBEDDED["fcn"]):
        find_weights("fcn")


@pytest.mark.parametrize(
    "content",
    [b"", b"abc", b"\xff" * 64, b"<html>404</html>" * 8, struct.pack("<Q", 2) + b"[]", WHOLE[:-1000]],
    ids=["empty", "short", "random", "html", "no header", "cut off"],
)
def test_broken_files(tmp_path, content):
    """Whatever stands in place of weights is named as broken before torch sees it."""
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(LabkitError, match=rf"w\.safetensors .*\({text('weights.no_header')}\)"):
        find_weights("fcn", path)


def test_foreign_and_missing(tmp_path):
    """A file of somebody else, safetensors or torch's, another variant's, none, a published one with other bytes."""
    foreign, nowhere = tmp_path / "foreign.safetensors", tmp_path / "nowhere.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(2)}, foreign)
    own, old = tmp_path / "own.pth", tmp_path / "old.safetensors"
    torch.save({"a": torch.zeros(2)}, own)
    torch.save({"a": torch.zeros(2)}, old, _use_new_zipfile_serialization=False)
    wrong = {foreign: "labkit train", embedded_path("unet"): "unet", nowhere: "nowhere"}
    copy = tmp_path / "fcn_resnet50_coco-1167a1af_mine.safetensors"  # a student's, who names it after the start
    copy.write_bytes(embedded_path("fcn").read_bytes())
    assert find_weights("fcn", copy).name == copy.name
    wrong |= {own: "own.pth — не файл весов labkit", old: "old.safetensors — не файл весов labkit"}
    for name in ("fcn_resnet50_coco-1167a1af.pth", "fcn_resnet50_coco-1167a1af (1).pth"):
        published = tmp_path / name  # by its own name: the catalogue's hash is asked for
        published.write_bytes(b"not the published bytes")
        wrong[published] = "1167a1af.*должен начинаться"
    for path, said in wrong.items():
        with pytest.raises(LabkitError, match=said):
            find_weights("fcn", path)


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """`download.fetch` that is asked for nothing real: the releases asked for, and what it then does."""
    asked = []

    def fetch(release, **how):
        asked.append((release.name, how))
        if tmp_path.joinpath("no").exists():
            raise LabkitError("сервер не отвечает\nи так далее")
        return download.Downloaded(tmp_path / release.file, "abc")

    monkeypatch.setattr(download, "fetch", fetch)
    return asked


def test_official(fetched):
    """`official` is a variant's first release, `official/NAME` any of its own; another's is refused."""
    found = find_weights("fcn", "official")
    assert (found.name, found.sha256, found.release) == ("official/fcn_resnet101", "abc", OFFICIAL["fcn_resnet101"])
    assert find_weights(4, "official/sam_vit_l").path.name == "sam_vit_l_0b3195.pth"
    with pytest.raises(LabkitError, match="official/fcn_resnet101, official/fcn_resnet50"):
        find_weights("fcn", "official/sam_vit_l")


def test_auto(fetched, tmp_path):
    """Without a GPU the embedded ones; with one the official ones, asked for once, or the reason why not."""
    assert find_weights("fcn").name == "embedded/fcn" and "видеокарты нет" in find_weights("fcn").reason
    assert not fetched
    found = find_weights("fcn", gpu=True)
    assert found.name == "official/fcn_resnet101" and "есть видеокарта" in found.reason
    assert fetched == [("fcn_resnet101", {"attempts": 1})]
    (tmp_path / "no").touch()
    found = find_weights("fcn", gpu=True)
    assert found.name == "embedded/fcn" and "(сервер не отвечает)" in found.reason
    unet = find_weights("unet", gpu=True)
    assert unet.name == "embedded/unet" and "только" in unet.reason or "лишь" in unet.reason


def test_every_release_is_complete():
    """Each variant has a release; each row has an address, a file name, a size and a licence, and a hash or none."""
    assert {release.variant for release in OFFICIAL.values()} == {row.name for row in VARIANTS}
    for name, release in OFFICIAL.items():
        assert release.name == name and release.url.startswith("https://") and release.file.endswith(".pth")
        assert release.megabytes > 1 and release.licence and release.trained_on and release.source
        assert re.fullmatch(r"(sha256:[0-9a-f]{8}([0-9a-f]{56})?|sha1:[0-9a-f]{40})?", release.hash)
        assert (release.classes == "") == (release.variant == "sam") and release.hash or name == "unet_people"
        assert not release.classes or label_set(release.classes)
