"""How anything is drawn: pages, tiles of pictures, tables as text. No JAX."""
