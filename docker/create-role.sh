#!/bin/sh
# Run once by the postgres image, on an empty data directory. The application must not connect as the image's superuser:
# superusers are not bound by row-level security, which is the second wall between workspaces. Its own role owns its
# database and can do nothing beyond it.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres --set=password="$ORKESTRATE_DB_PASSWORD" <<'SQL'
create role orkestrate login nosuperuser nocreatedb nocreaterole nobypassrls password :'password';
create database orkestrate owner orkestrate;
revoke all on database orkestrate from public;
SQL
