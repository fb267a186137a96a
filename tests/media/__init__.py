"""Small videos, plain and nasty, made on the spot."""
