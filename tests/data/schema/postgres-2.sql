CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
CREATE TABLE public.alerts (
    house text NOT NULL COLLATE pg_catalog."C",
    settings text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.api_tokens (
    id text NOT NULL COLLATE pg_catalog."C",
    secret_hash text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    member text COLLATE pg_catalog."C",
    house text COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C",
    made bigint NOT NULL,
    last_used bigint,
    revoked bigint,
    CONSTRAINT api_tokens_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'editor'::text, 'viewer'::text])))
);
CREATE TABLE public.challenges (
    nonce text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    expires bigint NOT NULL
);
CREATE TABLE public.changes (
    house text NOT NULL COLLATE pg_catalog."C",
    rev bigint NOT NULL,
    base_rev bigint NOT NULL,
    patch text NOT NULL COLLATE pg_catalog."C",
    sha256 text NOT NULL COLLATE pg_catalog."C",
    made_by text NOT NULL COLLATE pg_catalog."C",
    at bigint NOT NULL
);
CREATE TABLE public.commands (
    n bigint NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    house text NOT NULL COLLATE pg_catalog."C",
    screen text NOT NULL COLLATE pg_catalog."C",
    body text NOT NULL COLLATE pg_catalog."C",
    made bigint NOT NULL
);
ALTER TABLE public.commands ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.commands_n_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.device_tokens (
    token_hash text NOT NULL COLLATE pg_catalog."C",
    screen text NOT NULL COLLATE pg_catalog."C",
    expires bigint NOT NULL
);
CREATE TABLE public.devices (
    screen text NOT NULL COLLATE pg_catalog."C",
    house text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    approved bigint NOT NULL,
    revoked bigint
);
CREATE TABLE public.enrolments (
    id text NOT NULL COLLATE pg_catalog."C",
    code text NOT NULL COLLATE pg_catalog."C",
    secret_hash text NOT NULL COLLATE pg_catalog."C",
    device_key text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    version text NOT NULL COLLATE pg_catalog."C",
    outputs text NOT NULL COLLATE pg_catalog."C",
    box_commit text NOT NULL COLLATE pg_catalog."C",
    box_nonce text COLLATE pg_catalog."C",
    server_nonce text NOT NULL COLLATE pg_catalog."C",
    spki text COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    house text COLLATE pg_catalog."C",
    screen text COLLATE pg_catalog."C",
    made bigint NOT NULL,
    expires bigint NOT NULL,
    CONSTRAINT enrolments_status_check CHECK ((status = ANY (ARRAY['open'::text, 'approved'::text, 'refused'::text, 'expired'::text])))
);
CREATE TABLE public.houses (
    id text NOT NULL COLLATE pg_catalog."C",
    rev bigint NOT NULL
);
CREATE TABLE public.invitations (
    token_hash text NOT NULL COLLATE pg_catalog."C",
    house text NOT NULL COLLATE pg_catalog."C",
    email text NOT NULL COLLATE pg_catalog."C",
    email_key text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C",
    expires bigint NOT NULL,
    CONSTRAINT invitations_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'editor'::text, 'viewer'::text])))
);
CREATE TABLE public.media (
    name text NOT NULL COLLATE pg_catalog."C",
    house text NOT NULL COLLATE pg_catalog."C",
    sha256 text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    mime text NOT NULL COLLATE pg_catalog."C",
    made bigint NOT NULL
);
CREATE TABLE public.memberships (
    member text NOT NULL COLLATE pg_catalog."C",
    house text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT memberships_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'editor'::text, 'viewer'::text])))
);
CREATE TABLE public.meta (
    only_row bigint NOT NULL,
    epoch text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT meta_only_row_check CHECK ((only_row = 1))
);
CREATE TABLE public.plays (
    screen text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    at bigint NOT NULL,
    house text NOT NULL COLLATE pg_catalog."C",
    output text NOT NULL COLLATE pg_catalog."C",
    playlist text COLLATE pg_catalog."C",
    item text NOT NULL COLLATE pg_catalog."C",
    duration_ms bigint NOT NULL
);
CREATE TABLE public.reports (
    screen text NOT NULL COLLATE pg_catalog."C",
    house text NOT NULL COLLATE pg_catalog."C",
    state text COLLATE pg_catalog."C",
    seen bigint NOT NULL,
    online boolean NOT NULL,
    alerted boolean DEFAULT false NOT NULL
);
CREATE TABLE public.resources (
    house text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    rev bigint NOT NULL,
    body text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.secrets (
    name text NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.sessions (
    token_hash text NOT NULL COLLATE pg_catalog."C",
    member text NOT NULL COLLATE pg_catalog."C",
    csrf text NOT NULL COLLATE pg_catalog."C",
    made bigint NOT NULL,
    expires bigint NOT NULL
);
CREATE TABLE public.setup_links (
    token_hash text NOT NULL COLLATE pg_catalog."C",
    expires bigint NOT NULL,
    used bigint
);
CREATE TABLE public.uploads (
    id text NOT NULL COLLATE pg_catalog."C",
    house text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    sha256 text COLLATE pg_catalog."C",
    received bigint NOT NULL,
    made bigint NOT NULL
);
CREATE TABLE public.users (
    id text NOT NULL COLLATE pg_catalog."C",
    email text NOT NULL COLLATE pg_catalog."C",
    email_key text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    password_hash text NOT NULL COLLATE pg_catalog."C",
    made bigint NOT NULL
);
INSERT INTO public._sqlx_migrations VALUES (1, 'first', '2026-11-26 03:34:05.974789+00', true, '\x5cd50ff3a1f96163f1afb9eaebdeffa80f1f75ee503f3e0f31c24f366ecf76fa97d32b39d7755e6720cf025221cd58cb', 73450372);
INSERT INTO public._sqlx_migrations VALUES (2, 'invitations', '2026-11-26 03:34:06.049893+00', true, '\x31abafd536e59c503a761d5034fb2b9b7984f8a986022399f38a3711bb655fe2703aa1b8740f3423758bdb653d02583a', 3650718);
INSERT INTO public.alerts VALUES ('h1', '{"email":[]}');
INSERT INTO public.api_tokens VALUES ('t1', 'hash', 'tool', NULL, 'h1', 'viewer', 1800000000000, 1800000000001, NULL);
INSERT INTO public.changes VALUES ('h1', 2, 1, '{"house":{"rev":2}}', '0000000000000000000000000000000000000000000000000000000000000002', 'user:u1', 1800000000002);
INSERT INTO public.changes VALUES ('h1', 3, 2, '{"house":{"rev":3}}', '0000000000000000000000000000000000000000000000000000000000000003', 'user:u1', 1800000000003);
INSERT INTO public.commands OVERRIDING SYSTEM VALUE VALUES (1, 'c1', 'h1', 's1', '{"command":"next"}', 1800000000000);
INSERT INTO public.devices VALUES ('s1', 'h1', 'key-e1', 'pi', 1800000000000, NULL);
INSERT INTO public.enrolments VALUES ('e1', 'CODE-e1', 'secret-e1', 'key-e1', 'pi', '0.1.0', '["main","side"]', 'promise', 'box nonce', 'nonce', NULL, 'approved', 'h1', 's1', 1800000000000, 1800000600000);
INSERT INTO public.enrolments VALUES ('e2', 'CODE-e2', 'secret-e2', 'key-e2', 'pi', '0.1.0', '["main","side"]', 'promise', 'box nonce', 'nonce', NULL, 'open', NULL, NULL, 1800000000000, 1800000600000);
INSERT INTO public.houses VALUES ('h1', 3);
INSERT INTO public.media VALUES ('waves.mp4', 'h1', 'abababababababababababababababababababababababababababababababab', 12345, 'video/mp4', 1800000000000);
INSERT INTO public.memberships VALUES ('u1', 'h1', 'owner');
INSERT INTO public.meta VALUES (1, '1f73aa92-41f0-41d0-b0d4-c5899619072d');
INSERT INTO public.plays VALUES ('s1', 1, 1800000000000, 'h1', 'main', NULL, 'i1', 9800);
INSERT INTO public.reports VALUES ('s1', 'h1', '{"state":"playing"}', 1800000000000, true, false);
INSERT INTO public.resources VALUES ('h1', 'house', 'h1', 1, '{"name":"L''été","volume":0.8}');
INSERT INTO public.resources VALUES ('h1', 'screen', 's1', 2, '{"name":"Foyer"}');
INSERT INTO public.sessions VALUES ('cookie', 'u1', 'csrf', 1800000000000, 1800000000001);
INSERT INTO public.uploads VALUES ('up1', 'h1', 'New.mp4', 5000000000, NULL, 4500000000, 1800000000000);
INSERT INTO public.users VALUES ('u1', 'u1@example.org', 'u1@example.org', 'U1', '$argon2id$...', 1800000000000);
SELECT pg_catalog.setval('public.commands_n_seq', 1, true);
ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (house);
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_secret_hash_key UNIQUE (secret_hash);
ALTER TABLE ONLY public.challenges
    ADD CONSTRAINT challenges_pkey PRIMARY KEY (nonce);
ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (house, rev);
ALTER TABLE ONLY public.commands
    ADD CONSTRAINT commands_id_key UNIQUE (id);
ALTER TABLE ONLY public.commands
    ADD CONSTRAINT commands_pkey PRIMARY KEY (n);
ALTER TABLE ONLY public.device_tokens
    ADD CONSTRAINT device_tokens_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (screen);
ALTER TABLE ONLY public.enrolments
    ADD CONSTRAINT enrolments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.houses
    ADD CONSTRAINT houses_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_house_email_key_key UNIQUE (house, email_key);
ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.media
    ADD CONSTRAINT media_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (member, house);
ALTER TABLE ONLY public.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.plays
    ADD CONSTRAINT plays_pkey PRIMARY KEY (screen, seq, at);
ALTER TABLE ONLY public.reports
    ADD CONSTRAINT reports_pkey PRIMARY KEY (screen);
ALTER TABLE ONLY public.resources
    ADD CONSTRAINT resources_pkey PRIMARY KEY (house, kind, id);
ALTER TABLE ONLY public.secrets
    ADD CONSTRAINT secrets_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.setup_links
    ADD CONSTRAINT setup_links_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_email_key_key UNIQUE (email_key);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE INDEX api_tokens_of_house ON public.api_tokens USING btree (house);
CREATE INDEX api_tokens_of_member ON public.api_tokens USING btree (member);
CREATE INDEX challenges_by_end ON public.challenges USING btree (expires);
CREATE INDEX commands_of_house ON public.commands USING btree (house);
CREATE INDEX commands_of_screen ON public.commands USING btree (screen);
CREATE INDEX device_tokens_by_end ON public.device_tokens USING btree (expires);
CREATE INDEX device_tokens_of_screen ON public.device_tokens USING btree (screen);
CREATE UNIQUE INDEX devices_by_key ON public.devices USING btree (key) WHERE (revoked IS NULL);
CREATE INDEX devices_of_house ON public.devices USING btree (house);
CREATE UNIQUE INDEX enrolments_by_code ON public.enrolments USING btree (code) WHERE (status = 'open'::text);
CREATE INDEX enrolments_by_end ON public.enrolments USING btree (expires);
CREATE INDEX enrolments_of_house ON public.enrolments USING btree (house);
CREATE INDEX media_of_house ON public.media USING btree (house, name);
CREATE INDEX memberships_of_house ON public.memberships USING btree (house);
CREATE INDEX plays_by_time ON public.plays USING btree (at);
CREATE INDEX plays_of_house ON public.plays USING btree (house, at, screen, seq);
CREATE INDEX reports_of_house ON public.reports USING btree (house);
CREATE INDEX reports_online ON public.reports USING btree (seen) WHERE online;
CREATE INDEX sessions_by_end ON public.sessions USING btree (expires);
CREATE INDEX sessions_of_member ON public.sessions USING btree (member);
CREATE INDEX uploads_of_house ON public.uploads USING btree (house);
ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_member_fkey FOREIGN KEY (member) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.commands
    ADD CONSTRAINT commands_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.device_tokens
    ADD CONSTRAINT device_tokens_screen_fkey FOREIGN KEY (screen) REFERENCES public.devices(screen) ON DELETE CASCADE;
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.enrolments
    ADD CONSTRAINT enrolments_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.media
    ADD CONSTRAINT media_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_member_fkey FOREIGN KEY (member) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.plays
    ADD CONSTRAINT plays_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.reports
    ADD CONSTRAINT reports_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.resources
    ADD CONSTRAINT resources_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_member_fkey FOREIGN KEY (member) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_house_fkey FOREIGN KEY (house) REFERENCES public.houses(id) ON DELETE CASCADE;
