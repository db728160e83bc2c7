"""What tests of the pages share."""

from browser import chromium, reader

__all__ = ["chromium", "reader"]  # fixtures
