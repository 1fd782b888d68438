#!/usr/bin/env bash
# peers.sh NAME... - unpack programs that others wrote under build/peers/NAME, without installing
# them: mail servers conflict with one another and would start services on a person's machine.
# The package and what it needs beyond this system are fetched with apt and opened with dpkg -x.
# A peer that is there already is left alone. Exit 1 when one could not be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD/build/peers
mkdir -p "$top"

# Never from the closure: they would only bring a second mail system or a second C library along.
unwanted='^(exim4|libc6|libc-bin|gnutls-bin|libgnutls28-dev|libgnutlsxx|libgnutls-)'

fetch() { # NAME: the closure of packages this system lacks, and always the package itself
	local arch=$top/$1/arch
	mkdir -p "$arch/partial"
	apt-get -y -qq --download-only --no-install-recommends -o Debug::NoLocking=1 \
		-o APT::Sandbox::User="$(id -un)" -o Dir::Cache::archives="$arch/" install "$1" || return 1
	compgen -G "$arch/$1_*.deb" >/dev/null ||
		(cd "$arch" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$1")
}

unpack() { # NAME
	local deb
	[ -e "$top/$1/ready" ] && return 0
	fetch "$1" >"$top/$1.log" 2>&1 || { tail -n 5 "$top/$1.log" >&2; return 1; }
	for deb in "$top/$1"/arch/*.deb; do
		[[ $(basename "$deb") =~ $unwanted && $(basename "$deb") != "$1"_* ]] && continue
		dpkg -x "$deb" "$top/$1/root" || return 1
	done
	rm -rf "$top/$1/arch"
	touch "$top/$1/ready"
}

failed=0
for name in "$@"; do
	if unpack "$name"; then
		echo "peer $name: $top/$name/root"
	else
		echo "peer $name: could not be fetched (see $top/$name.log); is the network there?" >&2
		failed=1
	fi
done
exit $failed
