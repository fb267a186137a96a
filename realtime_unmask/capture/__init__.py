"""Where pictures and sound come from: photos, video files, streams, cameras, microphones."""
