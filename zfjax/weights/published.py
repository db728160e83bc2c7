"""torchvision's published weights: which files they are, and how they are fetched: whole, checked, gone on with."""

from __future__ import annotations

import hashlib
import io
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple, cast

from zfjax.errors import InputError
from zfjax.runtime.files import commit, open_to_read, open_to_write, own_folder
from zfjax.runtime.places import cache_folder
from zfjax.terminal import meter, say

BASE = "https://download.pytorch.org/models"
_PIECE = 1 << 20  # bytes
_SECONDS = 30.0  # without a byte, after which a server counts as gone


class Published(NamedTuple):
    """A file of weights: its name carries the first eight digits of its SHA-256."""

    file: str
    arch: str


# torchvision's first weights for ImageNet (IMAGENET1K_V1) of every network of its that the zoo has
PUBLISHED = {
    "alexnet": Published("alexnet-owt-7be5be79.pth", "alexnet-torchvision"),
    "googlenet": Published("googlenet-1378be20.pth", "googlenet-bn"),
    "squeezenet1_0": Published("squeezenet1_0-b66bff10.pth", "squeezenet1_0"),
    "squeezenet1_1": Published("squeezenet1_1-b8a52dc0.pth", "squeezenet1_1"),
    "resnet18": Published("resnet18-f37072fd.pth", "resnet18"),
    "resnet34": Published("resnet34-b627a593.pth", "resnet34"),
    "resnet50": Published("resnet50-0676ba61.pth", "resnet50"),
    "resnet101": Published("resnet101-63fe2227.pth", "resnet101"),
    "resnet152": Published("resnet152-394f9c45.pth", "resnet152"),
    "vgg11": Published("vgg11-8a719046.pth", "vgg11"),
    "vgg13": Published("vgg13-19584684.pth", "vgg13"),
    "vgg16": Published("vgg16-397923af.pth", "vgg16"),
    "vgg19": Published("vgg19-dcbb9e9d.pth", "vgg19"),
    "vgg11_bn": Published("vgg11_bn-6002323d.pth", "vgg11-bn"),
    "vgg13_bn": Published("vgg13_bn-abd245e5.pth", "vgg13-bn"),
    "vgg16_bn": Published("vgg16_bn-6c64b313.pth", "vgg16-bn"),
    "vgg19_bn": Published("vgg19_bn-c79401a0.pth", "vgg19-bn"),
}


def published(name: str) -> Published:
    """Raises InputError for a name that the table lacks."""
    if name not in PUBLISHED:
        raise InputError(f"no weights torchvision:{name} are known; there are {', '.join(PUBLISHED)}")
    return PUBLISHED[name]


def fetch(file: str, arch: str = "NAME", *, base: str = BASE, folder: Path | None = None) -> Path:
    """The file in a folder (None: ~/.cache/zfjax/weights), from the server where it is not there yet.

    arch: whose weights they are. What a stop has left behind is gone on with. Raises InputError, with what to do
    instead, where the server does not answer, and where what comes is not what the name says.
    """
    folder = folder or cache_folder("weights")
    if folder is None:
        raise InputError(f"there is no home folder to keep {file} in; fetch {base}/{file} and give its path")
    path, part = folder / file, folder / f"{file}.part"
    try:
        own_folder(folder).mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _download(f"{base}/{file}", part)
            _check(part, file, url=f"{base}/{file}")
            commit(part, path)
            say(f"fetched {base}/{file} into {folder}")
        _check(path, file, url=f"{base}/{file}")
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"cannot fetch {base}/{file} ({reason}); fetch it where there is a network, and give the file: "
            f"python -m zfjax.weights {file} --arch={arch}"
        ) from error
    except OSError as error:
        raise InputError(f"cannot keep {file} in {folder} ({error.strerror or error}); see to that folder") from error
    return path


def _download(url: str, part: Path) -> None:
    """Adds to the part what it lacks; a server that knows no ranges sends all of it again."""
    have = part.stat().st_size if part.is_file() and not part.is_symlink() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        if have and error.code == 416:  # the part is whole, or longer than the file: its checksum will tell
            return
        raise
    with answer:
        goes_on = answer.status == 206
        total = int(answer.headers.get("Content-Length") or 0) + have * goes_on
        start = have * goes_on
        with (
            open_to_write(part, "ab" if goes_on else "wb") as file,
            meter(total=total or None, initial=start, desc=part.stem, unit="B", unit_scale=True) as bar,
        ):
            while piece := answer.read(_PIECE):
                file.write(piece)
                bar.update(len(piece))
            if total and file.tell() < total:
                raise ConnectionError(f"it ended after {file.tell():,} of {total:,} bytes")


def _check(path: Path, name: str, *, url: str) -> None:
    """Raises InputError unless the file's SHA-256 begins as its name says; a wrong one is taken away."""
    found = re.search(r"-([0-9a-f]{8,})\.", name)
    wanted = found[1] if found else ""
    with open_to_read(path) as file:
        digest = hashlib.file_digest(cast("io.BufferedReader", file), "sha256").hexdigest()
    if not digest.startswith(wanted):
        path.unlink()
        raise InputError(
            f"what came from {url} is not {name}: its SHA-256 begins with {digest[: len(wanted)]}; it was taken away, "
            "fetch it again"
        )
