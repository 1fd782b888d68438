#!/usr/bin/env bash
# peer_ns.sh NAME EXTRA COMMAND [ARG...] - run COMMAND where the unpacked peer NAME looks
# installed: a mount namespace of its own, its /usr laid over ours, its /etc and the folder EXTRA
# (may be "-") over ours. Nothing outside the namespace changes, and it ends with the command.
# Its processes are in a namespace too: none outlives the command.
# As root plain namespaces are used, else a user namespace in which we are root.
set -eu
if [ "${RS_PEER_NS:-}" != inside ]; then
	export RS_PEER_NS=inside
	[ "$(id -u)" = 0 ] && exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$@"
	exec unshare --map-root-user --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$@"
fi
here=$(cd "$(dirname "$0")/../.." && pwd)
root=$here/build/peers/$1/root
extra=$2
shift 2
etc=/etc
[ -d "$root/etc" ] && etc=$root/etc:$etc
[ "$extra" != - ] && etc=$extra:$etc
mount -t overlay -o "lowerdir=$root/usr:/usr" peer /usr
[ "$etc" = /etc ] || mount -t overlay -o "lowerdir=$etc" peer /etc
unset RS_PEER_NS
exec "$@"
