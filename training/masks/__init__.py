"""Mask synthesis: shapes on the face mesh, cloth, things that are not masks, and a camera."""
