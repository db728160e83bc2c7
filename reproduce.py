"""The whole paper, or one of its tables for which networks are trained: python reproduce.py --scale=small"""

from zfjax.cli.reproduce import main

if __name__ == "__main__":
    main()
