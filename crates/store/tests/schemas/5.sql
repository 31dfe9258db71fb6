PRAGMA application_id = 1349206638;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
CREATE TABLE devices (
    fingerprint      TEXT PRIMARY KEY CHECK (fingerprint <> ''),
    first_seen_at_ns INTEGER NOT NULL,
    last_seen_at_ns  INTEGER NOT NULL,
    profile          TEXT NOT NULL CHECK (json_valid(profile)) -- DeviceProfile
) STRICT, WITHOUT ROWID;
CREATE TABLE models (
    sha256     TEXT PRIMARY KEY CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
    file_bytes INTEGER NOT NULL CHECK (file_bytes > 0),
    header     TEXT NOT NULL CHECK (json_valid(header)) -- ModelHeader
) STRICT, WITHOUT ROWID;
CREATE TABLE model_files (
    path            TEXT PRIMARY KEY CHECK (path <> ''),
    file_bytes      INTEGER NOT NULL CHECK (file_bytes > 0),
    mtime_ns        INTEGER NOT NULL,
    sha256          TEXT NOT NULL REFERENCES models (sha256),
    last_seen_at_ns INTEGER NOT NULL,
    reference       INTEGER NOT NULL CHECK (reference IN (0, 1)) -- 1: added by path, lies outside the models folder
) STRICT, WITHOUT ROWID;
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
CREATE TABLE sessions (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    run_id        BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    slot          INTEGER NOT NULL CHECK (slot >= 0),
    started_at_ns INTEGER NOT NULL,
    engine        TEXT NOT NULL CHECK (json_valid(engine)),  -- EngineInfo
    loaded        TEXT NOT NULL CHECK (json_valid(loaded)),  -- Loaded
    baseline      TEXT NOT NULL CHECK (json_valid(baseline)) -- ProcessMemory
, cooled TEXT CHECK (cooled IS NULL OR json_valid(cooled))) STRICT;
CREATE TABLE settings (
    key   TEXT PRIMARY KEY CHECK (key <> ''),
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;
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
CREATE TABLE remote_files (
    source       TEXT PRIMARY KEY CHECK (json_valid(source)), -- ModelSource
    bytes        INTEGER CHECK (bytes > 0),                   -- of all its parts
    sha256       TEXT CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
    verified     INTEGER NOT NULL CHECK (verified IN (0, 1)), -- 1: the hash was computed here
    learnt_at_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE added_repositories (
    id          TEXT PRIMARY KEY CHECK (id <> ''),
    added_at_ns INTEGER NOT NULL,
    model       TEXT NOT NULL CHECK (json_valid(model)) -- CatalogueModel
) STRICT, WITHOUT ROWID;
CREATE TABLE "cells" (
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
CREATE TABLE "samples" (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    cell_id       BLOB NOT NULL REFERENCES "cells" (id) ON DELETE CASCADE,
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
CREATE TABLE readings (
    sample_id BLOB PRIMARY KEY REFERENCES samples (id) ON DELETE CASCADE,
    readings  TEXT NOT NULL CHECK (json_type(readings) = 'array') -- Reading
) STRICT, WITHOUT ROWID;
CREATE TABLE tunings (
    id                 BLOB PRIMARY KEY CHECK (length(id) = 16),
    device_fingerprint TEXT NOT NULL REFERENCES devices (fingerprint),
    tuned_at_ns        INTEGER NOT NULL,
    tuning             TEXT NOT NULL CHECK (json_valid(tuning)) -- Tuning
) STRICT;
CREATE TABLE providers (
    id          TEXT PRIMARY KEY CHECK (id <> '' AND id NOT GLOB '*[^a-z0-9-]*'),
    added_at_ns INTEGER NOT NULL,
    provider    TEXT NOT NULL CHECK (json_valid(provider)) -- Provider
) STRICT, WITHOUT ROWID;
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
CREATE VIRTUAL TABLE message_words USING fts5(
    words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TABLE kv_states (
    conversation_id BLOB PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
    model_sha256    TEXT NOT NULL,
    settings        TEXT NOT NULL CHECK (json_valid(settings)), -- EngineSettings that it was made with
    saved           TEXT NOT NULL CHECK (json_valid(saved)),    -- SavedState
    bytes           INTEGER NOT NULL CHECK (bytes >= 0),
    used_at_ns      INTEGER NOT NULL
) STRICT;
CREATE TABLE spending (
    message_id BLOB PRIMARY KEY CHECK (length(message_id) = 16),
    at_ns      INTEGER NOT NULL,
    provider   TEXT NOT NULL,
    model      TEXT NOT NULL,
    currency   TEXT CHECK (length(currency) = 3), -- absent, as `nanos` is, while and where the cost is not known
    nanos      INTEGER CHECK (nanos >= 0),        -- billionths of the currency's unit
    CHECK ((currency IS NULL) = (nanos IS NULL))
) STRICT;
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
INSERT INTO _sqlx_migrations VALUES (1, 'first schema', '2026-11-24 18:15:37', 1, X'E92EA7D1D3552B91784DB96DC94C0EC85244F5475EC98EBB01A565E3DF20F610CCB91BFA20BF606EAFE96E51C1FC9FAA', 2887305);
INSERT INTO _sqlx_migrations VALUES (2, 'models', '2026-11-24 18:15:37', 1, X'DDE274F1811CB3690DD972B2039A298E619DB3C10D85812DD54B3C131BE2AEA24897C899C22B76BBBC14827622EBDB0D', 2013445);
INSERT INTO _sqlx_migrations VALUES (3, 'instrument', '2026-11-24 18:15:37', 1, X'FED041E92CFA4F310BF08DB5A39D5700702ED67AC7912094483F0B9E6C596901E400FB1C8B98AC5ECDBF693EF49B4E48', 10406501);
INSERT INTO _sqlx_migrations VALUES (4, 'providers', '2026-11-24 18:15:37', 1, X'BE071B103CDCF88E2B35F2DC78890A0881A629B7ADE6683A35B83731BFCB1F02ABF928357A61F07BDDFDF8EB233EA471', 3971308);
INSERT INTO _sqlx_migrations VALUES (5, 'conversations', '2026-11-24 18:15:37', 1, X'F763339269D00C1AA1027CA466C9027071CE3DCE400C0838C40D28572768981D905917ADDE61BCD50CBFB2F17515119D', 3945910);
INSERT INTO devices VALUES ('fp-bench', 1750004096123456789, 1750004096123456789, '{"fingerprint":"fp-bench","name":"bench","os":"Debian GNU/Linux 12","kernel":"6.1.0","arch":"x86_64","cpu":"Example CPU","physical_cores":4,"logical_cores":8,"core_clusters":[],"cache_bytes":null,"cpu_features":["avx2","fma"],"virtual_machine":false,"ram_bytes":17179869184,"ram_available_bytes":9663676416,"swap_bytes":0,"storage_free_bytes":null,"battery":{"percent":81.5,"charging":true}}');
INSERT INTO models VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 98362432, '{"architecture":"llama","name":"SmolLM2","quantization":"Q4_1","license":"apache-2.0","n_params":134515008,"tensor_bytes":96000000,"n_ctx_train":8192,"n_layer":2,"n_embd":576,"n_head":9,"n_head_kv":[3,3],"head_dim_k":64,"head_dim_v":64,"sliding_window":null,"n_vocab":49152,"has_chat_template":true,"n_ff":0,"n_merges":0,"parts":0,"tensor_types":[],"embedding_bytes":0,"embedding_type":"","tied_embeddings":false,"n_expert":0,"n_expert_used":0,"expert_bytes":0}');
INSERT INTO models VALUES ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 98362432, '{"architecture":"llama","name":"Gemma 3","quantization":"Q4_1","license":"apache-2.0","n_params":134515008,"tensor_bytes":96000000,"n_ctx_train":8192,"n_layer":2,"n_embd":576,"n_head":9,"n_head_kv":[3,3],"head_dim_k":64,"head_dim_v":64,"sliding_window":null,"n_vocab":49152,"has_chat_template":true,"n_ff":0,"n_merges":0,"parts":0,"tensor_types":[],"embedding_bytes":0,"embedding_type":"","tied_embeddings":false,"n_expert":0,"n_expert_used":0,"expert_bytes":0}');
INSERT INTO model_files VALUES ('/models/SmolLM2.gguf', 98362432, 5, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1750000000123456789, 1);
INSERT INTO runs VALUES (X'01900000000070008000000000001001', X'01900000000070008000000000001000', 'fp-bench', 'quick', 3, 1750004096123456789, NULL, 'Quick', '["SmolLM2 · Q4_1","Gemma 3 · Q4_1"]', '0.1.0', 'abc1234', '{"fingerprint":"fp-bench","name":"bench","os":"Debian GNU/Linux 12","kernel":"6.1.0","arch":"x86_64","cpu":"Example CPU","physical_cores":4,"logical_cores":8,"core_clusters":[],"cache_bytes":null,"cpu_features":["avx2","fma"],"virtual_machine":false,"ram_bytes":17179869184,"ram_available_bytes":9663676416,"swap_bytes":0,"storage_free_bytes":null,"battery":{"percent":81.5,"charging":true}}', '{"entries":[{"model":{"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","path":"/models/SmolLM2.gguf","file_bytes":98362432,"header":{"architecture":"llama","name":"SmolLM2","quantization":"Q4_1","license":"apache-2.0","n_params":134515008,"tensor_bytes":96000000,"n_ctx_train":8192,"n_layer":2,"n_embd":576,"n_head":9,"n_head_kv":[3,3],"head_dim_k":64,"head_dim_v":64,"sliding_window":null,"n_vocab":49152,"has_chat_template":true,"n_ff":0,"n_merges":0,"parts":0,"tensor_types":[],"embedding_bytes":0,"embedding_type":"","tied_embeddings":false,"n_expert":0,"n_expert_used":0,"expert_bytes":0}},"settings":{"n_ctx":2048,"n_batch":2048,"n_ubatch":512,"n_seq_max":1,"n_threads":4,"n_threads_batch":4,"kv_type_k":"f16","kv_type_v":"f16","flash_attention":"auto","use_mmap":true,"n_gpu_layers":0,"repack":true}},{"model":{"sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","path":"/models/Gemma 3.gguf","file_bytes":98362432,"header":{"architecture":"llama","name":"Gemma 3","quantization":"Q4_1","license":"apache-2.0","n_params":134515008,"tensor_bytes":96000000,"n_ctx_train":8192,"n_layer":2,"n_embd":576,"n_head":9,"n_head_kv":[3,3],"head_dim_k":64,"head_dim_v":64,"sliding_window":null,"n_vocab":49152,"has_chat_template":true,"n_ff":0,"n_merges":0,"parts":0,"tensor_types":[],"embedding_bytes":0,"embedding_type":"","tied_embeddings":false,"n_expert":0,"n_expert_used":0,"expert_bytes":0}},"settings":{"n_ctx":2048,"n_batch":2048,"n_ubatch":512,"n_seq_max":1,"n_threads":4,"n_threads_batch":4,"kv_type_k":"f16","kv_type_v":"f16","flash_attention":"auto","use_mmap":true,"n_gpu_layers":0,"repack":true}}],"suite":{"id":"quick","version":3,"title":"Quick","description":"Five categories in two minutes","repetitions":3,"warmup_max_tokens":16,"n_ctx":2048,"tasks":[{"id":"load-cold","category":"load","title":"Task load-cold","work":{"kind":"load","cold":true}},{"id":"qa-1","category":"short_qa","title":"Task qa-1","work":{"kind":"generate","prompt":{"messages":[{"role":"user","content":"Why is the sky blue? «é»"}]},"sampling":{"temperature":0.0,"top_k":0,"top_p":1.0,"min_p":0.0,"repeat_penalty":1.0,"seed":0},"limits":{"max_tokens":64,"stop":["\n\n"],"ignore_eos":false},"reuse_prefix":false}},{"id":"batch-1","category":"batch","title":"Task batch-1","work":{"kind":"batch","prompts":[{"raw":"One"},{"raw":"Two"}],"sampling":{"temperature":0.7,"top_k":0,"top_p":1.0,"min_p":0.0,"repeat_penalty":1.0,"seed":0},"limits":{"max_tokens":64,"stop":["\n\n"],"ignore_eos":false},"in_turn":false}},{"id":"pp512","category":"synthetic","title":"Task pp512","work":{"kind":"synthetic","n_prompt":512,"n_gen":0,"n_depth":0}}]}}');
INSERT INTO sessions VALUES (X'01900000000070008000000000001040', X'01900000000070008000000000001001', 0, 1750000000123456789, '{"protocol":1,"app_version":"0.1.0","bindings_version":"0.1.160","cpu_variant":"libggml-cpu-haswell.so","system_info":"AVX2 = 1","backends":["CPU"],"pid":4242}', '{"load_ns":123456789,"buffers":[{"buffer_type":"CPU","weights_bytes":96000000,"kv_bytes":1048576,"compute_bytes":3}],"effective":{"n_ctx":2048,"n_batch":2048,"n_ubatch":512,"n_seq_max":1,"n_threads":4,"n_threads_batch":4,"kv_type_k":"f16","kv_type_v":"f16","flash_attention":"auto","use_mmap":true,"n_gpu_layers":0,"repack":true},"backend":"CPU","description":"llama 135M Q4_1","n_params":134515008,"tensor_bytes":96000000,"n_ctx_train":8192,"has_chat_template":true}', '{"rss_bytes":31000000,"peak_rss_bytes":32000000,"anonymous_bytes":7,"file_backed_bytes":null,"pss_bytes":null,"swap_bytes":0}', NULL);
INSERT INTO sessions VALUES (X'01900000000070008000000000001041', X'01900000000070008000000000001001', 1, 1750000001123456789, '{"protocol":1,"app_version":"0.1.0","bindings_version":"0.1.160","cpu_variant":"libggml-cpu-haswell.so","system_info":"AVX2 = 1","backends":["CPU"],"pid":4242}', '{"load_ns":123456789,"buffers":[{"buffer_type":"CPU","weights_bytes":96000000,"kv_bytes":1048576,"compute_bytes":3}],"effective":{"n_ctx":2048,"n_batch":2048,"n_ubatch":512,"n_seq_max":1,"n_threads":4,"n_threads_batch":4,"kv_type_k":"f16","kv_type_v":"f16","flash_attention":"auto","use_mmap":true,"n_gpu_layers":0,"repack":true},"backend":"CPU","description":"llama 135M Q4_1","n_params":134515008,"tensor_bytes":96000000,"n_ctx_train":8192,"has_chat_template":true}', '{"rss_bytes":31000000,"peak_rss_bytes":32000000,"anonymous_bytes":7,"file_backed_bytes":null,"pss_bytes":null,"swap_bytes":0}', NULL);
INSERT INTO settings VALUES ('threads', '4');
INSERT INTO jobs VALUES (X'01900000000070008000000000001000', 'run', 'running', X'01900000000070008000000000001001', 1750000000123456789, 1750000001123456789, 'SmolLM2 against Gemma 3 · quick', '{"done":3,"total":40,"unit":"repetitions","rate":0.30000000000000004,"eta_s":null}', NULL, '["loading"]', NULL);
INSERT INTO cells VALUES (X'01900000000070008000000000001010', X'01900000000070008000000000001001', 0, 0, 'load-cold', 'load', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'pending', NULL);
INSERT INTO cells VALUES (X'01900000000070008000000000001011', X'01900000000070008000000000001001', 1, 1, 'load-cold', 'load', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'failed', '{"code":"WORKER_CRASHED","message":"The worker was killed.","hint":"Try again."}');
INSERT INTO cells VALUES (X'01900000000070008000000000001012', X'01900000000070008000000000001001', 2, 0, 'qa-1', 'short_qa', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'pending', NULL);
INSERT INTO cells VALUES (X'01900000000070008000000000001013', X'01900000000070008000000000001001', 3, 1, 'qa-1', 'short_qa', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'pending', NULL);
INSERT INTO cells VALUES (X'01900000000070008000000000001014', X'01900000000070008000000000001001', 4, 0, 'batch-1', 'batch', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'pending', NULL);
INSERT INTO cells VALUES (X'01900000000070008000000000001015', X'01900000000070008000000000001001', 5, 1, 'batch-1', 'batch', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'pending', NULL);
INSERT INTO cells VALUES (X'01900000000070008000000000001016', X'01900000000070008000000000001001', 6, 0, 'pp512', 'synthetic', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'pending', NULL);
INSERT INTO cells VALUES (X'01900000000070008000000000001017', X'01900000000070008000000000001001', 7, 1, 'pp512', 'synthetic', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'pending', NULL);
INSERT INTO samples VALUES (X'01900000000070008000000000001080', X'01900000000070008000000000001010', X'01900000000070008000000000001040', 1, 0, 180000000, 1750000100123456789, 'load', '{"rss_bytes":31000000,"peak_rss_bytes":32000000,"anonymous_bytes":7,"file_backed_bytes":null,"pss_bytes":null,"swap_bytes":0}', '{"other_cpu":0.3333333333333333,"ram_available_bytes":8589934592,"load_average":0.07}', NULL, '{"kind":"load","cold":true,"load_ns":90000000,"first_token_ns":180000000}', NULL);
INSERT INTO samples VALUES (X'01900000000070008000000000001081', X'01900000000070008000000000001010', X'01900000000070008000000000001040', 0, 0, 160000000, 1750000100123456789, 'load', '{"rss_bytes":31000000,"peak_rss_bytes":32000000,"anonymous_bytes":7,"file_backed_bytes":null,"pss_bytes":null,"swap_bytes":0}', '{"other_cpu":0.3333333333333333,"ram_available_bytes":8589934592,"load_average":0.07}', NULL, '{"kind":"load","cold":true,"load_ns":80000000,"first_token_ns":160000000}', NULL);
INSERT INTO samples VALUES (X'01900000000070008000000000001082', X'01900000000070008000000000001012', X'01900000000070008000000000001040', 0, 0, 70000003, 1750000100123456789, 'generation', '{"rss_bytes":31000000,"peak_rss_bytes":32000000,"anonymous_bytes":7,"file_backed_bytes":null,"pss_bytes":null,"swap_bytes":0}', '{"other_cpu":0.3333333333333333,"ram_available_bytes":8589934592,"load_average":0.07}', NULL, '{"kind":"generation","text":"Because of Rayleigh scattering.","prompt_tokens":12,"reused_tokens":0,"generated_tokens":4,"reasoning_tokens":0,"stop":"end_of_generation","template":"model_file","template_ns":1000,"tokenize_ns":2000,"prefill_ns":30000000,"first_sample_ns":50000,"token_at_ns":[],"end_at_ns":70000003}', X'8892CA010000000081DE800200000000C23B470300000000831D2C0400000000');
INSERT INTO samples VALUES (X'01900000000070008000000000001083', X'01900000000070008000000000001012', X'01900000000070008000000000001040', 0, 1, 90000003, 1750000101123456789, 'generation', '{"rss_bytes":31000000,"peak_rss_bytes":32000000,"anonymous_bytes":7,"file_backed_bytes":null,"pss_bytes":null,"swap_bytes":0}', '{"other_cpu":0.3333333333333333,"ram_available_bytes":8589934592,"load_average":0.07}', NULL, '{"kind":"generation","text":"Because of Rayleigh scattering.","prompt_tokens":12,"reused_tokens":0,"generated_tokens":4,"reasoning_tokens":0,"stop":"end_of_generation","template":"model_file","template_ns":1000,"tokenize_ns":2000,"prefill_ns":30000000,"first_sample_ns":50000,"token_at_ns":[],"end_at_ns":90000003}', X'8892CA010000000081DE800200000000C23B470300000000834A5D0500000000');
INSERT INTO samples VALUES (X'01900000000070008000000000001084', X'01900000000070008000000000001014', X'01900000000070008000000000001040', 0, 0, 400000000, 1750000100123456789, 'batch', '{"rss_bytes":31000000,"peak_rss_bytes":32000000,"anonymous_bytes":7,"file_backed_bytes":null,"pss_bytes":null,"swap_bytes":0}', '{"other_cpu":0.3333333333333333,"ram_available_bytes":8589934592,"load_average":0.07}', NULL, '{"kind":"batch","sequences":[{"text":"…","prompt_tokens":1,"generated_tokens":9,"stop":"max_tokens"},{"text":"…","prompt_tokens":1,"generated_tokens":9,"stop":"max_tokens"}],"wall_ns":400000000,"prefill_ns":40000000,"shared_tokens":0,"in_turn":null}', NULL);
INSERT INTO samples VALUES (X'01900000000070008000000000001085', X'01900000000070008000000000001016', X'01900000000070008000000000001040', 0, 0, 4294967296, 1750000100123456789, 'synthetic', '{"rss_bytes":31000000,"peak_rss_bytes":32000000,"anonymous_bytes":7,"file_backed_bytes":null,"pss_bytes":null,"swap_bytes":0}', '{"other_cpu":0.3333333333333333,"ram_available_bytes":8589934592,"load_average":0.07}', NULL, '{"kind":"synthetic","request":{"n_prompt":512,"n_gen":0,"n_depth":0},"elapsed_ns":4294967296}', NULL);
INSERT INTO providers VALUES ('home', 1750000000123456789, '{"id":"home","title":"The one at home","preset":"custom","base_url":"http://localhost:8080/v1","model":"some/model","checked":{"at":"2025-06-15T15:06:47.123456789Z","models":["some/model","another"],"key":"accepted","took_ns":12345678}}');
CREATE INDEX model_files_by_model ON model_files (sha256);
CREATE INDEX model_files_referenced ON model_files (path) WHERE reference = 1;
CREATE INDEX runs_by_time ON runs (started_at_ns, id);
CREATE INDEX runs_by_job ON runs (job_id);
CREATE INDEX runs_by_suite ON runs (suite_id, suite_version, device_fingerprint);
CREATE INDEX sessions_by_run ON sessions (run_id, started_at_ns, id);
CREATE INDEX jobs_by_time ON jobs (created_at_ns, id);
CREATE INDEX jobs_active ON jobs (state) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_by_run ON jobs (run_id);
CREATE INDEX remote_files_by_model ON remote_files (sha256) WHERE verified = 1;
CREATE INDEX cells_by_state ON cells (run_id, state);
CREATE INDEX cells_by_model ON cells (model_sha256, run_id, task_id, id);
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
CREATE INDEX tunings_by_device ON tunings (device_fingerprint, tuned_at_ns);
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
CREATE INDEX conversations_by_time ON conversations (pinned DESC, updated_at_ns DESC, id DESC)
    WHERE deleted_at_ns IS NULL AND duel = 0;
CREATE INDEX messages_of_conversation ON messages (conversation_id, created_at_ns, id);
CREATE INDEX messages_in_work ON messages (state) WHERE state = 'writing';
CREATE TRIGGER words_go_with_their_message AFTER DELETE ON messages
BEGIN
    DELETE FROM message_words WHERE rowid = OLD.place;
END;
CREATE INDEX spending_by_time ON spending (at_ns);
CREATE INDEX duels_by_time ON duels (begun_at_ns DESC, question DESC);
