-- Roles, row-level security, triggers and the one function of the first schema. Runs as hub_owner, after the tables.

-- Every tenant table: hub_app sees and writes one organisation's rows, the one in app.tenant; unset means none (I6).
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY[
        'member', 'invitation', 'policy_override', 'audit_entry',
        'channel', 'channel_lane', 'channel_terms',
        'consent_subject', 'consent_entry', 'ledger_head', 'consent_state', 'gate_decision',
        'webhook_delivery', 'delivery_result', 'contact', 'identity', 'conversation', 'message', 'message_part', 'attempt',
        'provider_key', 'pending_effect', 'conversation_counter', 'feed_head', 'feed_entry'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
             WITH CHECK (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', t);
    END LOOP;
    -- What is written once and never changed.
    REVOKE UPDATE, DELETE ON consent_entry, gate_decision, audit_entry, channel_terms FROM hub_app;
    REVOKE DELETE ON attempt, ledger_head, feed_head, delivery_result, member FROM hub_app;
    REVOKE UPDATE ON conversation_counter, feed_entry FROM hub_app;
END $$;

-- Tables above the organisations.
ALTER TABLE organisation ENABLE ROW LEVEL SECURITY;
ALTER TABLE organisation FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON organisation TO hub_app
    USING (id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (id = nullif(current_setting('app.tenant', true), '')::uuid);
GRANT SELECT, UPDATE ON organisation TO hub_app;

ALTER TABLE person ENABLE ROW LEVEL SECURITY;
ALTER TABLE person FORCE ROW LEVEL SECURITY;
CREATE POLICY colleagues ON person FOR SELECT TO hub_app
    USING (EXISTS (SELECT FROM member WHERE member.person_id = person.id));
GRANT SELECT (id, email, name, locale) ON person TO hub_app;
GRANT SELECT ON policy_version TO hub_app;

-- hub_system: log-in and sessions, founding an organisation, and the lists of due work. It reads no message and no delivery's body.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY[
        'organisation', 'person', 'member', 'invitation', 'channel', 'channel_lane', 'webhook_delivery', 'message_part',
        'attempt', 'pending_effect', 'conversation_counter', 'feed_entry', 'feed_head', 'ledger_head', 'audit_entry'
    ] LOOP
        EXECUTE format('CREATE POLICY system ON %I TO hub_system USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON organisation, person, login_session, policy_version TO hub_system;
GRANT SELECT, INSERT ON member TO hub_system;
GRANT INSERT ON feed_head, ledger_head, audit_entry TO hub_system;
GRANT SELECT, UPDATE ON invitation TO hub_system;
GRANT SELECT (organisation_id, id, connector, state, health, health_until) ON channel TO hub_system;
GRANT SELECT ON channel_lane TO hub_system;
GRANT SELECT (organisation_id, id, channel_id, received_at, state) ON webhook_delivery TO hub_system;
GRANT SELECT (organisation_id, channel_id, state, due_at, priority) ON message_part TO hub_system;
GRANT SELECT (organisation_id, channel_id, outcome, permit_at) ON attempt TO hub_system;
GRANT SELECT (organisation_id, created_at) ON pending_effect TO hub_system;
GRANT SELECT (organisation_id, list) ON conversation_counter TO hub_system;
GRANT SELECT (organisation_id, seq, at) ON feed_entry TO hub_system;

-- hub_door: appends raw deliveries and reads what it needs to check a signature.
CREATE POLICY door ON webhook_delivery FOR INSERT TO hub_door WITH CHECK (true);
GRANT INSERT ON webhook_delivery TO hub_door;
CREATE POLICY door ON channel FOR SELECT TO hub_door USING (true);
GRANT SELECT (organisation_id, id, connector, own_id, settings_sealed, secrets_sealed, per_second) ON channel TO hub_door;

-- The ledger is append-only for everybody (I7).
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON consent_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON consent_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Exact counters of the inbox lists: each statement on conversation appends its net change per list.
CREATE FUNCTION conversation_list(state text, turn text, assignee_id uuid) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN state = 'done' THEN ARRAY['done']
        WHEN turn = 'us' THEN ARRAY['all', COALESCE(assignee_id::text, 'unassigned'),
                                    'all.us', COALESCE(assignee_id::text, 'unassigned') || '.us']
        ELSE ARRAY['all', COALESCE(assignee_id::text, 'unassigned')]
    END
$$;
CREATE FUNCTION count_conversations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO conversation_counter (organisation_id, list, change)
        SELECT organisation_id, name, count(*) FROM new_rows, unnest(conversation_list(state, turn, assignee_id)) AS name GROUP BY 1, 2;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO conversation_counter (organisation_id, list, change)
        SELECT organisation_id, name, -count(*) FROM old_rows, unnest(conversation_list(state, turn, assignee_id)) AS name GROUP BY 1, 2;
    ELSE
        INSERT INTO conversation_counter (organisation_id, list, change)
        SELECT organisation_id, name, sum(change) FROM (
            SELECT o.organisation_id, o.state, o.turn, o.assignee_id, -1 AS change FROM old_rows o
            JOIN new_rows n USING (organisation_id, id)
            WHERE (o.state, o.turn, o.assignee_id) IS DISTINCT FROM (n.state, n.turn, n.assignee_id)
            UNION ALL
            SELECT n.organisation_id, n.state, n.turn, n.assignee_id, 1 FROM new_rows n
            JOIN old_rows o USING (organisation_id, id)
            WHERE (o.state, o.turn, o.assignee_id) IS DISTINCT FROM (n.state, n.turn, n.assignee_id)
        ) AS moved, unnest(conversation_list(state, turn, assignee_id)) AS name
        GROUP BY 1, 2 HAVING sum(change) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER counted_insert AFTER INSERT ON conversation REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_conversations();
CREATE TRIGGER counted_update AFTER UPDATE ON conversation REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_conversations();
CREATE TRIGGER counted_delete AFTER DELETE ON conversation REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_conversations();

-- Partitions of webhook_delivery: the sweeper asks for the days around today and for what is too old to go. Dead letters of a
-- dropped day move to the default partition, which also takes days nobody prepared.
CREATE TABLE webhook_delivery_other PARTITION OF webhook_delivery DEFAULT;
CREATE FUNCTION keep_delivery_days(today date, keep_days int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    day date;
    part text;
    dropped int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(4810);
    FOR day IN SELECT generate_series(today, today + 2, interval '1 day')::date LOOP
        part := 'webhook_delivery_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE webhook_delivery INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
        EXECUTE format(
            'WITH moved AS (DELETE FROM webhook_delivery_other WHERE received_at >= %1$L AND received_at < %2$L RETURNING *)
             INSERT INTO %3$I SELECT * FROM moved', day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC', part);
        EXECUTE format('ALTER TABLE webhook_delivery ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            part, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
    END LOOP;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'webhook_delivery'::regclass AND c.relname ~ '^webhook_delivery_\d{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - keep_days
    LOOP
        EXECUTE format('ALTER TABLE webhook_delivery DETACH PARTITION %I', part);
        EXECUTE format('INSERT INTO webhook_delivery_other SELECT * FROM %I WHERE state IN (''dead'', ''received'')', part);
        EXECUTE format('DROP TABLE %I', part);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM webhook_delivery_other
    WHERE state IN ('applied', 'ignored') AND received_at < (today - keep_days)::timestamp AT TIME ZONE 'UTC';
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION keep_delivery_days(date, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_delivery_days(date, int) TO hub_system;
