"""Results that outlive a stop, each kept under the settings that it was made with, and what to say of other settings.

Many small results are the lines of a `Ledger`; a few large ones are JSON files of their own (`zfjax.runtime.files`),
whose settings are compared by `differences` and refused by `refuse`.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from zfjax.errors import InputError
from zfjax.runtime.files import open_to_write, parse_json, read_bytes, sealed, unsealed

_SHOWN = 6  # differences named in a refusal; two architectures differ in dozens of keys


def differences(there: dict, here: dict, *, show: Callable[[object], str] = repr) -> list[str]:
    """ "key: this there, that here" for every key of `here` that has another value there, or none."""
    differing = [key for key in here if there.get(key) != here[key]]
    return [f"{key}: {show(there.get(key))} there, {show(here[key])} here" for key in differing]


def refuse(what: str, differing: Sequence[str], *, advice: str = "repeat them or give another --out") -> None:
    """Raises InputError if there are differences: "WHAT other settings (seed: 0 there, 1 here; ...); ADVICE"."""
    if differing:
        shown = "; ".join(differing[:_SHOWN]) + (f"; and {len(differing) - _SHOWN} more" * (len(differing) > _SHOWN))
        raise InputError(f"{what} other settings ({shown}); {advice}")


class Ledger:
    """The records of one file that were made under the same settings; those of other settings stay and are not seen.

    settings: all that decides the results, plain data. valid: whether a record can be one of these results. Lines that
    were changed (each has a checksum; those of earlier versions have none) or are not valid count as not there, and a
    warning says so. Raises InputError when the file cannot be read or written.
    """

    def __init__(self, path: str | Path, settings: dict, valid: Callable[[dict], bool] = bool):
        self.path, self.settings = Path(path), json.loads(json.dumps(settings))
        text = json.dumps(self.settings, sort_keys=True)
        self.key = hashlib.sha256(text.encode()).hexdigest()[:12]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            there = self._lines(valid)
            if not any(record.get("settings") == self.settings for record in there):
                self._write({"key": self.key, "settings": self.settings})
        except OSError as error:
            raise InputError(f"cannot write {self.path} ({error.strerror}); give another --out") from error
        self.records = [record for record in there if record.get("key") == self.key and "settings" not in record]

    def append(self, record: dict) -> None:
        """Adds one record; after this it survives any kill."""
        try:
            self._write({"key": self.key, **record})
        except OSError as error:
            raise InputError(f"cannot write {self.path} ({error.strerror}); free some space") from error
        self.records.append(record)

    def _lines(self, valid: Callable[[dict], bool]) -> list[dict]:
        lines = read_bytes(self.path).decode(errors="replace").splitlines() if self.path.exists() else []
        records, damaged = [], []
        for number, line in enumerate(lines, 1):
            try:
                record = parse_json(line)
            except ValueError:
                continue  # cut short by a kill
            if not isinstance(record, dict):
                continue  # the first digits of a cut line parse too
            try:
                record = unsealed(record)
            except ValueError:
                damaged.append(str(number))
                continue
            if record.get("key") != self.key or "settings" in record or valid(record):
                records.append(record)
            else:
                damaged.append(str(number))
        if damaged:
            warnings.warn(
                f"{self.path}: left out what is damaged, line {', '.join(damaged)}; it is measured again", stacklevel=3
            )
        return records

    def _write(self, record: dict) -> None:
        with open_to_write(self.path, "ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                whole = file.read(1) == b"\n"
            else:
                whole = True
            # a line that a kill has cut short must not swallow this one
            file.write((b"" if whole else b"\n") + json.dumps(sealed(record)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
