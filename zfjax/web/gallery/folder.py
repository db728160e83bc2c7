"""The folder of a gallery: built beside its place under another name, and there at once when it is whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from zfjax.errors import InputError
from zfjax.runs.lock import LOCK
from zfjax.runs.results import differences
from zfjax.runtime.files import make_folder, open_to_write, own_folder, read_json, write_json
from zfjax.terminal import say

NAME, MANIFEST, SETTINGS = "gallery", "manifest.json", "settings.json"


class Building:
    """A gallery that is being written: what a stop leaves of it is taken up again by the same settings.

    out: the folder that it goes into. settings: all that decides its files, plain data. Raises InputError where
    something else lies in its place.
    """

    def __init__(self, out: Path, settings: dict):
        self.settings = json.loads(json.dumps(settings))
        self.place, self.folder, self.work = (own_folder(out / f"{NAME}{end}") for end in ("", ".tmp", ".work"))
        self._old = own_folder(out / f"{NAME}.old")
        for folder, mark in (
            (self.place, MANIFEST),
            (self._old, MANIFEST),
            (self.folder, SETTINGS),
            (self.work, SETTINGS),
        ):
            _refuse_foreign(folder, mark)
        self._begin()

    def _begin(self) -> None:
        """Goes on only where both folders are of these settings: what one of them lacks the other does not know."""
        for folder in (self.folder, self.work):
            there = read_json(folder / SETTINGS) if folder.exists() else None
            if there is None or (differing := differences(there, self.settings)):
                if there is not None:
                    say(f"{folder} was begun with other settings ({differing[0]}): it is begun anew", error=True)
                self._clear()
                break
        for folder in (self.folder, self.work):
            make_folder(folder)
            if not (folder / SETTINGS).exists():
                write_json(folder / SETTINGS, self.settings)

    def _clear(self) -> None:
        for folder in (self.folder, self.work):
            for path in folder.iterdir() if folder.exists() else ():
                if path.name != LOCK:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def has(self, name: str) -> bool:
        """Whether a file is there, whole unless the power was cut."""
        return (self.folder / name).is_file()

    def write(self, name: str, data: bytes) -> None:
        """Into a file of that name, with folders where there are "/". Raises InputError where the disk will not."""
        path = self.folder / name
        part = path.with_name(f"{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open_to_write(part, "wb") as file:
                file.write(data)
            os.replace(part, path)  # not flushed one by one: thousands of them would take longer than to draw them
        except OSError as error:
            raise InputError(f"cannot write {path} ({error.strerror}); free some space, then start it again") from error

    def finish(self, command: str) -> dict:
        """Gives the folder its name, in place of an earlier gallery; returns the manifest."""
        for part in [path for path in self.folder.rglob("*.part") if path.is_file()]:
            part.unlink()
        os.sync()
        seals = {name: _seal(self.folder / name) for name in _names(self.folder)}
        files = {name: list(seal) for name, seal in seals.items()}
        manifest = {"files": files, "total": sum(size for size, _ in seals.values()), "command": command}
        write_json(self.folder / MANIFEST, manifest)
        if self._old.exists():
            shutil.rmtree(self._old)
        if self.place.exists():
            os.replace(self.place, self._old)
        os.replace(self.folder, self.place)
        for folder in (self._old, self.work):
            if folder.exists():
                shutil.rmtree(folder)
        return manifest


def _refuse_foreign(folder: Path, mark: str) -> None:
    """Raises InputError for a folder that is not ours: without the file that marks it, or with links in it, which would
    lead what is written and removed elsewhere."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; move it away or give another --out")
    there = [path for path in folder.iterdir() if path.name != LOCK] if folder.exists() else []
    if there and not (folder / mark).is_file():
        raise InputError(f"{folder} is no gallery, for it has no {mark}; move it away or give another --out")
    if link := next((path for path in folder.rglob("*") if path.is_symlink()), None):
        raise InputError(f"{link} is a link, and a gallery has none; remove it")


def finished(out: Path, settings: dict) -> bool:
    """Whether the gallery there is whole and was made with these settings."""
    place = own_folder(out / NAME)
    there = read_json(place / SETTINGS) if (place / MANIFEST).is_file() else None
    return there is not None and not differences(there, json.loads(json.dumps(settings)))


def faults(out: Path) -> list[str]:
    """What is wrong with the files of the gallery in `out`, a sentence each. Raises InputError where there is none."""
    place = own_folder(out / NAME)
    manifest = read_json(place / MANIFEST)
    if manifest is None:
        raise InputError(f"{place} has no {MANIFEST}: there is no gallery to check")
    files, there = manifest.get("files"), set(_names(place))
    if not isinstance(files, dict):
        raise InputError(f"{place / MANIFEST} lists no files")
    found = [f"{name} is missing" for name in sorted(files.keys() - there)]
    found += [f"{name} is not of this gallery" for name in sorted(there - files.keys())]
    changed = (name for name in sorted(there & files.keys()) if list(_seal(place / name)) != files[name])
    return found + [f"{name} was changed" for name in changed]


def _names(folder: Path) -> Iterator[str]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST)
    return (path.relative_to(folder).as_posix() for path in paths)


def _seal(path: Path) -> tuple[int, str]:
    data = path.read_bytes()
    return len(data), hashlib.sha256(data).hexdigest()
