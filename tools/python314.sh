#!/bin/sh
# Python 3.14 for the tests, on a Debian machine whose own release does not have it: Debian forky in a folder.
#
#   sudo tools/python314.sh FOLDER
#   sudo chroot FOLDER sh -c 'cd /src && PYTHONPATH=src PYTHONDONTWRITEBYTECODE=1 /venv/bin/python -m pytest -q -p no:cacheprovider'
#
# Needs root, debootstrap and the machine's Debian mirror. pip inside uses the machine's pip configuration; folders that
# it names on this machine (find-links, file: indexes) are mounted inside at the same place. Running it again repeats
# what is missing: the mounts after a restart, new packages. This checkout is at /src inside.
set -eu

target=${1:?usage: $0 FOLDER}
source=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$target"
target=$(cd "$target" && pwd)

if [ ! -x "$target/usr/bin/python3.14" ]; then
    # The first Debian mirror of either kind of sources list; others (updates, security, third parties) do not matter.
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        sed -n -e 's/^URIs: *\([^ ]*\/debian\/\{0,1\}\)\( .*\)\{0,1\}$/\1/p' \
            -e 's/^deb  *\(\[[^]]*\]  *\)\{0,1\}\([^ ]*\/debian\/\{0,1\}\) .*/\2/p' | head -n 1)
    [ -n "$mirror" ] || { echo "$0: no Debian mirror in /etc/apt" >&2; exit 1; }
    # debootstrap may be older than forky: every Debian since then is made by the same script as sid.
    debootstrap --variant=minbase --include=python3.14,python3.14-venv,ca-certificates \
        forky "$target" "$mirror" /usr/share/debootstrap/scripts/sid
fi

inside() { # put FILE or FOLDER of this machine where it is, but inside
    [ -e "$1" ] || return 0
    mkdir -p "$target$(dirname "$1")"
    if [ -d "$1" ]; then
        mkdir -p "$target$1"
        mountpoint -q "$target$1" || mount --bind "$1" "$target$1"
    else
        cp "$1" "$target$1"
    fi
}

mkdir -p "$target/src"
mountpoint -q "$target/src" || mount --bind "$source" "$target/src"
mountpoint -q "$target/proc" || mount -t proc proc "$target/proc"
mountpoint -q "$target/dev" || mount --rbind --make-rslave /dev "$target/dev"
inside /etc/resolv.conf
inside /etc/hosts
inside /etc/ssl/certs/ca-certificates.crt

# pip: what the configuration says is handed in as one file, whatever files and variables it comes from.
configuration=$(python3 -m pip config list 2>/dev/null | sed -n "s/^\(global\|:env:\)\.\([a-z-]*\)='\(.*\)'$/\2 = \3/p" | sort -u -t = -k 1,1)
printf '[global]\n%s\n' "$configuration" >"$target/etc/pip.conf"
printf '%s\n' "$configuration" | tr ' ' '\n' | while read -r word; do
    case $word in
        file:///*) word=$(dirname "${word#file://}") ;; # an index points to files beside it
        /*) ;;
        *) continue ;;
    esac
    [ ! -d "$word" ] || inside "$word"
done

[ -x "$target/venv/bin/python" ] || chroot "$target" python3.14 -m venv /venv
chroot "$target" /venv/bin/pip install -q --disable-pip-version-check \
    attrs cryptography trio zeroconf bleak click rich segno orjson gmpy2 h11 \
    pytest pytest-trio pytest-cov hypothesis
chroot "$target" /venv/bin/python --version
