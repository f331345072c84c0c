#!/bin/sh
# Makes sure that the named tools are here: scripts/need.sh cargo cc cmake node npm openssl python3 python3-venv
#
# What is missing is installed with apt-get where that needs no password (root, or sudo that asks nothing). Everywhere
# else this stops and says the one command to type. With everything in place it does nothing.
set -eu

# Some of the tools are for administrators, and not where everybody looks.
PATH=$PATH:/usr/sbin:/sbin

NODE_MAJOR=18
PYTHON_MINOR=10

have() {
    case $1 in
        node) command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge "$NODE_MAJOR" ] ;;
        python3) python3 -c "import sys; sys.exit(sys.version_info < (3, $PYTHON_MINOR))" 2>/dev/null ;;
        # Debian has a part of Python's own library in a package apart.
        python3-venv) python3 -c 'import venv, ensurepip' 2>/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

absent() {
    lacking=
    for tool; do
        have "$tool" || lacking="$lacking $tool"
    done
    echo "${lacking# }"
}

# The packages of a tool, in the words of the package manager.
packages() { # manager, tools...
    manager=$1
    shift
    for tool; do
        case $manager:$tool in
            apt-get:cc) printf 'gcc libc6-dev ' ;;
            apt-get:node | dnf:node) printf 'nodejs ' ;;
            brew:cc | dnf:cc) printf 'gcc ' ;;
            brew:npm) printf 'node ' ;;
            brew:python3 | brew:python3-venv) printf 'python ' ;;
            dnf:python3-venv) printf 'python3 ' ;;
            *:varnishtest) printf 'varnish ' ;;
            *:nft) printf 'nftables ' ;;
            apt-get:ip) printf 'iproute2 ' ;;
            dnf:ip) printf 'iproute ' ;;
            *:unshare) printf 'util-linux ' ;;
            apt-get:h2load) printf 'nghttp2-client ' ;;
            brew:h2load | dnf:h2load) printf 'nghttp2 ' ;;
            *) printf '%s ' "$tool" ;;
        esac
    done
}

stop() {
    printf 'porteur: %s\n' "$@" >&2
    exit 1
}

versions="Node.js must be $NODE_MAJOR or newer, Python 3.$PYTHON_MINOR or newer"
missing=$(absent "$@")
[ -n "$missing" ] || exit 0

# Rust comes from rustup, not from the system: its packages are often too old.
case " $missing " in
    *' cargo '*) stop "cargo is missing. Install Rust from https://rustup.rs and open a new shell" ;;
esac

# shellcheck disable=SC2086 # the lists are words
for manager in apt-get dnf brew; do
    command -v $manager >/dev/null || continue
    list=$(packages $manager $missing)
    command="$manager install -y ${list% }"
    [ $manager = brew ] || command="sudo $command"
    [ $manager = apt-get ] || stop "missing: $missing" "type: $command"

    if [ "$(id -u)" = 0 ]; then
        as=''
    elif sudo -n true 2>/dev/null; then
        as='sudo -n'
    else
        stop "missing: $missing" "type: sudo apt-get update && $command"
    fi
    echo "porteur: installing ${list% }" >&2
    $as env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    $as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $list
    missing=$(absent "$@")
    [ -z "$missing" ] || stop "still missing or too old after the installation: $missing ($versions)"
    exit 0
done

stop "missing: $missing" "install them with the package manager of this system ($versions)"
