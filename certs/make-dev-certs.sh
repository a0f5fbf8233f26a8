#!/usr/bin/env bash
# Throw-away certificates for trying things, in certs/generated: a CA, a server and three clients.
#
#   certs/make-dev-certs.sh [HOST...]      (default: api.example.com localhost)
#
# `alice` is valid, `mallory` is revoked, `dave` belongs to no CA that the server knows. Needs openssl only.
set -euo pipefail
cd "$(dirname "$0")"
hosts=("$@")
[ ${#hosts[@]} -gt 0 ] || hosts=(api.example.com localhost)
rm -rf generated
mkdir generated
cd generated
umask 077

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null ||
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

authority() {  # authority FILE NAME
  key "$1.key"
  openssl req -x509 -new -key "$1.key" -days 3650 -subj "/CN=$2" -out "$1.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

leaf() {  # leaf FILE NAME CA EXTENSIONS
  key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr"
  printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' \
    'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' "$4" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -days 365 -extfile "$1.ext" \
    -set_serial "0x$(openssl rand -hex 16 | sed 's/^./1/')" -out "$1.pem" 2>/dev/null
  rm "$1.csr" "$1.ext"
}

authority ca "Development CA"
authority stranger-ca "Somebody else's CA"
names=$(printf 'DNS:%s,' "${hosts[@]}")
leaf server "${hosts[0]}" ca "extendedKeyUsage=serverAuth
subjectAltName=${names}IP:127.0.0.1"
leaf alice alice ca extendedKeyUsage=clientAuth
leaf mallory mallory ca extendedKeyUsage=clientAuth
leaf dave dave stranger-ca extendedKeyUsage=clientAuth

touch index.txt
echo 01 > crlnumber
cat > ca.cnf <<'END'
[ca]
default_ca = development
[development]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 365
crl_extensions = crl
[crl]
authorityKeyIdentifier = keyid
END
openssl ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -revoke mallory.pem 2>/dev/null
openssl ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -out ca.crl 2>/dev/null
rm -f index.txt* crlnumber* ca.cnf
echo "made in certs/generated: $(ls | tr '\n' ' ')"
