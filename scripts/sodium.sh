#!/bin/sh
# The official SDK of Threema, a witness in the tests, needs Debian's libsodium: installed here when it is missing and we may, else
# said in one line.
set -eu
ldconfig -p 2>/dev/null | grep -q libsodium && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing libsodium for the tests of Threema …"
    apt-get install -y -qq libsodium23 >/dev/null || { apt-get update -qq && apt-get install -y -qq libsodium23 >/dev/null; }
else
    echo "The tests of Threema need libsodium. Install it with:  sudo apt-get install libsodium23" >&2
fi
