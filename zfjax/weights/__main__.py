"""Published weights as a run folder: python -m zfjax.weights FILE --arch=resnet18"""

if __name__ == "__main__":
    from zfjax.cli.weights import main

    main()
