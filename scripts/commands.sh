#!/bin/sh
# Prints docs/commands.md: the help of every command, at 100 columns.
# scripts/commands.sh target/debug/keyrite > docs/commands.md
set -eu

program=${1:?usage: scripts/commands.sh PROGRAM}

help_of() {
    # The pipe disables colours.
    COLUMNS=100 "$program" "$@" --help | cat
}

# Prints the section of a command, then those of its subcommands.
section() {
    text=$(help_of "$@")
    printf '\n## keyrite%s\n\n```text\n%s\n```\n' "${*:+ $*}" "$text"
    for name in $(printf '%s\n' "$text" | sed -n '/^Commands:$/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'); do
        [ "$name" = help ] || (section "$@" "$name")
    done
}

cat <<'PAGE'
# Commands

This page is generated: one section for each subcommand, with its help at 100 columns. `COLUMNS=100 keyrite COMMAND --help | cat` prints the same. After changing a help text, regenerate it with the default features:

```
cargo build --locked
scripts/commands.sh target/debug/keyrite > docs/commands.md
```
PAGE
section
