#!/bin/sh
# Makes the log-in of web and worker: it owns nothing, and `hub migrate` lets it take the roles that row-level security binds. The image
# of PostgreSQL runs this once, on an empty database; elsewhere the SQL stands in docs/deploy.md.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$HUB_LOGIN_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE hub_login LOGIN NOINHERIT PASSWORD :'password';
SQL
