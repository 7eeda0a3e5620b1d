"""What a person says is on a photo, and how well a model agrees with it: for notebooks, README and grading."""
