-- Sessions of gatehouse, schema version 1, for SQLite 3.37 and later.
CREATE TABLE IF NOT EXISTS "gatehouse_sessions_schema" (
	version INTEGER NOT NULL
) STRICT;
INSERT INTO "gatehouse_sessions_schema" (version)
	SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM "gatehouse_sessions_schema");

CREATE TABLE IF NOT EXISTS "gatehouse_sessions" (
	session TEXT NOT NULL PRIMARY KEY,
	subject BLOB NOT NULL,
	version INTEGER NOT NULL CHECK (version > 0),
	expiry INTEGER NOT NULL, -- milliseconds since 1970
	data BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS "gatehouse_sessions_subject" ON "gatehouse_sessions" (subject);
CREATE INDEX IF NOT EXISTS "gatehouse_sessions_expiry" ON "gatehouse_sessions" (expiry);
