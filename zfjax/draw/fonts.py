"""Letters of any script in a picture: our font, and where it lacks some, installed ones that have them."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from matplotlib.font_manager import fontManager, get_font

from zfjax.terminal import say

FONT = "DejaVu Sans"  # comes with matplotlib
# In this order, then all whose names begin with Noto Sans: those that systems bring along for other scripts.
OTHERS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK TC", "Noto Sans CJK KR", "Source Han Sans SC",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "PingFang SC", "Hiragino Sans GB",
    "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "SimHei", "IPAGothic",
    "NanumGothic", "Arial Unicode MS", "Unifont",
)  # fmt: skip
_told: set[str] = set()


def families(text: str) -> list[str]:
    """Our font, and of the others those that it takes to write the text.

    Says once which letters no installed font has, and what helps: they are drawn as boxes, and stay letters in an SVG.
    """
    missing, chosen = _lacking(FONT, text), [FONT]
    for name in _others() if missing else ():
        if (still := _lacking(name, missing)) != missing:
            missing, chosen = still, [*chosen, name]
        if not missing:
            break
    if missing - _told:
        _told.update(missing)
        letters = "".join(sorted(missing))
        say(
            f"no installed font has {letters[:20]}{'...' * (len(letters) > 20)}: drawn as boxes; install one, for "
            "instance the package fonts-noto-cjk or google-noto-sans-cjk-fonts for Chinese, Japanese and Korean",
            error=True,
        )
    return chosen


def _lacking(name: str, letters: Iterable[str]) -> set[str]:
    return {letter for letter in letters if not letter.isspace() and ord(letter) not in _letters(name)}


@functools.cache
def _letters(name: str) -> frozenset[int]:
    paths = (fontManager.findfont(name),) if name == FONT else (e.fname for e in fontManager.ttflist if e.name == name)
    return frozenset(number for path in paths for number in get_font(path).get_charmap())


def _others() -> list[str]:
    installed = {entry.name for entry in fontManager.ttflist}
    more = sorted(name for name in installed - {*OTHERS} if name.startswith("Noto Sans"))
    return [name for name in OTHERS if name in installed] + more
