-- The four roles of the hub (docs/architecture.md), and who may take them: whoever migrates, and the log-in of the application, which
-- `hub.login` names. Idempotent; needs CREATEROLE the first time. An owner of a database who is no superuser may run it on his own:
-- from PostgreSQL 16 on, whoever makes a role may hand it on but may not take it until he is told that he may (SET).
DO $$
DECLARE
    roles text[] := ARRAY['hub_owner', 'hub_app', 'hub_system', 'hub_door'];
    taking text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
    login text := current_setting('hub.login');
    role_name text;
    taker text;
BEGIN
    -- roles belong to the whole server, and no lock reaches another database: whoever comes second waits in here and goes on
    FOREACH role_name IN ARRAY roles LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT', role_name);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
    FOR role_name, taker IN SELECT r, t FROM unnest(roles) r, unnest(ARRAY[current_user::text, login]) t LOOP
        CONTINUE WHEN role_name = 'hub_owner' AND taker <> current_user;
        BEGIN
            IF NOT pg_has_role(taker, role_name, taking) THEN
                EXECUTE format('GRANT %I TO %I', role_name, taker);
            END IF;
        EXCEPTION WHEN unique_violation THEN NULL;
        END;
    END LOOP;
    EXECUTE format('GRANT CREATE ON SCHEMA public TO hub_owner');
    GRANT USAGE ON SCHEMA public TO hub_app, hub_system, hub_door;
END $$;
