#!/bin/sh
# Installs the project's npm packages, and with them its own Node, where node_modules is missing or older than the lock file.
set -eu
cd "$(dirname "$0")/../.."
stamp=node_modules/.package-lock.json
if [ -e "$stamp" ] && [ -x node_modules/.bin/node ] && [ -z "$(find package-lock.json -newer "$stamp")" ]; then exit 0; fi
command -v npm >/dev/null 2>&1 || {
  echo 'set-up: npm is missing; install Node.js 20 or later (on Debian: apt-get install npm) and try again' >&2
  exit 1
}
echo 'set-up: npm ci' >&2
npm ci --no-audit --no-fund --loglevel=error >&2
[ -x node_modules/.bin/node ] || { echo 'set-up: npm ci brought no node_modules/.bin/node' >&2; exit 1; }
touch "$stamp"
