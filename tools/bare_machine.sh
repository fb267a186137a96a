#!/bin/sh
# Makes a Debian or Ubuntu ready for the program, and prints the Python to use.
#
# Wanted: Python 3.11 or 3.12 that can make virtual environments, and the libraries that mediapipe,
# OpenCV, Qt (for the window) and sounddevice (for the microphone) load. What is missing is
# installed with apt-get where that is allowed without asking (as root, or by sudo without a
# password); otherwise it is named, and the exit code is 1.
set -eu

say() { echo "$*" >&2; }

# Prints the first command that really runs as Python 3.11 or 3.12; a version manager's stand-in
# on the PATH may exist and still fail.
find_python() {
    for candidate in ${PYTHON:-python3.12 python3.11 python3}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
            >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# Prints the Debian packages that this machine lacks.
missing_packages() {
    if ! python=$(find_python); then
        echo "python3 python3-venv"
        # Without a Python nothing can be asked about the libraries.
        echo "libegl1 libgles2 libgl1 libglib2.0-0 libportaudio2"
        echo "libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0"
        echo "libxcb-keysyms1 libxcb-render-util0 libxcb-randr0 libxcb-shape0 libxcb-xkb1"
        return 0
    fi
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
    while read -r library package; do
        "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$library" >/dev/null 2>&1 ||
            echo "$package"
    done <<LIBRARIES
libEGL.so.1 libegl1
libGLESv2.so.2 libgles2
libGL.so.1 libgl1
libglib-2.0.so.0 libglib2.0-0
libdbus-1.so.3 libdbus-1-3
libfontconfig.so.1 libfontconfig1
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libxcb-cursor.so.0 libxcb-cursor0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-image.so.0 libxcb-image0
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-render-util.so.0 libxcb-render-util0
libxcb-randr.so.0 libxcb-randr0
libxcb-shape.so.0 libxcb-shape0
libxcb-xkb.so.1 libxcb-xkb1
libportaudio.so.2 libportaudio2
LIBRARIES
}

# Runs apt-get as root, or fails if that cannot be done without a question.
apt() {
    if [ "$(id -u)" = 0 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get -y -qq "$@" >&2
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive apt-get -y -qq "$@" >&2
    fi
}

may_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] || sudo -n true >/dev/null 2>&1
}

wanted() {
    say "Python 3.11 or 3.12 is needed, and none was found (${PYTHON:-python3.12, python3.11, python3})."
    say "Install one of them, or say where it is:  make PYTHON=/path/to/python3.12 ..."
    exit 1
}

# No package of the system would make a Python of that name.
[ -z "${PYTHON:-}" ] || find_python >/dev/null || wanted

if [ "$(uname -s)" = Linux ]; then
    packages=$(missing_packages | tr '\n' ' ')
    if [ -n "$packages" ]; then
        if ! may_install; then
            say "These system packages are missing: $packages"
            say "Install them, then run make again:  sudo apt-get install $packages"
            exit 1
        fi
        say "Installing system packages: $packages"
        # shellcheck disable=SC2086  # a list of words
        apt install --no-install-recommends $packages || {
            apt update
            apt install --no-install-recommends $packages
        } || {
            say "apt-get could not install them. Install these, then run make again: $packages"
            exit 1
        }
    fi
fi

find_python || wanted
