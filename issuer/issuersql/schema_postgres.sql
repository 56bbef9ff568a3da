-- Sessions of gatehouse, schema version 1, for PostgreSQL 12 and later.
CREATE TABLE IF NOT EXISTS "gatehouse_sessions_schema" (
	version integer NOT NULL
);
INSERT INTO "gatehouse_sessions_schema" (version)
	SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM "gatehouse_sessions_schema");

CREATE TABLE IF NOT EXISTS "gatehouse_sessions" (
	session text COLLATE "C" PRIMARY KEY,
	subject bytea NOT NULL, -- UTF-8; text could not hold NUL
	version bigint NOT NULL CHECK (version > 0),
	expiry bigint NOT NULL, -- milliseconds since 1970
	data bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS "gatehouse_sessions_subject" ON "gatehouse_sessions" (subject);
CREATE INDEX IF NOT EXISTS "gatehouse_sessions_expiry" ON "gatehouse_sessions" (expiry);
