-- Conversations.

CREATE TABLE conversations (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    title         TEXT NOT NULL,
    pinned        INTEGER NOT NULL CHECK (pinned IN (0, 1)),
    created_at_ns INTEGER NOT NULL,
    updated_at_ns INTEGER NOT NULL,
    settings      TEXT NOT NULL CHECK (json_valid(settings)), -- ChatSettings
    head          BLOB CHECK (length(head) = 16),             -- a message; it may be gone after a damaged import
    deleted_at_ns INTEGER,                                    -- deleted, but it can still be brought back
    duel          INTEGER NOT NULL DEFAULT 0 CHECK (duel IN (0, 1)) -- a question to two models: not in the list
) STRICT;
CREATE INDEX conversations_by_time ON conversations (pinned DESC, updated_at_ns DESC, id DESC)
    WHERE deleted_at_ns IS NULL AND duel = 0;

CREATE TABLE messages (
    place           INTEGER PRIMARY KEY, -- the number by which the full-text index knows it
    id              BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    conversation_id BLOB NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    parent          BLOB CHECK (length(parent) = 16),
    role            TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    content         TEXT NOT NULL,
    pinned          INTEGER NOT NULL CHECK (pinned IN (0, 1)),
    created_at_ns   INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('writing', 'complete', 'stopped', 'cut', 'failed')),
    answer          TEXT CHECK (answer IS NULL OR json_valid(answer)),   -- Answer
    failure         TEXT CHECK (failure IS NULL OR json_valid(failure)) -- ErrorReport
) STRICT;
CREATE INDEX messages_of_conversation ON messages (conversation_id, created_at_ns, id);
CREATE INDEX messages_in_work ON messages (state) WHERE state = 'writing';

-- The words of whole messages. It holds the index alone; the text stands in `messages`. Characters of scripts that do not
-- put spaces between words are words of their own: the program separates them before it writes them here.
CREATE VIRTUAL TABLE message_words USING fts5(
    words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER words_go_with_their_message AFTER DELETE ON messages
BEGIN
    DELETE FROM message_words WHERE rowid = OLD.place;
END;

-- The KV cache of a conversation as a file in the folder `chats`, so that returning to it needs no prefill.
CREATE TABLE kv_states (
    conversation_id BLOB PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
    model_sha256    TEXT NOT NULL,
    settings        TEXT NOT NULL CHECK (json_valid(settings)), -- EngineSettings that it was made with
    saved           TEXT NOT NULL CHECK (json_valid(saved)),    -- SavedState
    bytes           INTEGER NOT NULL CHECK (bytes >= 0),
    used_at_ns      INTEGER NOT NULL
) STRICT;

-- What answers of providers have cost, each once. It stays when their conversation is deleted: the money is gone all the same.
CREATE TABLE spending (
    message_id BLOB PRIMARY KEY CHECK (length(message_id) = 16),
    at_ns      INTEGER NOT NULL,
    provider   TEXT NOT NULL,
    model      TEXT NOT NULL,
    currency   TEXT CHECK (length(currency) = 3), -- absent, as `nanos` is, while and where the cost is not known
    nanos      INTEGER CHECK (nanos >= 0),        -- billionths of the currency's unit
    CHECK ((currency IS NULL) = (nanos IS NULL))
) STRICT;
CREATE INDEX spending_by_time ON spending (at_ns);

-- Questions that two models answered side by side, and which answer a person found better. The names stand here and with
-- the answers; whether they are told is the program's business.
CREATE TABLE duels (
    question        BLOB PRIMARY KEY CHECK (length(question) = 16),
    conversation_id BLOB NOT NULL UNIQUE REFERENCES conversations (id) ON DELETE CASCADE,
    left_sha256     TEXT NOT NULL,
    left_model      TEXT NOT NULL,
    right_sha256    TEXT NOT NULL,
    right_model     TEXT NOT NULL,
    blind           INTEGER NOT NULL CHECK (blind IN (0, 1)),
    begun_at_ns     INTEGER NOT NULL,
    vote            TEXT CHECK (vote IN ('left', 'right', 'tie', 'both_bad')),
    voted_at_ns     INTEGER,
    CHECK (left_sha256 <> right_sha256),
    CHECK ((vote IS NULL) = (voted_at_ns IS NULL))
) STRICT;
CREATE INDEX duels_by_time ON duels (begun_at_ns DESC, question DESC);
