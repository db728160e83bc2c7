"""The paper's figures and tables, one folder each: `measure` gives arrays, `draw` pictures, `command` files."""
