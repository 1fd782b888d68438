#!/bin/sh
# check_format.sh SOURCE_ROOT - clang-format decides: every C file is as it would write it.
cd "$1" || exit 1
format=$(command -v clang-format-14 || command -v clang-format) || {
	echo "clang-format is missing; install clang-format-14" >&2
	exit 1
}
find src tests -name '*.[ch]' -print0 | xargs -0 "$format" --dry-run -Werror
