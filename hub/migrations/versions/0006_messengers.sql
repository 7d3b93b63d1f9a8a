-- Every tenant table: hub_app sees and writes one organisation's rows, the one in app.tenant; unset means none (I6).
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY[
        'channel_event', 'template', 'template_event', 'identity_alias', 'peer_key', 'consent_alias'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
             WITH CHECK (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', t);
    END LOOP;
    -- What is written once and never changed; a channel that was never opened is discarded with its history.
    REVOKE UPDATE, DELETE ON template_event, consent_alias FROM hub_app;
    REVOKE UPDATE ON channel_event FROM hub_app;
    REVOKE DELETE ON template FROM hub_app;
END $$;

-- The door finds the accounts behind a shared endpoint, and keeps what names none of them; the sweeper drops it by age.
ALTER TABLE unrouted_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE unrouted_delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY door ON unrouted_delivery FOR INSERT TO hub_door WITH CHECK (true);
GRANT INSERT ON unrouted_delivery TO hub_door;
CREATE POLICY system ON unrouted_delivery TO hub_system USING (true);
GRANT SELECT (id, received_at, connector, endpoint, own_id), DELETE ON unrouted_delivery TO hub_system;
GRANT SELECT (endpoint) ON channel TO hub_door;

-- A greeting may be refused to somebody with whom there is no conversation.
ALTER TABLE gate_decision ALTER COLUMN conversation_id DROP NOT NULL;

-- Which accounts are to be looked after, and where a provider delivers.
GRANT SELECT (care_at, endpoint) ON channel TO hub_system;

-- Lanes that earlier channels have not got. The owner is bound by the policies as well, so they rest meanwhile.
ALTER TABLE channel NO FORCE ROW LEVEL SECURITY;
ALTER TABLE channel_lane NO FORCE ROW LEVEL SECURITY;
INSERT INTO channel_lane (organisation_id, channel_id, direction, fence, wake, cursor)
SELECT organisation_id, id, 'care', 0, false, '' FROM channel;
ALTER TABLE channel FORCE ROW LEVEL SECURITY;
ALTER TABLE channel_lane FORCE ROW LEVEL SECURITY;
