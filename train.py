"""Trains a convnet of the paper: python train.py --arch=zf"""

from zfjax.cli.train import main

if __name__ == "__main__":
    main()
