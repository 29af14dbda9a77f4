PRAGMA application_id = 1836413797;
PRAGMA foreign_keys = OFF;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES (1, 'first', '2026-11-26 03:34:05', 1, X'39A24FA78FD321FB0E0C294BBBA17A59A6F6B7B3C11F22A88DEB14D562C9B972638EA26224BB2960CA1A02CB6E3A10BE', 8384849);
INSERT INTO _sqlx_migrations VALUES (2, 'invitations', '2026-11-26 03:34:05', 1, X'6B0DCD9D4D40CC8AC90972B371B8B13BD4815CBF631F056EEC5FFE287C18E85BDD8AB5C798EF90D9CED4810B319769AD', 8173472);
CREATE TABLE alerts (
    house TEXT PRIMARY KEY REFERENCES houses ON DELETE CASCADE,
    settings TEXT NOT NULL
) STRICT;
INSERT INTO alerts VALUES ('h1', '{"email":[]}');
CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    secret_hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    member TEXT REFERENCES users ON DELETE CASCADE,
    house TEXT REFERENCES houses ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    made INTEGER NOT NULL,
    last_used INTEGER,
    revoked INTEGER
) STRICT;
INSERT INTO api_tokens VALUES ('t1', 'hash', 'tool', NULL, 'h1', 'viewer', 1800000000000, 1800000000001, NULL);
CREATE INDEX api_tokens_of_house ON api_tokens (house);
CREATE INDEX api_tokens_of_member ON api_tokens (member);
CREATE TABLE challenges (
    nonce TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX challenges_by_end ON challenges (expires);
CREATE TABLE changes (
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    rev INTEGER NOT NULL,
    base_rev INTEGER NOT NULL,
    patch TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    made_by TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (house, rev)
) STRICT;
INSERT INTO changes VALUES ('h1', 2, 1, '{"house":{"rev":2}}', '0000000000000000000000000000000000000000000000000000000000000002', 'user:u1', 1800000000002);
INSERT INTO changes VALUES ('h1', 3, 2, '{"house":{"rev":3}}', '0000000000000000000000000000000000000000000000000000000000000003', 'user:u1', 1800000000003);
CREATE TABLE commands (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    screen TEXT NOT NULL,
    body TEXT NOT NULL,
    made INTEGER NOT NULL
) STRICT;
INSERT INTO commands VALUES (1, 'c1', 'h1', 's1', '{"command":"next"}', 1800000000000);
CREATE INDEX commands_of_house ON commands (house);
CREATE INDEX commands_of_screen ON commands (screen);
CREATE TABLE device_tokens (
    token_hash TEXT PRIMARY KEY,
    screen TEXT NOT NULL REFERENCES devices ON DELETE CASCADE,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX device_tokens_by_end ON device_tokens (expires);
CREATE INDEX device_tokens_of_screen ON device_tokens (screen);
CREATE TABLE devices (
    screen TEXT PRIMARY KEY,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    approved INTEGER NOT NULL,
    revoked INTEGER
) STRICT;
INSERT INTO devices VALUES ('s1', 'h1', 'key-e1', 'pi', 1800000000000, NULL);
CREATE UNIQUE INDEX devices_by_key ON devices (key) WHERE revoked IS NULL;
CREATE INDEX devices_of_house ON devices (house);
CREATE TABLE enrolments (
    id TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    device_key TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    outputs TEXT NOT NULL,
    box_commit TEXT NOT NULL,
    box_nonce TEXT,
    server_nonce TEXT NOT NULL,
    spki TEXT,
    status TEXT NOT NULL CHECK (status IN ('open', 'approved', 'refused', 'expired')),
    house TEXT REFERENCES houses ON DELETE SET NULL,
    screen TEXT,
    made INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
INSERT INTO enrolments VALUES ('e1', 'CODE-e1', 'secret-e1', 'key-e1', 'pi', '0.1.0', '["main","side"]', 'promise', 'box nonce', 'nonce', NULL, 'approved', 'h1', 's1', 1800000000000, 1800000600000);
INSERT INTO enrolments VALUES ('e2', 'CODE-e2', 'secret-e2', 'key-e2', 'pi', '0.1.0', '["main","side"]', 'promise', 'box nonce', 'nonce', NULL, 'open', NULL, NULL, 1800000000000, 1800000600000);
CREATE UNIQUE INDEX enrolments_by_code ON enrolments (code) WHERE status = 'open';
CREATE INDEX enrolments_by_end ON enrolments (expires);
CREATE INDEX enrolments_of_house ON enrolments (house);
CREATE TABLE houses (
    id TEXT PRIMARY KEY,
    rev INTEGER NOT NULL
) STRICT;
INSERT INTO houses VALUES ('h1', 3);
CREATE TABLE invitations (
    token_hash TEXT PRIMARY KEY,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    expires INTEGER NOT NULL,
    UNIQUE (house, email_key)
) STRICT;
CREATE TABLE media (
    name TEXT PRIMARY KEY,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    mime TEXT NOT NULL,
    made INTEGER NOT NULL
) STRICT;
INSERT INTO media VALUES ('waves.mp4', 'h1', 'abababababababababababababababababababababababababababababababab', 12345, 'video/mp4', 1800000000000);
CREATE INDEX media_of_house ON media (house, name);
CREATE TABLE memberships (
    member TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    PRIMARY KEY (member, house)
) STRICT;
INSERT INTO memberships VALUES ('u1', 'h1', 'owner');
CREATE INDEX memberships_of_house ON memberships (house);
CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch TEXT NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 'c205d744-4f42-4ae2-b2cf-a99a82643e03');
CREATE TABLE plays (
    screen TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    output TEXT NOT NULL,
    playlist TEXT,
    item TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    PRIMARY KEY (screen, seq, at)
) STRICT, WITHOUT ROWID;
INSERT INTO plays VALUES ('s1', 1, 1800000000000, 'h1', 'main', NULL, 'i1', 9800);
CREATE INDEX plays_by_time ON plays (at);
CREATE INDEX plays_of_house ON plays (house, at, screen, seq);
CREATE TABLE reports (
    screen TEXT PRIMARY KEY,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    state TEXT,
    seen INTEGER NOT NULL,
    online INTEGER NOT NULL,
    alerted INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO reports VALUES ('s1', 'h1', '{"state":"playing"}', 1800000000000, 1, 0);
CREATE INDEX reports_of_house ON reports (house);
CREATE INDEX reports_online ON reports (seen) WHERE online = 1;
CREATE TABLE resources (
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    rev INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (house, kind, id)
) STRICT, WITHOUT ROWID;
INSERT INTO resources VALUES ('h1', 'house', 'h1', 1, '{"name":"L''été","volume":0.8}');
INSERT INTO resources VALUES ('h1', 'screen', 's1', 2, '{"name":"Foyer"}');
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    member TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    made INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
INSERT INTO sessions VALUES ('cookie', 'u1', 'csrf', 1800000000000, 1800000000001);
CREATE INDEX sessions_by_end ON sessions (expires);
CREATE INDEX sessions_of_member ON sessions (member);
CREATE TABLE setup_links (
    token_hash TEXT PRIMARY KEY,
    expires INTEGER NOT NULL,
    used INTEGER
) STRICT;
CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT,
    received INTEGER NOT NULL,
    made INTEGER NOT NULL
) STRICT;
INSERT INTO uploads VALUES ('up1', 'h1', 'New.mp4', 5000000000, NULL, 4500000000, 1800000000000);
CREATE INDEX uploads_of_house ON uploads (house);
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    made INTEGER NOT NULL
) STRICT;
INSERT INTO users VALUES ('u1', 'u1@example.org', 'u1@example.org', 'U1', '$argon2id$...', 1800000000000);
