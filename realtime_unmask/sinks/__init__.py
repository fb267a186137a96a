"""Where pictures go: photos, video files, recordings, a virtual camera, a web page."""
