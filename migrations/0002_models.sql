-- Models: downloads and imports as jobs, what is known of files on hosts, repositories that a person added.

-- SQLite cannot change a CHECK, so `jobs` is made anew: its kinds are `JobKind` and grow with the program, and a job may
-- carry what it needs to go on after a restart. Foreign keys that point here are counted again when the rows are back.
PRAGMA defer_foreign_keys = ON;
CREATE TABLE old_jobs AS SELECT * FROM jobs;
DROP TABLE jobs;

-- `run_id` is no foreign key: a job is queued before its run exists, and the run refers to its job.
CREATE TABLE jobs (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    kind          TEXT NOT NULL CHECK (kind <> ''), -- JobKind
    state         TEXT NOT NULL
                  CHECK (state IN ('queued', 'running', 'paused', 'done', 'failed', 'cancelled', 'interrupted')),
    run_id        BLOB CHECK (run_id IS NULL OR length(run_id) = 16),
    created_at_ns INTEGER NOT NULL,
    updated_at_ns INTEGER NOT NULL,
    title         TEXT NOT NULL,
    progress      TEXT NOT NULL CHECK (json_valid(progress)),          -- Progress
    error         TEXT CHECK (error IS NULL OR json_valid(error)),     -- ErrorReport
    log_tail      TEXT NOT NULL CHECK (json_type(log_tail) = 'array'), -- last lines, oldest first
    work          TEXT CHECK (work IS NULL OR json_valid(work))        -- what it needs to be resumed, by kind; a run has `runs`
) STRICT;
INSERT INTO jobs
SELECT id, kind, state, run_id, created_at_ns, updated_at_ns, title, progress, error, log_tail, NULL FROM old_jobs;
DROP TABLE old_jobs;
CREATE INDEX jobs_by_time ON jobs (created_at_ns, id);
CREATE INDEX jobs_active ON jobs (state) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_by_run ON jobs (run_id);

-- What is known of a file on a host: from the host's own words, or from a download that was hashed.
CREATE TABLE remote_files (
    source       TEXT PRIMARY KEY CHECK (json_valid(source)), -- ModelSource
    bytes        INTEGER CHECK (bytes > 0),                   -- of all its parts
    sha256       TEXT CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
    verified     INTEGER NOT NULL CHECK (verified IN (0, 1)), -- 1: the hash was computed here
    learnt_at_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX remote_files_by_model ON remote_files (sha256) WHERE verified = 1;

-- Repositories that a person added to the catalogue.
CREATE TABLE added_repositories (
    id          TEXT PRIMARY KEY CHECK (id <> ''),
    added_at_ns INTEGER NOT NULL,
    model       TEXT NOT NULL CHECK (json_valid(model)) -- CatalogueModel
) STRICT, WITHOUT ROWID;
