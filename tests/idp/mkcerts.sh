#!/bin/sh
# Makes the test certificates in the folder named by the first argument: a CA with a server, a server of another name and
# two clients; a CA nobody trusts with one client; two self-signed clients; a client whose time is over.
set -eu
mkdir -p "$1"
cd "$1"

key() { # name
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.sec1"
    openssl pkcs8 -topk8 -nocrypt -in "$1.sec1" -out "$1.key"
    rm "$1.sec1"
}

authority() { # name, common name
    key "$1"
    openssl req -x509 -key "$1.key" -out "$1.pem" -days 3650 -subj "/CN=$2" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

self_signed() { # name
    key "$1"
    openssl req -x509 -key "$1.key" -out "$1.pem" -days 3650 -subj /CN=self-signed-client
}

request() { # name, subject
    key "$1"
    openssl req -new -key "$1.key" -out "$1.csr" -subj "$2"
}

leaf() { # name, authority, subject, alternative names, extended key usage
    request "$1" "$3"
    printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=%s\n' "$5" "$4" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 825 -extfile "$1.ext" -out "$1.pem"
    rm "$1.csr" "$1.ext"
}

# `openssl x509` cannot date a certificate back, `openssl ca` can.
expired() { # name, authority, subject
    request "$1" "$3"
    mkdir book
    : >book/index.txt
    echo 01 >book/serial
    cat >book/ca.cnf <<'CNF'
[ca]
default_ca = book
[book]
database = book/index.txt
serial = book/serial
new_certs_dir = book
default_md = sha256
policy = any
[any]
countryName = optional
organizationName = optional
commonName = supplied
CNF
    # With an extension it is version 3; porteur refuses older ones unseen.
    echo basicConstraints=CA:FALSE >book/ext
    openssl ca -batch -config book/ca.cnf -extfile book/ext -cert "$2.pem" -keyfile "$2.key" -in "$1.csr" -out "$1.pem" \
        -startdate 20200101000000Z -enddate 20200201000000Z -notext
    rm -r "$1.csr" book
}

authority ca "Test Root CA"
authority otherca "Untrusted CA"
leaf server ca /CN=localhost DNS:localhost,DNS:idp.test,DNS:proxy.test,DNS:upstream.test,IP:127.0.0.1,IP:::1 serverAuth
leaf wronghost ca /CN=wrong.test DNS:wrong.test serverAuth
leaf client ca /C=SE/O=Edge/CN=edge-proxy DNS:edge-proxy.test,URI:spiffe://test/edge,IP:127.0.0.1 clientAuth
leaf client2 ca /C=SE/O=Edge/CN=somebody-else DNS:else.test clientAuth
leaf rogue otherca /C=SE/O=Edge/CN=edge-proxy DNS:edge-proxy.test clientAuth
self_signed selfsigned
self_signed selfsigned2
expired expired ca /C=SE/O=Edge/CN=edge-proxy
chmod 600 ./*.key
