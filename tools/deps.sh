# deps.sh - sourced by ./run and ./test: the Debian packages each step needs, and installing them.
# One list a purpose; say why a package is here.

# building: compiler, build system, and the libraries of docs/ARCHITECTURE.md
packages_build=(gcc libc6-dev meson ninja-build pkg-config gettext
	libglib2.0-dev  # standard library from floor 2 up, client sockets (GIO)
	libuv1-dev      # the server's event loop
	libssl-dev      # the server's TLS
	libseccomp-dev  # the roles' lists of system calls
	libgsasl-dev    # SASL mechanisms
	libcrypt-dev    # password hashes
	libpq-dev       # users in PostgreSQL
	libpam0g-dev    # the system's users
	libjson-glib-dev # the administrator's requests and answers, tokens of OAuth
	libsecret-1-dev # passwords in the desktop's secret service
	libsqlite3-dev  # the client's ledger
	libgmime-3.0-dev # reading messages
	libcurl4-gnutls-dev # HTTPS (tokens, providers' settings) and IMAP as a target
)
# running: TLS for GIO, trusted certificates, a certificate for the demo
packages_run=(glib-networking ca-certificates openssl python3)
# testing: test library, format and size checks, namespaces for the peers
packages_test=(libcmocka-dev clang-format-14 pmccabe util-linux mount procps perl
	systemd         # systemd-analyze reads our units; nothing of it is started
	dbus-daemon     # a private bus for notifications and secrets
	python3-prometheus-client # its strict parser reads our metrics
)

say() {
	printf '\033[1m%s\033[0m\n' "$*"
}

missing_packages() { # PACKAGE... -> those that are not installed
	local name
	for name in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null)" = "ii " ] || echo "$name"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "This needs root, and there is no sudo here. Run as root: $*" >&2
		return 1
	fi
}

need() { # WHY PACKAGE...
	local why=$1 missing
	shift
	command -v apt-get >/dev/null || {
		echo "This script installs Debian packages, but there is no apt-get here." \
			"Install by hand what is needed for $why: $*" >&2
		return 0
	}
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} = 0 ] && return 0
	say "Installing for $why: ${missing[*]}"
	as_root apt-get -qq update &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
			install "${missing[@]}" >/dev/null ||
		{ echo "apt-get could not install them; its words are above. Is the network there?" >&2; return 1; }
}

build() { # FOLDER [MESON OPTION...]: configure once, then build; the log is shown when it fails
	local dir=$1
	shift
	mkdir -p "$dir"
	if ! { [ -f "$dir/build.ninja" ] || meson setup "$dir" "$@"; } >"$dir/setup.log" 2>&1; then
		cat "$dir/setup.log" >&2
		return 1
	fi
	if ! ninja -C "$dir" >"$dir/build.log" 2>&1; then
		grep -v '^\[' "$dir/build.log" | tail -n 40 >&2
		return 1
	fi
}
