-- The first schema. Times are milliseconds since 1970, bodies are JSON, secrets are hashes.
-- Texts compare by their bytes, as they do in SQLite and in the program.

CREATE TABLE meta (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    epoch TEXT COLLATE "C" NOT NULL
);

-- What all servers of the database share, as the key by which boxes know their house again.
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE houses (
    id TEXT COLLATE "C" PRIMARY KEY,
    rev BIGINT NOT NULL
);

CREATE TABLE resources (
    house TEXT COLLATE "C" NOT NULL REFERENCES houses ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    rev BIGINT NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (house, kind, id)
);

CREATE TABLE changes (
    house TEXT COLLATE "C" NOT NULL REFERENCES houses ON DELETE CASCADE,
    rev BIGINT NOT NULL,
    base_rev BIGINT NOT NULL,
    patch TEXT COLLATE "C" NOT NULL,
    sha256 TEXT COLLATE "C" NOT NULL,
    made_by TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (house, rev)
);

-- `email_key` is the address in small letters.
CREATE TABLE users (
    id TEXT COLLATE "C" PRIMARY KEY,
    email TEXT COLLATE "C" NOT NULL,
    email_key TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL,
    password_hash TEXT COLLATE "C" NOT NULL,
    made BIGINT NOT NULL
);

CREATE TABLE memberships (
    member TEXT COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE,
    house TEXT COLLATE "C" NOT NULL REFERENCES houses ON DELETE CASCADE,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    PRIMARY KEY (member, house)
);
CREATE INDEX memberships_of_house ON memberships (house);

CREATE TABLE sessions (
    token_hash TEXT COLLATE "C" PRIMARY KEY,
    member TEXT COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE,
    csrf TEXT COLLATE "C" NOT NULL,
    made BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX sessions_of_member ON sessions (member);
CREATE INDEX sessions_by_end ON sessions (expires);

CREATE TABLE api_tokens (
    id TEXT COLLATE "C" PRIMARY KEY,
    secret_hash TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL,
    member TEXT COLLATE "C" REFERENCES users ON DELETE CASCADE,
    house TEXT COLLATE "C" REFERENCES houses ON DELETE CASCADE,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    made BIGINT NOT NULL,
    last_used BIGINT,
    revoked BIGINT
);
CREATE INDEX api_tokens_of_member ON api_tokens (member);
CREATE INDEX api_tokens_of_house ON api_tokens (house);

CREATE TABLE setup_links (
    token_hash TEXT COLLATE "C" PRIMARY KEY,
    expires BIGINT NOT NULL,
    used BIGINT
);

CREATE TABLE devices (
    screen TEXT COLLATE "C" PRIMARY KEY,
    house TEXT COLLATE "C" NOT NULL REFERENCES houses ON DELETE CASCADE,
    key TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    approved BIGINT NOT NULL,
    revoked BIGINT
);
CREATE UNIQUE INDEX devices_by_key ON devices (key) WHERE revoked IS NULL;
CREATE INDEX devices_of_house ON devices (house);

CREATE TABLE device_tokens (
    token_hash TEXT COLLATE "C" PRIMARY KEY,
    screen TEXT COLLATE "C" NOT NULL REFERENCES devices ON DELETE CASCADE,
    expires BIGINT NOT NULL
);
CREATE INDEX device_tokens_of_screen ON device_tokens (screen);
CREATE INDEX device_tokens_by_end ON device_tokens (expires);

CREATE TABLE challenges (
    nonce TEXT COLLATE "C" PRIMARY KEY,
    key TEXT COLLATE "C" NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX challenges_by_end ON challenges (expires);

CREATE TABLE enrolments (
    id TEXT COLLATE "C" PRIMARY KEY,
    code TEXT COLLATE "C" NOT NULL,
    secret_hash TEXT COLLATE "C" NOT NULL,
    device_key TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    outputs TEXT COLLATE "C" NOT NULL,
    box_commit TEXT COLLATE "C" NOT NULL,
    box_nonce TEXT COLLATE "C",
    server_nonce TEXT COLLATE "C" NOT NULL,
    spki TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('open', 'approved', 'refused', 'expired')),
    house TEXT COLLATE "C" REFERENCES houses ON DELETE SET NULL,
    screen TEXT COLLATE "C",
    made BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE UNIQUE INDEX enrolments_by_code ON enrolments (code) WHERE status = 'open';
CREATE INDEX enrolments_of_house ON enrolments (house);
CREATE INDEX enrolments_by_end ON enrolments (expires);

CREATE TABLE media (
    name TEXT COLLATE "C" PRIMARY KEY,
    house TEXT COLLATE "C" NOT NULL REFERENCES houses ON DELETE CASCADE,
    sha256 TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    mime TEXT COLLATE "C" NOT NULL,
    made BIGINT NOT NULL
);
CREATE INDEX media_of_house ON media (house, name);

CREATE TABLE uploads (
    id TEXT COLLATE "C" PRIMARY KEY,
    house TEXT COLLATE "C" NOT NULL REFERENCES houses ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    sha256 TEXT COLLATE "C",
    received BIGINT NOT NULL,
    made BIGINT NOT NULL
);
CREATE INDEX uploads_of_house ON uploads (house);

CREATE TABLE reports (
    screen TEXT COLLATE "C" PRIMARY KEY,
    house TEXT COLLATE "C" NOT NULL REFERENCES houses ON DELETE CASCADE,
    state TEXT COLLATE "C",
    seen BIGINT NOT NULL,
    online BOOLEAN NOT NULL,
    alerted BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX reports_of_house ON reports (house);
CREATE INDEX reports_online ON reports (seen) WHERE online;

CREATE TABLE plays (
    screen TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    house TEXT COLLATE "C" NOT NULL REFERENCES houses ON DELETE CASCADE,
    output TEXT COLLATE "C" NOT NULL,
    playlist TEXT COLLATE "C",
    item TEXT COLLATE "C" NOT NULL,
    duration_ms BIGINT NOT NULL,
    PRIMARY KEY (screen, seq, at)
);
CREATE INDEX plays_of_house ON plays (house, at, screen, seq);
CREATE INDEX plays_by_time ON plays (at);

CREATE TABLE commands (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    house TEXT COLLATE "C" NOT NULL REFERENCES houses ON DELETE CASCADE,
    screen TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    made BIGINT NOT NULL
);
CREATE INDEX commands_of_screen ON commands (screen);
CREATE INDEX commands_of_house ON commands (house);

CREATE TABLE alerts (
    house TEXT COLLATE "C" PRIMARY KEY REFERENCES houses ON DELETE CASCADE,
    settings TEXT COLLATE "C" NOT NULL
);
