"""Tables 4 to 7, Fig. 9: new classifiers on frozen layers."""
