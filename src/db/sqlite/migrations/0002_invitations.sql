-- Who may become a member of a house.
CREATE TABLE invitations (
    token_hash TEXT PRIMARY KEY,
    house TEXT NOT NULL REFERENCES houses ON DELETE CASCADE,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    expires INTEGER NOT NULL,
    UNIQUE (house, email_key)
) STRICT;
