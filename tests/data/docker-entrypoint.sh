#!/bin/sh
# What the tests need of the official image's entrypoint: POSTGRES_USER, _PASSWORD and _DB.
set -e
data=/var/lib/postgresql/data
as="setpriv --reuid=999 --regid=999 --clear-groups"
if [ "$POSTGRES_DB" = broken ]; then
    echo "this database is broken" >&2
    exit 3
fi
if [ ! -s $data/PG_VERSION ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    chown -R 999:999 $data /tmp/password
    $as initdb -D $data -U "$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 \
        --encoding=UTF8 --no-locale --no-sync
    echo "host all all all scram-sha-256" >> $data/pg_hba.conf
    echo "CREATE DATABASE \"$POSTGRES_DB\"" | $as postgres --single -D $data postgres
fi
exec $as postgres -D $data -c listen_addresses='*' -c fsync=off
