"""A convnet beside other classifiers on the same pixels."""
