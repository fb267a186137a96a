"""The window: the one room with Qt."""
