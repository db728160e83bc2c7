"""Top-1 and top-5 error of one run or an ensemble: python evaluate.py --ckpt=runs/zf"""

from zfjax.cli.evaluate import main

if __name__ == "__main__":
    main()
