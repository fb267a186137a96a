"""Where pictures come from: photos, video files; cameras to come."""
