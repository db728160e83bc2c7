"""What tests of the pages share."""

from browser import chromium, reader
from fake_gallery import gallery

__all__ = ["chromium", "gallery", "reader"]  # fixtures
