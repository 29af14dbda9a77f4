-- Who may become a member of a house.
CREATE TABLE invitations (
    token_hash TEXT COLLATE "C" PRIMARY KEY,
    house TEXT COLLATE "C" NOT NULL REFERENCES houses ON DELETE CASCADE,
    email TEXT COLLATE "C" NOT NULL,
    email_key TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    expires BIGINT NOT NULL,
    UNIQUE (house, email_key)
);
