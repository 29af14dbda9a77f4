-- The first schema. Times are milliseconds since 1970, bodies are JSON, secrets are hashes.

PRAGMA application_id = 1836413797;

CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch TEXT NOT NULL
) STRICT;

-- What all servers of the database share, as the key by which boxes know their house again.
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE houses (
    id TEXT PRIMARY KEY,
    rev INTEGER NOT NULL
) STRICT;

CREATE TABLE resources (
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    rev INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (house, kind, id)
) STRICT, WITHOUT ROWID;

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

-- `email_key` is the address in small letters, as the program makes them: SQLite knows those of ASCII only.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    made INTEGER NOT NULL
) STRICT;

CREATE TABLE memberships (
    member TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    PRIMARY KEY (member, house)
) STRICT;
CREATE INDEX memberships_of_house ON memberships (house);

CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    member TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    made INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_of_member ON sessions (member);
CREATE INDEX sessions_by_end ON sessions (expires);

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
CREATE INDEX api_tokens_of_member ON api_tokens (member);
CREATE INDEX api_tokens_of_house ON api_tokens (house);

CREATE TABLE setup_links (
    token_hash TEXT PRIMARY KEY,
    expires INTEGER NOT NULL,
    used INTEGER
) STRICT;

CREATE TABLE devices (
    screen TEXT PRIMARY KEY,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    approved INTEGER NOT NULL,
    revoked INTEGER
) STRICT;
CREATE UNIQUE INDEX devices_by_key ON devices (key) WHERE revoked IS NULL;
CREATE INDEX devices_of_house ON devices (house);

CREATE TABLE device_tokens (
    token_hash TEXT PRIMARY KEY,
    screen TEXT NOT NULL REFERENCES devices ON DELETE CASCADE,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX device_tokens_of_screen ON device_tokens (screen);
CREATE INDEX device_tokens_by_end ON device_tokens (expires);

CREATE TABLE challenges (
    nonce TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX challenges_by_end ON challenges (expires);

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
CREATE UNIQUE INDEX enrolments_by_code ON enrolments (code) WHERE status = 'open';
CREATE INDEX enrolments_of_house ON enrolments (house);
CREATE INDEX enrolments_by_end ON enrolments (expires);

CREATE TABLE media (
    name TEXT PRIMARY KEY,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    mime TEXT NOT NULL,
    made INTEGER NOT NULL
) STRICT;
CREATE INDEX media_of_house ON media (house, name);

CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT,
    received INTEGER NOT NULL,
    made INTEGER NOT NULL
) STRICT;
CREATE INDEX uploads_of_house ON uploads (house);

CREATE TABLE reports (
    screen TEXT PRIMARY KEY,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    state TEXT,
    seen INTEGER NOT NULL,
    online INTEGER NOT NULL,
    alerted INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX reports_of_house ON reports (house);
CREATE INDEX reports_online ON reports (seen) WHERE online = 1;

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
CREATE INDEX plays_of_house ON plays (house, at, screen, seq);
CREATE INDEX plays_by_time ON plays (at);

CREATE TABLE commands (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    screen TEXT NOT NULL,
    body TEXT NOT NULL,
    made INTEGER NOT NULL
) STRICT;
CREATE INDEX commands_of_screen ON commands (screen);
CREATE INDEX commands_of_house ON commands (house);

CREATE TABLE alerts (
    house TEXT PRIMARY KEY REFERENCES houses ON DELETE CASCADE,
    settings TEXT NOT NULL
) STRICT;
