-- The four roles of the hub (docs/architecture.md). Idempotent; needs CREATEROLE the first time.
DO $$
DECLARE role_name text;
BEGIN
    PERFORM pg_advisory_xact_lock(4809);  -- roles belong to the whole server: databases migrate one after another
    FOREACH role_name IN ARRAY ARRAY['hub_owner', 'hub_app', 'hub_system', 'hub_door'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT', role_name);
        END IF;
        IF NOT pg_has_role(current_user, role_name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', role_name);
        END IF;
        IF role_name <> 'hub_owner'
           AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub_login')
           AND NOT pg_has_role('hub_login', role_name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO hub_login', role_name);
        END IF;
    END LOOP;
    EXECUTE format('GRANT CREATE ON SCHEMA public TO hub_owner');
    GRANT USAGE ON SCHEMA public TO hub_app, hub_system, hub_door;
END $$;
