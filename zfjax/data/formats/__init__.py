"""Files of records: TFRecord and ArrayRecord, read without TensorFlow."""
