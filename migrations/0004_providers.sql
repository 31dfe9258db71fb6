-- Providers of models that answer elsewhere. Their keys are in the system's key store, never here.
CREATE TABLE providers (
    id          TEXT PRIMARY KEY CHECK (id <> '' AND id NOT GLOB '*[^a-z0-9-]*'),
    added_at_ns INTEGER NOT NULL,
    provider    TEXT NOT NULL CHECK (json_valid(provider)) -- Provider
) STRICT, WITHOUT ROWID;
