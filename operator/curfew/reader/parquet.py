"""Records as Parquet: OCSF events, a file a class, in the form that data lakes import."""

from pathlib import Path

import duckdb

from curfew.audit.event_type import OcsfClass


def write_parquet(jsonl: Path, folder: Path) -> None:
    """Write the records of a JSON lines file (an object with `index` and `record` a line) into a new folder."""
    folder.mkdir()
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.execute(
            "CREATE TABLE lines AS SELECT CAST(json->>'$.index' AS BIGINT) AS idx, json->'$.record' AS record, "
            "CAST(json->>'$.record.class_uid' AS INTEGER) AS class FROM read_ndjson_objects(?)",
            [str(jsonl)],
        )
        classes = [row[0] for row in connection.execute("SELECT DISTINCT class FROM lines ORDER BY class").fetchall()]
        for number in classes:
            _write(connection, number, folder / f"ocsf-{number}-{_name(number)}.parquet")


def _write(connection: duckdb.DuckDBPyConnection, number: int, path: Path) -> None:
    # The columns are all fields that any of the class's records has.
    found = connection.execute("SELECT json_group_structure(record) FROM lines WHERE class = ?", [number]).fetchone()
    structure = str(found[0]) if found else "{}"
    events = f"unnest(json_transform(record, '{_quoted(structure)}'))"
    connection.execute(
        f"CREATE OR REPLACE TABLE events AS SELECT idx, {events} FROM lines WHERE class = ? ORDER BY 1",  # noqa: S608  quoted
        [number],
    )
    connection.execute(f"COPY events TO '{_quoted(str(path))}' (FORMAT parquet, COMPRESSION zstd)")


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _name(number: int) -> str:
    try:
        return OcsfClass(number).name.lower().replace("_", "-")
    except ValueError:
        return "of-a-later-version"
