-- Functions behind computed columns, row-level security, grants and counters of 0003. Runs as hub_owner.

-- part: places
-- Where a list has a conversation: models.Conversation says what the columns mean. Whole microseconds since 1970, as page keys carry.
CREATE FUNCTION micros(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT (extract(epoch FROM at - timestamptz '1970-01-01 00:00:00+00') * 1000000)::bigint
$$;
CREATE FUNCTION conversation_urgency(state varchar, turn varchar, due_at timestamptz) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
    SELECT (CASE WHEN state <> 'open' THEN 0 WHEN due_at IS NOT NULL THEN 2 WHEN turn = 'us' THEN 1 ELSE 0 END)::smallint
$$;
CREATE FUNCTION conversation_place(state varchar, due_at timestamptz, snoozed_until timestamptz, sort_at timestamptz)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN state = 'snoozed' THEN -micros(snoozed_until)
        WHEN state = 'open' AND due_at IS NOT NULL THEN -micros(due_at)
        ELSE micros(GREATEST(sort_at, snoozed_until))
    END
$$;
CREATE FUNCTION conversation_rings_at(state varchar, due_at timestamptz, overdue boolean, snoozed_until timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN state <> 'done' THEN
        LEAST(CASE WHEN NOT overdue THEN due_at END, CASE WHEN state = 'snoozed' THEN snoozed_until END)
    END
$$;

-- part: guard
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['team', 'team_member', 'draft'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
             WITH CHECK (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', t);
    END LOOP;
    REVOKE DELETE ON team FROM hub_app;
END $$;

-- Hand-overs name a member, a team or both from here on. The owner is bound by the policies as well, so they rest meanwhile.
ALTER TABLE message NO FORCE ROW LEVEL SECURITY;
UPDATE message SET content = jsonb_build_object(
    'event', 'assigned',
    'from', jsonb_build_object('member', content -> 'from', 'team', NULL),
    'to', jsonb_build_object('member', content -> 'to', 'team', NULL)
) WHERE direction = 'event' AND content ->> 'event' = 'assigned';
ALTER TABLE message FORCE ROW LEVEL SECURITY;

-- Whose due times pass and snoozes end: the sweeper lists the organisations as hub_system.
CREATE POLICY system ON conversation FOR SELECT TO hub_system USING (true);
GRANT SELECT (organisation_id, id, rings_at) ON conversation TO hub_system;

-- Exact counters also of teams, of snoozed ones, and within each list of those with a due time and those that are overdue. What was
-- counted before stays right: nothing has a team or a due time yet.
DROP FUNCTION conversation_list(text, text, uuid);
CREATE FUNCTION conversation_list(state text, urgency smallint, overdue boolean, assignee_id uuid, team_id uuid) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN state <> 'open' THEN ARRAY[state] ELSE (
        SELECT array_agg(name || suffix) FROM
            unnest(ARRAY['all', assignee_id::text, team_id::text, CASE WHEN assignee_id IS NULL AND team_id IS NULL THEN 'unassigned' END])
                AS name,
            unnest(ARRAY['', CASE urgency WHEN 2 THEN '.due' WHEN 1 THEN '.us' END, CASE WHEN overdue THEN '.late' END]) AS suffix
        WHERE name || suffix IS NOT NULL
    ) END
$$;
CREATE OR REPLACE FUNCTION count_conversations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO conversation_counter (organisation_id, list, change)
        SELECT organisation_id, name, count(*)
        FROM new_rows, unnest(conversation_list(state, urgency, overdue, assignee_id, team_id)) AS name GROUP BY 1, 2;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO conversation_counter (organisation_id, list, change)
        SELECT organisation_id, name, -count(*)
        FROM old_rows, unnest(conversation_list(state, urgency, overdue, assignee_id, team_id)) AS name GROUP BY 1, 2;
    ELSE
        INSERT INTO conversation_counter (organisation_id, list, change)
        SELECT organisation_id, name, sum(change) FROM (
            SELECT o.organisation_id, o.state, o.urgency, o.overdue, o.assignee_id, o.team_id, -1 AS change FROM old_rows o
            JOIN new_rows n USING (organisation_id, id)
            WHERE (o.state, o.urgency, o.overdue, o.assignee_id, o.team_id)
                  IS DISTINCT FROM (n.state, n.urgency, n.overdue, n.assignee_id, n.team_id)
            UNION ALL
            SELECT n.organisation_id, n.state, n.urgency, n.overdue, n.assignee_id, n.team_id, 1 FROM new_rows n
            JOIN old_rows o USING (organisation_id, id)
            WHERE (o.state, o.urgency, o.overdue, o.assignee_id, o.team_id)
                  IS DISTINCT FROM (n.state, n.urgency, n.overdue, n.assignee_id, n.team_id)
        ) AS moved, unnest(conversation_list(state, urgency, overdue, assignee_id, team_id)) AS name
        GROUP BY 1, 2 HAVING sum(change) <> 0;
    END IF;
    RETURN NULL;
END $$;
