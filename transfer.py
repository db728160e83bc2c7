"""How well a run's features serve another data set: python transfer.py --ckpt=runs/zf --dataset=caltech101"""

from zfjax.cli.transfer import main

if __name__ == "__main__":
    main()
