"""The lecture made visible, one file a topic: real tensors of the loaded model, drawn for the student's own photo."""
