"""A picture in 256 colours, a quarter of the size: python -m docs.smaller FROM.png TO.png"""

import sys

from PIL import Image


def main() -> None:
    source, target = sys.argv[1:]
    with Image.open(source) as picture:
        picture.convert("RGB").quantize(256).save(target, optimize=True)


if __name__ == "__main__":
    main()
