#!/bin/sh
# Installs the project's npm packages, and with them its own Node, where node_modules is missing or older than the lock file.
set -eu
cd "$(dirname "$0")/../.."
NPM=11.19.1
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sheath
OURS=node_modules/.set-up
NPMS=node_modules/.package-lock.json

# Succeeds when the file $1, written after an installation, is there and newer than the lock file.
installed() { [ -e "$1" ] && [ -x node_modules/.bin/node ] && [ -z "$(find package-lock.json -newer "$1")" ]; }

# npm leaves out what its Node is too old for, and says nothing: with Debian 12's Node 18, the linter's native part.
recent() {
  node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 22 || (major === 22 && minor >= 19) ? 0 : 1)'
}

if installed "$OURS"; then exit 0; fi
if ! command -v npm >/dev/null 2>&1 || ! command -v node >/dev/null 2>&1; then
  echo 'set-up: npm is missing; install it (on Debian: apt-get install npm) and try again' >&2
  exit 1
fi
if recent; then
  if installed "$NPMS"; then exit 0; fi
else
  # The old one fetches only the Node of our lock file, and an npm for it.
  version=$(node -p 'require("./package-lock.json").packages["node_modules/node"].version')
  tools=$CACHE/npm-$NPM-node-$version
  if [ ! -d "$tools" ]; then
    echo "set-up: npm $NPM with Node $version, because Node here is $(node --version)" >&2
    mkdir -p "$CACHE"
    part=$(mktemp -d "$CACHE/npm.XXXXXX")
    trap 'rm -rf "$part"' EXIT
    npm install --prefix "$part" --no-audit --no-fund --loglevel=error "node@$version" "npm@$NPM" >&2
    mv -T "$part" "$tools"
  fi
  PATH=$tools/node_modules/.bin:$PATH
  # As Debian's Node does: trust whom the machine trusts.
  export NODE_USE_SYSTEM_CA=1
fi
echo 'set-up: npm ci' >&2
npm ci --no-audit --no-fund --loglevel=error >&2
[ -x node_modules/.bin/node ] || { echo 'set-up: npm ci brought no node_modules/.bin/node' >&2; exit 1; }
touch "$OURS"
