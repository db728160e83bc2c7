"""Walks through a run's network in a browser: python explore.py --ckpt=runs/zf"""

from zfjax.cli.explore import main

if __name__ == "__main__":
    main()
