"""`upload`: a button that brings photos from the browser's machine into a folder of the kernel's."""

import html
import os
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from labkit.io.decode import IMAGE_SUFFIXES
from labkit.io.errors import one_line
from labkit.io.files import local, safe_name, write_whole
from labkit.io.folders import read_file
from labkit.io.masks import annotations_in
from labkit.io.sources import find
from labkit.locale import keep_language, text
from labkit.viewer.widget import awake, display_with_page

__all__ = ["FILE_MB", "Uploader", "upload"]

FILE_MB = 200  # a larger file is not taken

_MB = 1_000_000


def upload(folder: str | os.PathLike[str] = "photos") -> None:
    """Displays a button for photos and zips of photos; each is in `folder` as soon as it has been chosen.

    `folder` is made when the first photo comes. A page without a kernel says only that the button is in the notebook.
    """
    note = text("upload.page")
    display_with_page(awake("labkit.upload", Uploader(folder)), f"<p><em>{html.escape(note)}</em></p>", note)


class Uploader(anywidget.AnyWidget):
    """The button and what it says.

    Not ipywidgets' FileUpload: it sends all files in one message, and at 1 MB Colab (ipywidgets issue 3452), at 10 MB
    Jupyter (issue 2522) drops the connection without a word. Here a file comes in pieces, one at a time.
    """

    _esm = (Path(__file__).parent / "upload.js").read_text("utf-8")
    accept = traitlets.Unicode(",".join([*sorted(IMAGE_SUFFIXES), ".zip"])).tag(sync=True)
    button = traitlets.Unicode().tag(sync=True)
    waiting = traitlets.Unicode().tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)

    def __init__(self, folder: str | os.PathLike[str] = "photos"):
        super().__init__(button=text("upload.button"), waiting=text("upload.waiting"))
        self.folder = local(folder).absolute()
        self._given = Path(folder).as_posix()
        self._notes: list[str] = []
        self._tell()
        self.on_msg(keep_language(self._heard))

    def _heard(self, _widget: Any, piece: dict[str, Any], buffers: list[Any]) -> None:
        """Takes a piece of a file and answers how far it is, where the next one is wanted, or False."""
        if piece["number"] == 1 and piece["start"] == 0:
            self._notes = []
        name = _file_name(piece["name"])
        part, more = self.folder / f".part-{name}", False
        try:
            more = self._take(part, name, piece, b"".join(buffers))
        except Exception as error:  # the page waits for an answer, whatever has happened
            self._note("failed", name=name, error=one_line(error))
        if not more:
            with suppress(OSError):  # the folder may be a file
                part.unlink()
            self._tell()
        told = more and text("upload.progress", number=piece["number"], count=piece["count"], name=name)
        self.send({"id": piece["id"], "more": told})  # no state: a page that is loaded anew would show it

    def _take(self, part: Path, name: str, piece: dict[str, Any], content: bytes) -> bool:
        """Writes a piece and, when the file is whole, keeps it; whether there is more to come."""
        if piece.get("failed"):
            self._note("failed", name=name, error=piece["failed"])
        elif piece["size"] > FILE_MB * _MB:
            self._note("too_large", name=name, megabytes=round(piece["size"] / _MB), limit=FILE_MB)
        elif self._welcome(name, ".zip"):
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("ab" if piece["start"] else "wb") as file:
                file.write(content)
            if part.stat().st_size < piece["size"]:
                return True
            if name.lower().endswith(".zip"):
                self._unpack(part, name)
            else:
                self._keep(part.read_bytes(), name)
        return False

    def _unpack(self, archive: Path, name: str) -> None:
        """The photos of a zip, since a folder's photos are read and its zips are not, and their annotations."""
        empty, elsewhere = True, set[str]()
        for found in find(archive):
            empty = False
            member = name if found.path == archive else _file_name(found.path.name)
            try:
                with found.open() as file:
                    if self._welcome(member) and self._keep(file.read(), member) != member:
                        elsewhere |= {f"{os.path.splitext(member)[0]}{end}" for end in (".", "_mask.")}
            except Exception as error:  # zipfile raises nearly every kind
                self._note("failed", name=member, error=one_line(error))
        if empty:
            return self._note("empty", name=name)
        for path, place in annotations_in(archive):
            kept = self.folder.joinpath(*map(_file_name, place.parts))
            if kept.name.startswith(tuple(elsewhere)):
                self._note("annotation_elsewhere", name=kept.name)
                continue
            try:
                content = read_file(path, FILE_MB)
                if not kept.exists():
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(kept, content)
                elif kept.read_bytes() != content:
                    self._note("annotation_there", name=kept.name)
            except Exception as error:
                self._note("failed", name=path.name, error=one_line(error))

    def _keep(self, content: bytes, name: str) -> str:
        """Writes a whole file into its place and returns its name there: what is there already stays as it is."""
        for path in self._photos():
            if path.stat().st_size == len(content) and path.read_bytes() == content:
                self._note("same", name=name, other=path.name)
                return path.name
        stem, suffix = os.path.splitext(name)
        names = chain([name], (f"{stem}_{n}{suffix}" for n in count(2)))
        free = next(path for path in map(self.folder.joinpath, names) if not path.exists())
        write_whole(free, content)
        if free.name != name:
            self._note("renamed", name=name, other=free.name)
        return free.name

    def _photos(self) -> list[Path]:
        files = self.folder.iterdir() if self.folder.is_dir() else []
        return sorted(path for path in files if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != ".")

    def _welcome(self, name: str, *besides: str) -> bool:
        welcome = os.path.splitext(name)[1].lower() in {*IMAGE_SUFFIXES, *besides}
        if not welcome:
            self._note("not_photo", name=name)
        return welcome

    def _tell(self) -> None:
        """What became of the files, and what to do now."""
        photos = len(self._photos())
        state = [text("upload.state", folder=self._given, count=photos)] if photos else []
        self.message = "\n".join([*self._notes, *state])

    def _note(self, key: str, **values: Any) -> None:
        self._notes.append(text(f"upload.{key}", **values))


def _file_name(name: str) -> str:
    """The last part of a path, safe, its ending kept."""
    stem, suffix = os.path.splitext(name.replace("\\", "/").rsplit("/", 1)[-1])
    return safe_name(stem.strip(" ."), 60) + (suffix and safe_name(suffix, 10))
