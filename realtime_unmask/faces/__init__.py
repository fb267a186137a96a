"""Faces: where they are, which is which, and how their crops lie."""
