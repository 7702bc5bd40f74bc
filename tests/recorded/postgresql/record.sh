#!/bin/sh
# Records what PostgreSQL 15 writes with log_destination = 'jsonlog': statements.jsonl with log_statement, pgaudit.jsonl with pgaudit.
# Run it as a user who may start a server, with its programs and pgaudit installed: record.sh PROGRAMS FOLDER PORT
set -eu
programs=$1 folder=$2 port=$3 here=$(cd "$(dirname "$0")" && pwd)
grant=6f1e8c1e-7d6b-4b86-a5a5-0c6b0f3f5a11

as() { user=$1; shift; psql -q -h 127.0.0.1 -p "$port" -U "$user" postgres "$@" </dev/null >/dev/null 2>&1 || true; }

play() {
  as postgres -c "create role alice login superuser" -c "create role bob login" -c "create role \"curfew-$grant\" login" \
    -c "create table payments (id int, card text)" -c "grant all on payments to \"curfew-$grant\""
  PGAPPNAME="curfew-$grant" as alice -c "insert into payments values (1, '4111-1111-1111-1111')" -c "select * from payments" \
    -c "ALTER ROLE bob PASSWORD 'hunter2'" -c "update public.payments set card = '5500-0000-0000-0004' where id = 1" -c "delete from nothing"
  PGAPPNAME=psql as "curfew-$grant" -c "delete from payments where id = 1"
  PGAPPNAME="import for INC-4711" as alice -c "truncate payments"
  PGAPPNAME="curfew-$grant" as bob -c "select count(*) from payments"
  as alice -c "/* hi */ insert into payments values (2, 'zwei')" -c "prepare p as insert into payments values (\$1, \$2)" \
    -c "select 'taken from hunter2'" -c "with x as (select 1) insert into payments select 9, 'neun'" -c 'create table "Odd Name" (x int)'
  as nobody -c "select 1"
}

for kind in statements pgaudit; do
  rm -rf "$folder"
  "$programs/initdb" -D "$folder" -A trust -U postgres >/dev/null
  {
    echo "listen_addresses='127.0.0.1'" "port=$port" "unix_socket_directories=''" | tr ' ' '\n'
    printf '%s\n' logging_collector=on log_destination=jsonlog log_timezone=UTC log_filename=log log_connections=on log_disconnections=on
    if [ $kind = statements ]; then echo "log_statement=all"; else
      printf '%s\n' shared_preload_libraries=pgaudit "pgaudit.log='read,write,ddl,role'" pgaudit.log_relation=on
    fi
  } >>"$folder/postgresql.conf"
  "$programs/pg_ctl" -D "$folder" -w -l "$folder/start" start >/dev/null </dev/null
  if [ $kind = pgaudit ]; then as postgres -c "create extension pgaudit"; fi
  play
  "$programs/pg_ctl" -D "$folder" -w stop >/dev/null </dev/null
  cp "$folder/log/log.json" "$here/$kind.jsonl"
done
