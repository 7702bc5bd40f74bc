"""The statistics of a period computed a second time, in SQL, from exported records: written from docs/stats.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb

Rows = list[dict[str, Any]]

_RECORDS: Final = """
CREATE TABLE {name} AS SELECT
  (json->>'$.index')::BIGINT AS idx,
  (json->>'$.record.time')::BIGINT AS t,
  json->>'$.record.unmapped.curfew.event' AS event,
  json->>'$.record.unmapped.curfew.subject' AS subject,
  json->>'$.record.unmapped.curfew.actor' AS actor,
  json->'$.record.unmapped.curfew.story' AS story,
  json->'$.record.unmapped.curfew.detail' AS detail
FROM read_ndjson_objects(?, maximum_object_size = 16777216)"""

_REQUESTS: Final = """
CREATE TABLE ends AS SELECT subject, min(idx) AS end_idx FROM trail WHERE event IN ('grant.activated', 'request.rejected',
  'request.cancelled', 'request.timed_out', 'request.deleted', 'review.denied', 'grant.activation_failed', 'request.closed')
  GROUP BY subject;
CREATE TABLE until_end AS SELECT trail.*, ends.end_idx FROM trail LEFT JOIN ends USING (subject)
  WHERE end_idx IS NULL OR idx <= end_idx;
CREATE TABLE marks AS SELECT subject,
  arg_min(t, idx) FILTER (event = 'request.created') AS created,
  arg_min(t, idx) FILTER (event = 'request.accepted') AS accepted,
  arg_min(detail->'$.stages', idx) FILTER (event = 'request.accepted') AS stages,
  arg_min(t, idx) FILTER (event = 'review.submitted' AND detail->>'$.decision' IN ('Approve', 'Deny')) AS looked,
  arg_min(t, idx) FILTER (event IN ('review.approved', 'review.denied')) AS agreed,
  bool_or(event IN ('review.auto_approved', 'review.break_glass_invoked')) AS alone,
  arg_min(t, idx) FILTER (idx = end_idx) AS over,
  arg_min(event, idx) FILTER (idx = end_idx) AS last_event,
  arg_min(detail->>'$.phase', idx) FILTER (idx = end_idx) AS last_phase
FROM until_end GROUP BY subject HAVING created IS NOT NULL;
CREATE TABLE told AS SELECT subject,
  any_value(story->>'$.requester') AS requester,
  any_value(story->>'$.namespace') AS namespace,
  any_value((story->>'$.namespace') || '/' || (story->>'$.policy.name')) AS policy,
  any_value((story->>'$.role.kind') || '/' || (story->>'$.role.name')) AS role,
  any_value(epoch_us((story->>'$.not_before')::TIMESTAMPTZ) // 1000) AS not_before,
FROM trail WHERE story IS NOT NULL GROUP BY subject;
CREATE TABLE requests AS SELECT *,
  CASE last_event WHEN 'grant.activated' THEN 'Granted' WHEN 'request.rejected' THEN 'Rejected'
    WHEN 'request.cancelled' THEN 'Cancelled' WHEN 'request.timed_out' THEN 'TimedOut' WHEN 'request.deleted' THEN 'Deleted'
    WHEN 'review.denied' THEN 'Denied' WHEN 'grant.activation_failed' THEN 'Failed' WHEN 'request.closed' THEN last_phase
    ELSE 'Open' END AS outcome,
  timezone(getvariable('zone'), make_timestamptz(created * 1000)) AS here
FROM marks JOIN told USING (subject)
WHERE created >= getvariable('since') AND created < getvariable('until');
CREATE TABLE waits AS SELECT *,
  over - created AS whole,
  CASE WHEN alone THEN 0 ELSE least(coalesce(looked, agreed, over), over) - accepted END AS nobody_looked,
  CASE WHEN alone THEN 0
    ELSE coalesce(agreed, over) - least(coalesce(looked, agreed, over), over) END AS other_stages,
  CASE WHEN alone THEN greatest(0, least(over, coalesce(not_before, 0)) - accepted)
    WHEN agreed IS NULL THEN 0
    ELSE greatest(0, least(over, coalesce(not_before, 0)) - agreed) END AS start_time,
  whole - nobody_looked - other_stages - start_time AS record_or_rules
FROM requests WHERE accepted IS NOT NULL AND over IS NOT NULL;
CREATE TABLE asked AS SELECT * FROM requests WHERE accepted IS NOT NULL AND NOT alone;
"""

_SPREAD: Final = """
  {value}[((50 * len({value}) + 99) // 100)::INT] AS p50_ms,
  {value}[((90 * len({value}) + 99) // 100)::INT] AS p90_ms,
  {value}[-1] AS worst_ms"""


class InSql:
    """The same figures as `curfew stats`, each by a query of its own."""

    def __init__(self, trail: Path, activity: Path, *, zone: str, since: int, until: int) -> None:
        """Read exported records. `since` and `until` are in milliseconds since 1970."""
        self._connection = duckdb.connect(config={"autoinstall_known_extensions": False})
        for name, path in (("trail", trail), ("activity", activity)):
            self._connection.execute(_RECORDS.format(name=name), [str(path)])
        for name, value in (("zone", zone), ("since", since), ("until", until)):
            self._connection.execute(f"SET VARIABLE {name} = ?", [value])
        self._connection.execute(_REQUESTS)

    def rows(self, query: str) -> Rows:
        """Return the rows of a query, by column."""
        found = self._connection.execute(query)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def waits(self, key: str, name: str) -> Rows:
        """Return the waits by an expression."""
        return self.rows(
            f"WITH groups AS (SELECT {key} AS {name}, list(whole ORDER BY whole) AS waits,"  # noqa: S608  ours
            " sum(nobody_looked)::BIGINT AS nobody_looked_ms, sum(other_stages)::BIGINT AS other_stages_ms,"
            " sum(record_or_rules)::BIGINT AS record_or_rules_ms, sum(start_time)::BIGINT AS start_time_ms"
            f" FROM waits GROUP BY 1) SELECT {name}, len(waits) AS requests, {_SPREAD.format(value='waits')},"
            " nobody_looked_ms, other_stages_ms, record_or_rules_ms, start_time_ms FROM groups"
        )

    def part(self, name: str) -> dict[str, Any]:
        """Return the spread and the sum of one part of the waits."""
        (row,) = self.rows(
            f"WITH ordered AS (SELECT list({name} ORDER BY {name}) AS waits FROM waits)"  # noqa: S608  ours
            f" SELECT {_SPREAD.format(value='waits')}, list_sum(waits)::BIGINT AS sum_ms FROM ordered"
        )
        return row

    def stages(self) -> Rows:
        """Return the waits by policy and stage, and how many requests timed out without the stage."""
        return self.rows(
            "WITH approved AS (SELECT asked.policy, u.subject, u.detail->>'$.stage' AS stage,"  # noqa: S608  ours
            "   greatest(0, max_by(u.t, u.idx) - any_value(asked.accepted)) AS wait"
            " FROM until_end u JOIN asked USING (subject) WHERE event = 'review.submitted'"
            "   AND detail->>'$.decision' = 'Approve' AND detail->>'$.stage' IS NOT NULL GROUP BY ALL),"
            " took AS (SELECT policy, stage, list(wait ORDER BY wait) AS waits FROM approved GROUP BY ALL),"
            " wanted AS (SELECT policy, subject, unnest(from_json(stages, '[\"VARCHAR\"]')) AS stage FROM asked"
            "   WHERE outcome = 'TimedOut'),"
            " missed AS (SELECT policy, stage, count(*) AS n FROM wanted ANTI JOIN approved USING (subject, stage)"
            "   GROUP BY ALL)"
            " SELECT policy, stage, coalesce(len(waits), 0) AS agreed,"
            f" {_SPREAD.format(value='waits')}, coalesce(n, 0) AS timed_out FROM took FULL JOIN missed USING (policy, stage)"
        )

    def timed_out(self) -> Rows:
        """Return where requests time out."""
        return self.rows(
            "SELECT policy, count(*) AS requests, count(*) FILTER (outcome = 'TimedOut') AS timed_out,"
            " count(*) FILTER (outcome = 'TimedOut' AND looked IS NULL) AS nobody_looked FROM asked GROUP BY policy"
            " HAVING timed_out > 0"
        )

    def approvers(self) -> Rows:
        """Return who decided how often in the period."""
        return self.rows(
            "SELECT actor AS person, count(*) AS decisions,"
            " count(*) FILTER (detail->>'$.decision' = 'Approve') AS approvals,"
            " count(*) FILTER (detail->>'$.decision' = 'Deny') AS denials,"
            " count(DISTINCT (story->>'$.namespace') || '/' || (story->>'$.policy.name')) AS policies FROM trail"
            " WHERE event = 'review.submitted' AND detail->>'$.decision' IN ('Approve', 'Deny')"
            " AND t >= getvariable('since') AND t < getvariable('until') GROUP BY actor"
        )

    def unattended(self) -> Rows:
        """Return by policy how many requests came while no approver was there."""
        return self.rows(
            "WITH decided AS (SELECT actor, t, (story->>'$.namespace') || '/' || (story->>'$.policy.name') AS policy,"
            "   detail->>'$.decision' AS decision FROM trail WHERE event = 'review.submitted'),"
            " approvers AS (SELECT DISTINCT policy, actor FROM decided WHERE decision IN ('Approve', 'Deny')),"
            " there AS (SELECT approvers.policy, decided.t FROM approvers JOIN decided USING (actor))"
            " SELECT policy, count(*) AS requests, count(*) FILTER (NOT EXISTS (SELECT 1 FROM there"
            "   WHERE there.policy = asked.policy AND abs(there.t - asked.created) <= 8 * 3600 * 1000)) AS unattended"
            " FROM asked GROUP BY policy"
        )

    def again(self) -> Rows:
        """Return which roles the same people ask for again and again."""
        return self.rows(
            "SELECT requester AS person, role, namespace, count(*) AS requests,"
            " count(*) FILTER (outcome = 'Granted') AS granted, count(DISTINCT here::DATE) AS days FROM requests"
            " WHERE role IS NOT NULL GROUP BY ALL HAVING count(*) >= 3"
        )

    def unused(self, *key: str) -> Rows:
        """Return by some columns how many grants were not used."""
        by = ", ".join(key)
        return self.rows(
            "WITH last AS (SELECT subject, max_by(detail, idx) AS told FROM activity WHERE event = 'session.assessed'"  # noqa: S608  ours
            "   GROUP BY subject), answers AS (SELECT subject, told->>'$.changes' AS changes,"
            "   told->>'$.final' = 'true' AS final, list_sum([coalesce((told->>name)::INT, 0) FOR name IN"
            "   ['$.reads', '$.writes', '$.denied', '$.opaque', '$.derived', '$.standing']]) AS calls FROM last)"
            f" SELECT {by}, count(*) AS grants, count(*) FILTER (final AND (calls > 0 OR changes = 'No')) AS known,"
            " count(*) FILTER (final AND calls = 0 AND changes = 'No') AS unused"
            f" FROM requests LEFT JOIN answers USING (subject) WHERE outcome = 'Granted' GROUP BY {by}"
        )

    def used(self) -> Rows:
        """Return by policy how many permissions were granted, and how many of them allowed a call."""
        return self.rows(
            "WITH rule AS (SELECT DISTINCT requests.policy, unnest(from_json(detail->'$.rules', '[\"JSON\"]')) AS rule"
            "   FROM trail JOIN requests USING (subject) WHERE event = 'grant.intended' AND outcome = 'Granted'),"
            " a AS (SELECT policy, rule, unnest(from_json(rule->'$.apiGroups', '[\"VARCHAR\"]')) AS grp FROM rule),"
            " b AS (SELECT *, unnest(from_json(rule->'$.resources', '[\"VARCHAR\"]')) AS resource FROM a),"
            " c AS (SELECT DISTINCT policy, grp, resource, unnest(from_json(rule->'$.verbs', '[\"VARCHAR\"]')) AS verb,"
            "   from_json(rule->'$.resourceNames', '[\"VARCHAR\"]') AS names FROM b),"
            " calls AS (SELECT DISTINCT requests.policy, detail->>'$.verb' AS verb, coalesce(detail->>'$.group', '') AS grp,"
            "   (detail->>'$.resource') || coalesce('/' || nullif(detail->>'$.subresource', ''), '') AS resource,"
            "   coalesce(detail->>'$.name', '') AS name FROM activity JOIN requests USING (subject)"
            "   WHERE (event LIKE 'call.%' OR event = 'stream.opened') AND detail->>'$.how' = 'Binding'"
            "   AND outcome = 'Granted' AND detail->>'$.resource' IS NOT NULL),"
            " judged AS (SELECT c.*, EXISTS (SELECT 1 FROM calls WHERE calls.policy = c.policy"
            "   AND c.verb IN (calls.verb, '*') AND c.grp IN (calls.grp, '*') AND c.resource IN (calls.resource, '*')"
            "   AND (c.names IS NULL OR list_contains(c.names, calls.name))) AS is_used FROM c),"
            " grants AS (SELECT policy, count(*) AS grants FROM requests WHERE outcome = 'Granted' GROUP BY policy)"
            " SELECT policy, any_value(grants) AS grants, count(*) AS permissions, count(*) FILTER (is_used) AS used"
            " FROM judged JOIN grants USING (policy) GROUP BY policy"
        )

    def totals(self) -> Mapping[str, Any]:
        """Return the numbers that are in no table."""
        (row,) = self.rows(
            "SELECT (SELECT count(*) FROM requests) AS requests, (SELECT count(*) FROM asked) AS need_people,"
            " (SELECT map_from_entries(list((outcome, n))) FROM (SELECT outcome, count(*) AS n FROM requests"
            "   GROUP BY outcome)) AS outcomes,"
            " (SELECT max(t) FROM trail WHERE event LIKE 'request.%' OR event LIKE 'review.%' OR event LIKE 'grant.%')"
            "   - (SELECT min(created) FROM requests WHERE outcome = 'Open') AS longest_open"
        )
        return row
