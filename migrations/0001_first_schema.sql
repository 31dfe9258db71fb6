-- Conventions of every table:
-- * Identifiers are UUIDv7 as 16-byte blobs: they sort by time and records of different devices merge without clashes.
-- * Times (`*_at_ns`) are integer nanoseconds since the Unix epoch, UTC: lossless, and they sort as numbers do.
-- * Durations (`*_ns`) are nanoseconds of a monotonic clock; sizes (`*_bytes`) are bytes.
-- * A column is a column because a query filters, sorts or counts by it, or a rule below guards it. Nested documents are
--   JSON of the `domain` type named beside them, and stand last so that scans skip their overflow pages.
-- This file is frozen once released: a change is a new migration.

-- "PkBn": lets `file` and anybody else tell whose database this is.
PRAGMA application_id = 0x506b426e;

-- Machines, as they were when last seen. A run keeps the profile of its own time.
CREATE TABLE devices (
    fingerprint      TEXT PRIMARY KEY CHECK (fingerprint <> ''),
    first_seen_at_ns INTEGER NOT NULL,
    last_seen_at_ns  INTEGER NOT NULL,
    profile          TEXT NOT NULL CHECK (json_valid(profile)) -- DeviceProfile
) STRICT, WITHOUT ROWID;

-- Models by content. Where a file with that content lies is another matter: `model_files`.
CREATE TABLE models (
    sha256     TEXT PRIMARY KEY CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
    file_bytes INTEGER NOT NULL CHECK (file_bytes > 0),
    header     TEXT NOT NULL CHECK (json_valid(header)) -- ModelHeader
) STRICT, WITHOUT ROWID;

-- Files that were hashed. The same path, size and modification time mean the same content, so it is hashed once.
CREATE TABLE model_files (
    path            TEXT PRIMARY KEY CHECK (path <> ''),
    file_bytes      INTEGER NOT NULL CHECK (file_bytes > 0),
    mtime_ns        INTEGER NOT NULL,
    sha256          TEXT NOT NULL REFERENCES models (sha256),
    last_seen_at_ns INTEGER NOT NULL,
    reference       INTEGER NOT NULL CHECK (reference IN (0, 1)) -- 1: added by path, lies outside the models folder
) STRICT, WITHOUT ROWID;
CREATE INDEX model_files_by_model ON model_files (sha256);
CREATE INDEX model_files_referenced ON model_files (path) WHERE reference = 1;

-- `run_id` is no foreign key: a job is queued before its run exists, and the run refers to its job.
CREATE TABLE jobs (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    kind          TEXT NOT NULL CHECK (kind IN ('run', 'verify')),
    state         TEXT NOT NULL
                  CHECK (state IN ('queued', 'running', 'paused', 'done', 'failed', 'cancelled', 'interrupted')),
    run_id        BLOB CHECK (run_id IS NULL OR length(run_id) = 16),
    created_at_ns INTEGER NOT NULL,
    updated_at_ns INTEGER NOT NULL,
    title         TEXT NOT NULL,
    progress      TEXT NOT NULL CHECK (json_valid(progress)),          -- Progress
    error         TEXT CHECK (error IS NULL OR json_valid(error)),     -- ErrorReport
    log_tail      TEXT NOT NULL CHECK (json_type(log_tail) = 'array')  -- last lines, oldest first
) STRICT;
CREATE INDEX jobs_by_time ON jobs (created_at_ns, id);
CREATE INDEX jobs_active ON jobs (state) WHERE state IN ('queued', 'running', 'paused');
CREATE INDEX jobs_by_run ON jobs (run_id);

CREATE TABLE runs (
    id                 BLOB PRIMARY KEY CHECK (length(id) = 16),
    job_id             BLOB NOT NULL REFERENCES jobs (id),
    device_fingerprint TEXT NOT NULL REFERENCES devices (fingerprint),
    suite_id           TEXT NOT NULL,
    suite_version      INTEGER NOT NULL CHECK (suite_version >= 0),
    started_at_ns      INTEGER NOT NULL,
    finished_at_ns     INTEGER,
    suite_title        TEXT NOT NULL,
    model_labels       TEXT NOT NULL CHECK (json_type(model_labels) = 'array'), -- one an entry, by slot
    app_version        TEXT NOT NULL,
    app_commit         TEXT,
    device             TEXT NOT NULL CHECK (json_valid(device)), -- DeviceProfile as it was then
    spec               TEXT NOT NULL CHECK (json_valid(spec))    -- RunSpec
) STRICT;
CREATE INDEX runs_by_time ON runs (started_at_ns, id);
CREATE INDEX runs_by_job ON runs (job_id);
CREATE INDEX runs_by_suite ON runs (suite_id, suite_version, device_fingerprint);

-- One life of a worker with a model loaded.
CREATE TABLE sessions (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    run_id        BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    slot          INTEGER NOT NULL CHECK (slot >= 0),
    started_at_ns INTEGER NOT NULL,
    engine        TEXT NOT NULL CHECK (json_valid(engine)),  -- EngineInfo
    loaded        TEXT NOT NULL CHECK (json_valid(loaded)),  -- Loaded
    baseline      TEXT NOT NULL CHECK (json_valid(baseline)) -- ProcessMemory
) STRICT;
CREATE INDEX sessions_by_run ON sessions (run_id, started_at_ns, id);

-- One entry of a run on one task.
CREATE TABLE cells (
    id           BLOB PRIMARY KEY CHECK (length(id) = 16),
    run_id       BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL CHECK (position >= 0), -- order in which the run was planned
    slot         INTEGER NOT NULL CHECK (slot >= 0),
    task_id      TEXT NOT NULL CHECK (task_id <> ''),
    category     TEXT NOT NULL CHECK (category IN
                 ('load', 'short_qa', 'code', 'mathematics', 'long_form', 'batch', 'synthetic')),
    model_sha256 TEXT NOT NULL REFERENCES models (sha256),
    state        TEXT NOT NULL CHECK (state IN ('pending', 'done', 'failed')),
    failure      TEXT CHECK (failure IS NULL OR json_valid(failure)), -- ErrorReport
    UNIQUE (run_id, slot, task_id),
    UNIQUE (run_id, position)
) STRICT;
CREATE INDEX cells_by_state ON cells (run_id, state);
CREATE INDEX cells_by_model ON cells (model_sha256, run_id, task_id, id);

-- One repetition of one cell.
CREATE TABLE samples (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    cell_id       BLOB NOT NULL REFERENCES cells (id) ON DELETE CASCADE,
    session_id    BLOB NOT NULL REFERENCES sessions (id), -- both go with their run
    warmup        INTEGER NOT NULL CHECK (warmup IN (0, 1)),
    repetition    INTEGER NOT NULL CHECK (repetition >= 0), -- from 0; the warm-up has its own count
    elapsed_ns    INTEGER NOT NULL CHECK (elapsed_ns >= 0), -- time that the repetition took, for estimates
    started_at_ns INTEGER NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('load', 'generation', 'batch', 'synthetic')),
    memory        TEXT NOT NULL CHECK (json_valid(memory)),   -- ProcessMemory
    machine       TEXT NOT NULL CHECK (json_valid(machine)),  -- MachineLoad
    measured      TEXT NOT NULL CHECK (json_valid(measured)), -- Measured; a generation's `token_at_ns` is left empty …
    -- … because it stands here: one little-endian u64 a token, nanoseconds since the prompt was handed over.
    token_at_ns   BLOB CHECK (length(token_at_ns) % 8 = 0),
    CHECK ((kind = 'generation') = (token_at_ns IS NOT NULL)),
    UNIQUE (cell_id, warmup, repetition)
) STRICT;
-- Covers estimates and counts, so that neither reads a sample's documents.
CREATE INDEX samples_elapsed ON samples (cell_id, warmup, elapsed_ns);
CREATE INDEX samples_by_session ON samples (session_id);

CREATE TRIGGER samples_belong_together BEFORE INSERT ON samples
WHEN EXISTS (
    SELECT 1 FROM cells AS c, sessions AS s
    WHERE c.id = NEW.cell_id AND s.id = NEW.session_id AND (c.run_id <> s.run_id OR c.slot <> s.slot)
)
BEGIN
    SELECT RAISE(ABORT, 'the cell and the session of a sample must be of the same run and slot');
END;

CREATE TRIGGER samples_are_immutable BEFORE UPDATE ON samples
BEGIN
    SELECT RAISE(ABORT, 'samples are immutable');
END;

-- When a run is deleted its row is gone before these fire, so the cascade passes and nothing else does.
CREATE TRIGGER samples_go_with_their_run BEFORE DELETE ON samples
WHEN EXISTS (SELECT 1 FROM cells WHERE id = OLD.cell_id)
BEGIN
    SELECT RAISE(ABORT, 'samples are deleted with their run only');
END;

CREATE TRIGGER cells_go_with_their_run BEFORE DELETE ON cells
WHEN EXISTS (SELECT 1 FROM runs WHERE id = OLD.run_id)
BEGIN
    SELECT RAISE(ABORT, 'cells are deleted with their run only');
END;

-- What a run was is history; only its end may be noted later.
CREATE TRIGGER runs_are_immutable BEFORE UPDATE OF
    id, device_fingerprint, suite_id, suite_version, started_at_ns, suite_title, model_labels, app_version, app_commit,
    device, spec
ON runs
BEGIN
    SELECT RAISE(ABORT, 'only the end of a run can be noted later');
END;

CREATE TABLE settings (
    key   TEXT PRIMARY KEY CHECK (key <> ''),
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;
