"""What the site needs beside the field's tools: our docstrings as they are written, and nothing from the web."""
