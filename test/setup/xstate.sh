#!/bin/sh
# Prints the library to preload into user-mode Linux before 7.0 where the host's CPU has AMX; nothing where it has not.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sheath
library=$CACHE/uml-xstate.so
grep -qw amx_tile /proc/cpuinfo || exit 0
if [ -n "$(find "$library" -newer "$HERE/../kernel/uml-xstate.c" 2>/dev/null)" ]; then echo "$library"; exit 0; fi
sh "$HERE/packages.sh" gcc=gcc
[ -e /usr/include/stdlib.h ] || sh "$HERE/packages.sh" libc-headers=libc6-dev
mkdir -p "$CACHE"
gcc -shared -fPIC -O2 -o "$library.part.$$" "$HERE/../kernel/uml-xstate.c"
mv "$library.part.$$" "$library"
echo "$library"
