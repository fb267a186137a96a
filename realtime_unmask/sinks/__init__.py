"""Where pictures go: photos and video files; windows and virtual cameras to come."""
