"""Draws the paper's figures from a run: python visualize.py --ckpt=runs/zf"""

from zfjax.cli.visualize import main

if __name__ == "__main__":
    main()
