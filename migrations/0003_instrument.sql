-- Sustained tasks, sensors beside samples, tuning.

-- SQLite cannot change a CHECK, so `cells` and `samples` are made anew: categories and kinds are `Category` and `Measured`
-- and grow with the program. The old `samples` go first: dropping `cells` would delete the samples that refer to them.
PRAGMA defer_foreign_keys = ON;

CREATE TABLE new_cells (
    id           BLOB PRIMARY KEY CHECK (length(id) = 16),
    run_id       BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL CHECK (position >= 0), -- order in which the run was planned
    slot         INTEGER NOT NULL CHECK (slot >= 0),
    task_id      TEXT NOT NULL CHECK (task_id <> ''),
    category     TEXT NOT NULL CHECK (category <> ''), -- Category
    model_sha256 TEXT NOT NULL REFERENCES models (sha256),
    state        TEXT NOT NULL CHECK (state IN ('pending', 'done', 'failed')),
    failure      TEXT CHECK (failure IS NULL OR json_valid(failure)), -- ErrorReport
    UNIQUE (run_id, slot, task_id),
    UNIQUE (run_id, position)
) STRICT;
INSERT INTO new_cells SELECT id, run_id, position, slot, task_id, category, model_sha256, state, failure FROM cells;

CREATE TABLE new_samples (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    cell_id       BLOB NOT NULL REFERENCES new_cells (id) ON DELETE CASCADE,
    session_id    BLOB NOT NULL REFERENCES sessions (id), -- both go with their run
    warmup        INTEGER NOT NULL CHECK (warmup IN (0, 1)),
    repetition    INTEGER NOT NULL CHECK (repetition >= 0), -- from 0; the warm-up has its own count
    elapsed_ns    INTEGER NOT NULL CHECK (elapsed_ns >= 0), -- time that the repetition took, for estimates
    started_at_ns INTEGER NOT NULL,
    kind          TEXT NOT NULL CHECK (kind <> ''),           -- of `measured`
    memory        TEXT NOT NULL CHECK (json_valid(memory)),   -- ProcessMemory
    machine       TEXT NOT NULL CHECK (json_valid(machine)),  -- MachineLoad
    conditions    TEXT CHECK (conditions IS NULL OR json_valid(conditions)), -- Conditions
    measured      TEXT NOT NULL CHECK (json_valid(measured)), -- Measured; an answer's `token_at_ns` is left empty …
    -- … because it stands here: one little-endian u64 a token, nanoseconds since the prompt was handed over.
    token_at_ns   BLOB CHECK (length(token_at_ns) % 8 = 0),
    CHECK ((kind IN ('generation', 'round')) = (token_at_ns IS NOT NULL)),
    UNIQUE (cell_id, warmup, repetition)
) STRICT;
INSERT INTO new_samples
SELECT id, cell_id, session_id, warmup, repetition, elapsed_ns, started_at_ns, kind, memory, machine, NULL, measured,
    token_at_ns
FROM samples;

DROP TABLE samples;
DROP TABLE cells;
ALTER TABLE new_cells RENAME TO cells;
ALTER TABLE new_samples RENAME TO samples;

CREATE INDEX cells_by_state ON cells (run_id, state);
CREATE INDEX cells_by_model ON cells (model_sha256, run_id, task_id, id);
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

-- What the sensors said beside a sample, about once a second. Apart from it, because results need only its summary.
CREATE TABLE readings (
    sample_id BLOB PRIMARY KEY REFERENCES samples (id) ON DELETE CASCADE,
    readings  TEXT NOT NULL CHECK (json_type(readings) = 'array') -- Reading
) STRICT, WITHOUT ROWID;

-- The wait for a cooler machine before a worker was started.
ALTER TABLE sessions ADD COLUMN cooled TEXT CHECK (cooled IS NULL OR json_valid(cooled)); -- Cooled

-- What a device was found to run best with, and what that rests on. The latest one that holds is in use.
CREATE TABLE tunings (
    id                 BLOB PRIMARY KEY CHECK (length(id) = 16),
    device_fingerprint TEXT NOT NULL REFERENCES devices (fingerprint),
    tuned_at_ns        INTEGER NOT NULL,
    tuning             TEXT NOT NULL CHECK (json_valid(tuning)) -- Tuning
) STRICT;
CREATE INDEX tunings_by_device ON tunings (device_fingerprint, tuned_at_ns);

-- What a run was is history from its first worker on: before that, tuning may still settle how its models are loaded.
DROP TRIGGER runs_are_immutable;
CREATE TRIGGER runs_are_immutable BEFORE UPDATE OF
    id, device_fingerprint, suite_id, suite_version, started_at_ns, suite_title, model_labels, app_version, app_commit,
    device
ON runs
BEGIN
    SELECT RAISE(ABORT, 'only the end of a run can be noted later');
END;
CREATE TRIGGER settings_of_runs_are_immutable BEFORE UPDATE OF spec ON runs
WHEN EXISTS (SELECT 1 FROM sessions WHERE run_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'the settings of a run cannot change once a model was loaded');
END;
