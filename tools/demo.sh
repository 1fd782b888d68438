#!/usr/bin/env bash
# demo.sh demo|serve - a provider on loopback with a sample mailbox, and a mail program on it.
# Everything lies in build/demo (or /run/restante-demo) and is made anew each time; what is started is stopped by id.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/tools/deps.sh"
mode=$1
demo=$here/build/demo
# As root the service runs as nobody, who cannot go where only root may (a clone below /root).
if [ "$(id -u)" = 0 ] && ! setpriv --reuid=nobody --regid=nogroup --clear-groups test -x "$here"; then
	demo=/run/restante-demo
fi
restanted=$here/build/src/restanted/restanted
restante=$here/build/src/restante/restante
address=anna@example.org
password=poste-restante
server=

step() {
	echo
	say "== $*"
}

stop() {
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
		server=
	fi
}
trap stop EXIT
trap 'exit 130' INT TERM

free_port() { # the first free one from $1 on
	python3 - "$1" <<'PY'
import socket, sys
for port in range(int(sys.argv[1]), 65536):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(port)
        break
PY
}

lay_out() { # folders, certificate, configuration, one user
	if [ -f "$demo/run/restanted.pid" ] && kill -0 "$(cat "$demo/run/restanted.pid")" 2>/dev/null; then
		echo "A demo provider is running already (process $(cat "$demo/run/restanted.pid"));" \
			"end it first." >&2
		exit 75
	fi
	rm -rf "$demo"
	mkdir -p "$demo/etc" "$demo/run" "$demo/state"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-keyout "$demo/etc/key.pem" -out "$demo/etc/certificate.pem" -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
	pop3s=$(free_port 9950)
	pop3=$(free_port 1100)
	cat >"$demo/etc/restanted.conf" <<CONF
[server]
hostname = localhost
state-dir = $demo/state
run-dir = $demo/run
workers = 2
[listen]
pop3s = 127.0.0.1:$pop3s
pop3 = 127.0.0.1:$pop3
lmtp = unix:$demo/run/lmtp
[tls]
certificate = $demo/etc/certificate.pem
key = $demo/etc/key.pem
[auth]
users = passwd-file:$demo/etc/users
[store]
type = maildir
path = $demo/mail/%d/%n
CONF
	if [ "$(id -u)" = 0 ]; then # the service gives up root: the mail is owned by somebody else
		mkdir -p "$demo/mail"
		chown nobody:nogroup "$demo/mail" "$demo/state"
		sed -i '2i user = nobody' "$demo/etc/restanted.conf"
	fi
	: >"$demo/etc/users"
	printf '%s\n' "$password" |
		"$restanted" user add -c "$demo/etc/restanted.conf" --password-stdin "$address"
}

start() {
	"$restanted" serve -c "$demo/etc/restanted.conf" 2>"$demo/restanted.log" &
	server=$!
	echo "$server" >"$demo/run/restanted.pid"
	for _ in $(seq 200); do
		[ -S "$demo/run/lmtp" ] && grep -q ready "$demo/restanted.log" && return 0
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	echo "restanted did not start; its log:" >&2
	cat "$demo/restanted.log" >&2
	exit 1
}

deliver() {
	python3 "$here/tools/lmtp_send.py" --big 10 "$demo/run/lmtp" "$address" "$here"/data/samples/*.eml
}

login_data() {
	cat <<DATA

  POP3 server   localhost, port $pop3s, TLS       (or port $pop3 with STARTTLS)
  user name     $address
  password      $password
  certificate   self-signed: $demo/etc/certificate.pem
  LMTP          $demo/run/lmtp
  log           $demo/restanted.log
DATA
}

mail_program() {
	export RESTANTE_HOME=$demo/home RESTANTE_LOCALEDIR=$here/build/po
	printf '%s\n' "$password" | "$restante" account add "$address" --name anna --no-input \
		--pop3 "localhost:$pop3s" --security tls --user "$address" --no-smtp --leave keep \
		--ca-file "$demo/etc/certificate.pem" --password-stdin
	step "restante check: fetch new mail"
	"$restante" check
	step "restante check, again: nothing comes twice"
	"$restante" check
	step "restante list: the inbox"
	"$restante" list
	step "restante show 1: one message"
	"$restante" show 1
}

step "restanted: a provider on loopback"
lay_out
start
echo "running as process $server, configuration $demo/etc/restanted.conf"
step "LMTP: mail arrives for $address"
deliver
if [ "$mode" = serve ]; then
	login_data
	echo
	echo "Running until Ctrl-C."
	wait "$server"
	exit 0
fi
step "restante: a mail program with an account there"
mail_program
stop
cat <<NEXT

$(say "That was the whole way: LMTP in, POP3S out, into your own Maildir. The server is stopped.")
What next?
  ./run restante account add you@your-provider.org
                             an account of your own; then: ./run restante check
  ./run serve                the demo provider again, left running for any mail program
  ./run restanted --help     a provider of your own (README.md says how)
  ./test                     every test
NEXT
