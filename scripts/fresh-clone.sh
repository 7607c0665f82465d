#!/usr/bin/env bash
# Runs the commands of the README as a newcomer would: a clone of the committed state in an empty
# folder, an empty HOME, nothing installed but Node and npm.
#
#   scripts/fresh-clone.sh [node version] [command ...]
#
# Without commands it runs demo, test and check, starts `pnpm start` until it says that it is ready,
# and interrupts it. Everything it made is removed at the end.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=""
if [[ "${1:-}" =~ ^[0-9]+(\.[0-9]+)*$ ]]; then
  version=$1
  shift
fi
commands=("$@")
[ ${#commands[@]} -gt 0 ] || commands=(demo test check start)

folder=$(mktemp -d "${TMPDIR:-/tmp}/parsec-fresh-XXXXXX")
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/home"
git clone --quiet "$repository" "$folder/parsec"
cd "$folder/parsec"

pnpm() {
  local runner=(npx -y pnpm@10)
  [ -z "$version" ] || runner=(npx -y -p "node@$version" -p pnpm@10 -- pnpm)
  env -i HOME="$folder/home" PATH="$PATH" TERM="${TERM:-dumb}" "${runner[@]}" "$@" </dev/null
}

# Starts the cluster in a session of its own, interrupts the session as Ctrl-C would, and checks that
# it ends cleanly.
start_and_interrupt() {
  local log="$folder/start.log" leader
  set -m
  pnpm start >"$log" 2>&1 &
  leader=$!
  set +m
  for _ in $(seq 1 240); do
    grep -q curl "$log" && break
    kill -0 "$leader" 2>/dev/null || break
    sleep 0.5
  done
  cat "$log"
  grep -q curl "$log" || { echo "start printed nothing to try" >&2; return 1; }
  kill -INT -- "-$leader"
  wait "$leader" || true
  if kill -0 -- "-$leader" 2>/dev/null; then
    echo "start left processes behind" >&2
    return 1
  fi
}

for command in "${commands[@]}"; do
  printf '\n$ npx -y pnpm@10 %s\n' "$command"
  if [ "$command" = start ]; then start_and_interrupt; else pnpm "$command"; fi
done

left=$(git status --porcelain)
[ -z "$left" ] || { printf 'the working tree changed:\n%s\n' "$left" >&2; exit 1; }
echo
echo "fresh clone: ${commands[*]}: fine"
