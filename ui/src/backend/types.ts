// Generated from the Rust types by crates/app/tests/typescript.rs. Do not edit: run
// UPDATE_TYPES=1 cargo test --workspace --test typescript

/**
 * Who answered, and how.
 */
export type Answer = { 
/**
 * The model's name for people.
 */
model: string, 
/**
 * SHA-256 of a local model's file.
 */
model_sha256: string | null, 
/**
 * Figures, once it has ended.
 */
figures: AnswerFigures | null, 
/**
 * Turns that no longer fit the context and were not told to the model.
 */
dropped_turns: number, 
/**
 * Where the prompt went, and why; absent where there was nothing to decide.
 */
decision: RouteDecision | null, 
/**
 * Of an answer from a provider: whose, and what it cost.
 */
cloud: CloudAnswer | null, 
/**
 * Memory was short: the context was at most 2,048 tokens, its cache was quantized, and the answer at most 256 tokens.
 */
memory_safe?: boolean, };

/**
 * Who is to answer a question.
 */
export type AnswerBy = "policy" | "local" | "cloud";

/**
 * Figures of one answer. What was not measured is absent.
 */
export type AnswerFigures = { 
/**
 * Tokens of the prompt, with everything said before.
 */
prompt_tokens: number, 
/**
 * Of those, tokens that were still in the KV cache and were not evaluated again.
 */
reused_tokens: number, 
/**
 * Tokens of the answer.
 */
generated_tokens: number, 
/**
 * Of those, tokens of a reasoning section.
 */
reasoning_tokens: number, 
/**
 * Time to the first token in ms.
 */
ttft_ms: number | null, 
/**
 * Decode rate in tokens a second.
 */
decode_tps: number | null, 
/**
 * Energy in mJ a token.
 */
mj_per_token: number | null, 
/**
 * Why it ended.
 */
stop: StopReason, 
/**
 * What guessing did, where it was on.
 */
speculation?: Speculation, };

/**
 * What the app tells a front end without being asked.
 */
export type AppEvent = { "kind": "job", 
/**
 * The job.
 */
job: Job, } | { "kind": "live", 
/**
 * The update.
 */
live: LiveUpdate, } | { "kind": "chat", 
/**
 * The update.
 */
update: ChatUpdate, };

/**
 * The program itself.
 */
export type AppInfo = { 
/**
 * Version.
 */
version: string, 
/**
 * Commit, where the build knew it.
 */
commit: string | null, 
/**
 * Where database and logs are kept.
 */
data_folder: string, 
/**
 * Where models are kept.
 */
models_folder: string, };

/**
 * How an average was formed.
 */
export type Average = "arithmetic" | "geometric";

/**
 * How a memory bandwidth is known.
 */
export type BandwidthCertainty = "measured" | "specification_peak";

/**
 * Generate from several prompts as parallel sequences of one context.
 */
export type BatchRequest = { 
/**
 * The prompts.
 */
prompts: Array<Prompt>, 
/**
 * How tokens are picked, the same for all.
 */
sampling: Sampling, 
/**
 * When each sequence stops.
 */
limits: Limits, 
/**
 * Then do the same prompts one after another, so that the gain is known.
 */
in_turn: boolean, };

/**
 * A battery, where there is one.
 */
export type Battery = { 
/**
 * Charge in percent, where it can be read.
 */
percent: number | null, 
/**
 * Whether it is being charged or held full by a charger.
 */
charging: boolean | null, };

/**
 * What may be spent in a calendar month.
 */
export type Budget = { 
/**
 * The most.
 */
limit: Money, 
/**
 * Nothing more is asked of a metered provider once it is reached; otherwise it is only said.
 */
hard_stop: boolean, };

/**
 * Buffers as llama.cpp itself accounts for them.
 */
export type Buffers = { 
/**
 * Name of the buffer type, such as `CPU`, `CPU_REPACK` or `Metal`.
 */
buffer_type: string, 
/**
 * Model weights.
 */
weights_bytes: number, 
/**
 * KV cache.
 */
kv_bytes: number, 
/**
 * Scratch space of the compute graph.
 */
compute_bytes: number, };

/**
 * A model that can be fetched.
 */
export type CatalogueEntry = { 
/**
 * What it is.
 */
model: CatalogueModel, 
/**
 * Added by the person, not part of the catalogue.
 */
added: boolean, 
/**
 * Its files, in the order of `model.files`.
 */
files: Array<FileState>, 
/**
 * Place in `files` of the one that suits this device: the best quantization that fits, else the smallest.
 */
recommended: number | null, 
/**
 * One of the two models that a newcomer is offered on this device.
 */
suggested: boolean, 
/**
 * The person has accepted its licence, or need not.
 */
license_accepted: boolean, };

/**
 * One file of a repository. A split model is one file with several parts.
 */
export type CatalogueFile = { 
/**
 * Quantization, such as `Q4_K_M`.
 */
quantization: string, 
/**
 * Path within the repository; of a split model its first part, `…-00001-of-0000N.gguf`.
 */
path: string, 
/**
 * Number of parts.
 */
parts: number, 
/**
 * Size of all parts together, where known.
 */
bytes: number | null, 
/**
 * SHA-256 of the file in lower-case hex, where known. Never of a split model, whose parts have one each.
 */
sha256: string | null, };

/**
 * A model as its publisher describes it, and the repository that holds it as GGUF.
 */
export type CatalogueModel = { 
/**
 * Identity, such as `phi-4-mini-instruct`: lower-case letters, digits, `-` and `.`.
 */
id: string, 
/**
 * For people, such as `Phi-4-mini Instruct`.
 */
name: string, 
/**
 * Such as `Phi`.
 */
family: string, 
/**
 * Who made it, such as `Microsoft`.
 */
publisher: string, 
/**
 * Number of weights.
 */
n_params: number, 
/**
 * llama.cpp's name of its architecture.
 */
architecture: string, 
/**
 * Context length that it was trained for.
 */
n_ctx_train: number, 
/**
 * What decides the size of its KV cache, so that a fit can be said without a network. `None` where not known.
 */
shape: CatalogueShape | null, 
/**
 * Its licence.
 */
license: License, 
/**
 * Languages that its publisher names, as BCP 47 tags. Empty: not said.
 */
languages: Array<string>, 
/**
 * What its publisher made it for.
 */
strengths: Array<Strength>, 
/**
 * Whether it thinks before it answers.
 */
reasons: boolean, 
/**
 * One sentence for people.
 */
summary: string, 
/**
 * Repository on the hub, such as `Qwen/Qwen3-4B-GGUF`.
 */
repository: string, 
/**
 * Branch, tag or commit.
 */
revision: string, 
/**
 * Its files, smallest first. Empty: no GGUF file of it is known.
 */
files: Array<CatalogueFile>, };

/**
 * The parts of a GGUF header that decide the size of the KV cache.
 */
export type CatalogueShape = { 
/**
 * Transformer blocks.
 */
n_layer: number, 
/**
 * Width of the residual stream.
 */
n_embd: number, 
/**
 * Attention heads.
 */
n_head: number, 
/**
 * Key/value heads of each layer.
 */
n_head_kv: number, 
/**
 * Size of a key head and of a value head.
 */
head_dim: number, 
/**
 * Vocabulary.
 */
n_vocab: number, 
/**
 * Sliding window of attention in tokens, where some layers have one.
 */
sliding_window: number | null, };

/**
 * What kind of work a task stands for.
 */
export type Category = "load" | "short_qa" | "code" | "mathematics" | "long_form" | "batch" | "synthetic" | "sustained" | "custom";

/**
 * Identifies a cell.
 */
export type CellId = string;

/**
 * How one entry did on one task.
 */
export type CellOutcome = { 
/**
 * The cell.
 */
cell_id: CellId, 
/**
 * Where it stands.
 */
state: CellState, 
/**
 * Why it failed.
 */
failure: ErrorReport | null, 
/**
 * What to know about its figures.
 */
flags: Array<Flag>, 
/**
 * The limit that memory sets to its decode rate. Absent where it has none, or several tokens are decoded at once.
 */
limit: MemoryLimit | null, };

/**
 * Where a cell stands.
 */
export type CellState = "pending" | "done" | "failed";

/**
 * How sure.
 */
export type Certainty = "low" | "moderate" | "high";

/**
 * One message.
 */
export type ChatMessage = { 
/**
 * Identity.
 */
id: MessageId, 
/**
 * Of which conversation.
 */
conversation_id: ConversationId, 
/**
 * The message that it answers or follows; `None` for the first.
 */
parent: MessageId | null, 
/**
 * Who says it.
 */
role: Role, 
/**
 * What is said, as it came: untrusted text of a model where the role is the assistant's.
 */
content: string, 
/**
 * Its turn is never dropped from the context.
 */
pinned: boolean, 
/**
 * When it was sent or begun.
 */
created_at: string, 
/**
 * Where it stands.
 */
state: MessageState, 
/**
 * Of an answer: who gave it, and how fast.
 */
answer: Answer | null, 
/**
 * Why it could not be finished.
 */
failure: ErrorReport | null, };

/**
 * How chat behaves in all conversations.
 */
export type ChatOptions = { 
/**
 * Where prompts are answered.
 */
policy: RoutePolicy, 
/**
 * Id of the provider that is asked; `None`: the first that is set up.
 */
provider: string | null, 
/**
 * Its model; `None`: the one that the provider is set up with.
 */
cloud_model: string | null, 
/**
 * What may be spent in a calendar month.
 */
budget: Budget | null, 
/**
 * Load the model that was used last when the program starts.
 */
preload: boolean, 
/**
 * Minutes that a model stays loaded when nobody talks to it.
 */
keep_warm_min: number, 
/**
 * Longest wait for the first token of a model that is not loaded yet, in ms: what a measured cold start is held against.
 */
cold_start_limit_ms: number, 
/**
 * Guess words from what was said and check several at once, which gives the same answer sooner where it repeats itself.
 */
speculative: boolean, 
/**
 * Smaller context, smaller cache and shorter answers, to live in little memory. Taken by itself, too, when memory is short.
 */
memory_safe: boolean, };

/**
 * How a conversation's answers are made.
 */
export type ChatSettings = { 
/**
 * Path of the local model that answers; `None` until one is picked.
 */
model: string | null, 
/**
 * Standing instructions, told before everything else; empty for none.
 */
system_prompt: string, 
/**
 * How tokens are picked.
 */
sampling: Sampling, 
/**
 * Most tokens of an answer.
 */
max_tokens: number, 
/**
 * Context in tokens; `None` for as much as the device's memory suggests.
 */
n_ctx: number | null, };

/**
 * What happens to an answer.
 */
export type ChatUpdate = { "what": "words", 
/**
 * In which conversation.
 */
conversation_id: ConversationId, 
/**
 * Which answer.
 */
message_id: MessageId, 
/**
 * Where the new text begins, in UTF-16 units: a listener that missed something sees it here.
 */
from: number, 
/**
 * The new text.
 */
text: string, 
/**
 * Tokens so far that had text.
 */
tokens: number, 
/**
 * Since it was asked for.
 */
elapsed_s: number, } | { "what": "ended", 
/**
 * The whole message.
 */
message: ChatMessage, } | { "what": "consent", 
/**
 * In which conversation.
 */
conversation_id: ConversationId, 
/**
 * The question, as sending may ask it.
 */
consent: ConsentQuestion, };

/**
 * What a check of a provider found.
 */
export type Checked = { 
/**
 * When.
 */
at: string, 
/**
 * Names of its models, as it lists them.
 */
models: Array<string>, 
/**
 * Whether the key was shown to matter: some providers list their models to everyone.
 */
key: KeyCheck, 
/**
 * Time until the list was there, in nanoseconds.
 */
took_ns: number, };

/**
 * A check and what follows from it.
 */
export type CheckedFinding = { 
/**
 * The arithmetic.
 */
finding: Finding, 
/**
 * How the statement stands.
 */
standing: Standing, 
/**
 * The same in English.
 */
sentence: string, };

/**
 * One published figure.
 */
export type Claim = { 
/**
 * Name within the set.
 */
id: string, 
/**
 * Whose figure: a model of the set.
 */
model: string, 
/**
 * What the figure is.
 */
metric: ClaimedMetric, 
/**
 * Kind of work it was taken on.
 */
task: Category | null, 
/**
 * Tokens of one answer, where stated.
 */
tokens: TokenRange | null, 
/**
 * Prompts of a batch, where it is one.
 */
prompts: number | null, 
/**
 * The figure as published.
 */
value: number, 
/**
 * Its unit as published.
 */
unit: ClaimUnit, };

/**
 * One publication and its figures, as a file in `models/claims/`.
 */
export type ClaimSet = { 
/**
 * Version of this format, 1.
 */
schema: number, 
/**
 * Stable name.
 */
id: string, 
/**
 * For people.
 */
title: string, 
/**
 * Where the figures come from.
 */
source: ClaimSource, 
/**
 * What the source says they were measured on.
 */
device: ClaimedDevice, 
/**
 * The models, as the source names them.
 */
models: Array<ClaimedModel>, 
/**
 * How the source says it measured.
 */
method: ClaimedMethod, 
/**
 * The figures.
 */
claims: Array<Claim>, 
/**
 * What the source concludes from its own figures.
 */
comparisons: Array<StatedComparison>, 
/**
 * The source's weighted totals, where it gives any.
 */
scorecard: StatedScorecard | null, 
/**
 * What else it states that bears on a choice, in our words. Nothing here can be checked.
 */
statements: Array<string>, };

/**
 * Where published figures come from.
 */
export type ClaimSource = { 
/**
 * What the publication is, and who wrote it, where that is known.
 */
publication: string, 
/**
 * When it appeared, as exactly as is known: `2026`, `2026-03` or `2026-03-09`.
 */
published: string, 
/**
 * What these figures are: `published claim, not measured by this project`.
 */
kind: string, 
/**
 * What a reader must know to judge them, such as what the source leaves open.
 */
notes: Array<string>, };

/**
 * The unit that a figure was published in. MB and GB are powers of ten.
 */
export type ClaimUnit = "ms" | "s" | "tok/s" | "B" | "MB" | "GB";

/**
 * How fast a device reads its memory, and how we know.
 */
export type ClaimedBandwidth = { 
/**
 * Bytes a second.
 */
bytes_per_s: number, 
/**
 * How we know.
 */
certainty: BandwidthCertainty, 
/**
 * Where the figure comes from, in words.
 */
source: string, };

/**
 * A device as a publication describes it.
 */
export type ClaimedDevice = { 
/**
 * Product, such as `Xiaomi 14 Pro`.
 */
name: string, 
/**
 * Processor.
 */
chip: string, 
/**
 * Physical memory.
 */
ram_bytes: number, 
/**
 * Operating system and version.
 */
os: string, 
/**
 * Number format of the weights, as the source calls it, such as `INT4`.
 */
precision: string, 
/**
 * How fast its memory is, where that is known.
 */
bandwidth: ClaimedBandwidth | null, };

/**
 * How a publication says that it measured.
 */
export type ClaimedMethod = { 
/**
 * Repetitions behind each figure.
 */
runs: number | null, 
/**
 * Percentile that it reports beside the mean, such as 95.
 */
percentile: number | null, 
/**
 * What is questionable about it, in our words.
 */
notes: Array<string>, };

/**
 * A figure's meaning: one of ours, or a size that we do not measure as a figure of a task.
 */
export type ClaimedMetric = Metric | ClaimedSize;

/**
 * A model as a publication describes it.
 */
export type ClaimedModel = { 
/**
 * Name within the set.
 */
id: string, 
/**
 * As the source calls it.
 */
name: string, 
/**
 * The model of our catalogue that it is, where there is one.
 */
catalogue_id: string | null, 
/**
 * Number of weights.
 */
n_params: number, 
/**
 * As the source calls it, such as `INT4`.
 */
quantization: string, 
/**
 * Whether only a part of the weights works on a token: then a file's size does not say what a token reads.
 */
mixture_of_experts: boolean, };

/**
 * A size that publications state. `docs/benchmarking.md` defines the terms.
 */
export type ClaimedSize = "file_bytes" | "kv_bytes" | "storage_bytes" | "baseline_rss_bytes";

/**
 * Figures that someone has published, with what can be said about them without measuring.
 */
export type ClaimsReport = { 
/**
 * The publication.
 */
set: ClaimSet, 
/**
 * Every check, what holds as well as what does not: claims first, in their order.
 */
findings: Array<CheckedFinding>, 
/**
 * What this device could do with the same models. Absent while its memory bandwidth is not known.
 */
here: LimitsHere | null, };

/**
 * An answer that came from a provider.
 */
export type CloudAnswer = { 
/**
 * Id of the provider.
 */
provider: string, 
/**
 * Its title at the time.
 */
title: string, 
/**
 * The model's name there.
 */
model: string, 
/**
 * Tokens as it counts and bills them, once it has said so.
 */
usage: TokenUsage | null, 
/**
 * Time from the request to the first piece of the answer in ms, the network included.
 */
first_piece_ms: number | null, 
/**
 * Time from the request to the end in ms, earlier attempts included.
 */
took_ms: number | null, 
/**
 * What it cost.
 */
cost: Cost, };

/**
 * How an entry starts when its file is not in memory.
 */
export type ColdStart = { 
/**
 * The entry.
 */
slot: number, 
/**
 * The limit, in milliseconds.
 */
limit_ms: number, 
/**
 * Median time from starting the process to the first token; absent if no cold start was measured.
 */
first_token_ms: number | null, 
/**
 * Whether that is within the limit.
 */
met: boolean | null, 
/**
 * What it consists of.
 */
budget: StartBudget | null, 
/**
 * What would meet it, what costs nothing first. Empty if it is met, or if nothing known does.
 */
advice: Array<StartAdvice>, };

/**
 * What the machine was like during a span.
 */
export type Conditions = { 
/**
 * Readings within the span.
 */
readings: number, 
/**
 * Temperatures by class.
 */
temperatures: Array<TemperatureSpread>, 
/**
 * [`Reading::frequency_share`].
 */
frequency_share: Spread | null, 
/**
 * The worst.
 */
thermal_status: ThermalStatus | null, 
/**
 * Energy drawn from the span's start to its end; see [`energy`].
 */
energy: Energy | null, 
/**
 * The same from the first token to the last one alone.
 */
decode_energy: Energy | null, 
/**
 * Whether a charger fed the machine at any time.
 */
charging: boolean | null, 
/**
 * Lowest charge in percent.
 */
lowest_battery_percent: number | null, 
/**
 * Load average.
 */
load_average: Spread | null, 
/**
 * Least memory that could be used without swapping.
 */
least_available_bytes: number | null, 
/**
 * Longest time between two successive readings, on the monotonic clock.
 */
longest_gap_ns: number | null, 
/**
 * How long the machine slept: what the clock that goes on during sleep gained by [`CLOCK_JUMP`] or more between two
 * readings. 0 if it did not; absent without such a clock.
 */
slept_ns: number | null, 
/**
 * Greatest jump of the wall clock between two readings, in milliseconds, against the clock that goes on during
 * sleep, or else the monotonic one. 0 below [`CLOCK_JUMP`].
 */
wall_jump_ms: number | null, 
/**
 * Sensors not to be believed.
 */
stuck: Array<StuckSensor>, };

/**
 * The question whether a prompt may go to the cloud.
 */
export type ConsentQuestion = { 
/**
 * The message that waits for an answer.
 */
question: MessageId, 
/**
 * Why the cloud, and whether the local model could answer instead.
 */
decision: RouteDecision, 
/**
 * The provider's title.
 */
provider: string, 
/**
 * Host that the words would go to.
 */
host: string, 
/**
 * The model's name there.
 */
model: string, 
/**
 * The most that the answer can cost.
 */
at_most: Cost, };

/**
 * How full a conversation's context is.
 */
export type ContextMeter = { 
/**
 * Tokens of what would be told to the model now.
 */
tokens: number, 
/**
 * Tokens that the context holds.
 */
n_ctx: number, 
/**
 * Of those, kept for the answer.
 */
reserved: number, 
/**
 * Messages that are left out already.
 */
dropped: Array<MessageId>, 
/**
 * With those that go next.
 */
next: Array<MessageId>, };

/**
 * A conversation without its messages.
 */
export type Conversation = { 
/**
 * Identity.
 */
id: ConversationId, 
/**
 * For people; at first the beginning of the first question.
 */
title: string, 
/**
 * Kept at the top of the list.
 */
pinned: boolean, 
/**
 * When it was begun.
 */
created_at: string, 
/**
 * When something was last said or changed.
 */
updated_at: string, 
/**
 * How answers are made.
 */
settings: ChatSettings, 
/**
 * Last message of the path in view.
 */
head: MessageId | null, };

/**
 * What is to change; `None` leaves it.
 */
export type ConversationChange = { 
/**
 * Title.
 */
title: string | null, 
/**
 * Pinned.
 */
pinned: boolean | null, 
/**
 * How answers are made.
 */
settings: ChatSettings | null, };

/**
 * Format of an exported conversation.
 */
export type ConversationFormat = "json" | "markdown";

/**
 * Identifies a conversation.
 */
export type ConversationId = string;

/**
 * A conversation in a list.
 */
export type ConversationSummary = { 
/**
 * The conversation.
 */
conversation: Conversation, 
/**
 * Of a search: text around the words that were found.
 */
excerpt: string | null, };

/**
 * A conversation with all its branches.
 */
export type ConversationView = { 
/**
 * The conversation.
 */
conversation: Conversation, 
/**
 * Every message, the oldest first.
 */
messages: Array<ChatMessage>, 
/**
 * The messages in view, from the first to the last.
 */
path: Array<MessageId>, };

/**
 * How a wait for a cooler machine ended.
 */
export type CoolDownEnd = "cool" | "time_up" | "no_sensor" | "sensor_lost" | "cancelled";

/**
 * A wait for a cooler machine.
 */
export type Cooled = { 
/**
 * How long, in milliseconds.
 */
waited_ms: number, 
/**
 * Temperature at the start in °C.
 */
from_c: number | null, 
/**
 * Last temperature in °C.
 */
to_c: number | null, 
/**
 * Whether it got as cool as asked for.
 */
reached: boolean, 
/**
 * Why it ended.
 */
reason: CoolDownEnd, };

/**
 * Cores of one kind.
 */
export type CoreCluster = { 
/**
 * Physical cores.
 */
cores: number, 
/**
 * Highest clock of any of them in MHz, where it can be read.
 */
max_mhz: number | null, };

/**
 * What an answer cost.
 */
export type Cost = "free" | { "amount": Money } | "unknown";

/**
 * A moment of a sustained task: the mean of one or more rounds.
 */
export type CurvePoint = { 
/**
 * Seconds since the task began.
 */
at_s: number, 
/**
 * Decode rate, tokens a second.
 */
decode_tps: number, 
/**
 * Hottest processor sensor, else battery or skin, in °C.
 */
celsius: number | null, 
/**
 * Clock of the fastest cores as a share of the most they can do.
 */
frequency_share: number | null, };

/**
 * A suite of the person's own.
 */
export type CustomSuite = { 
/**
 * One task each.
 */
prompts: Array<string>, 
/**
 * Most tokens of an answer.
 */
max_tokens: number, 
/**
 * Repetitions that count.
 */
repetitions: number, 
/**
 * Every answer gets exactly `max_tokens`, even if the model would end before.
 */
fixed_length: boolean, };

/**
 * A decode rate beside the limit that memory sets, with the arithmetic.
 */
export type DecodeLimit = { 
/**
 * Tokens a second that were reached: the median over the repetitions.
 */
tps: number, 
/**
 * Tokens before the one that is decoded, on average.
 */
depth: number, 
/**
 * Bytes read for one token at that depth: see [`bytes_per_token`].
 */
bytes_per_token: number, 
/**
 * What memory gives.
 */
bandwidth: MeasuredBandwidth, 
/**
 * Caches that may keep a part from one token to the next, where they are known.
 */
cache_bytes: number | null, 
/**
 * Tokens a second that memory allows: bandwidth ÷ bytes a token.
 */
limit_tps: number, 
/**
 * Rate ÷ limit.
 */
efficiency: number, 
/**
 * What that means.
 */
standing: LimitStanding, };

/**
 * What is lost when a model is deleted.
 */
export type DeletePreview = { 
/**
 * The entry.
 */
path: string, 
/**
 * Files that will be deleted; none for a reference, which is only forgotten.
 */
files: Array<string>, 
/**
 * Space that this frees.
 */
freed_bytes: number, 
/**
 * Runs that used it. They stay, and can be read, but not be resumed.
 */
runs: Array<RunSummary>, 
/**
 * Whether it can be fetched again, and from where.
 */
source: ModelSource | null, };

/**
 * The machine. What cannot be read is absent, never zero.
 */
export type DeviceProfile = { 
/**
 * Stable identity: a hash of what does not change while the machine stays the same.
 */
fingerprint: string, 
/**
 * Model name of the machine or host name.
 */
name: string, 
/**
 * Operating system and version.
 */
os: string, 
/**
 * Kernel version.
 */
kernel: string | null, 
/**
 * Instruction set architecture, such as `x86_64`.
 */
arch: string, 
/**
 * Name of the processor.
 */
cpu: string, 
/**
 * Physical cores, where they can be told from logical ones.
 */
physical_cores: number | null, 
/**
 * Logical cores that this process may use.
 */
logical_cores: number, 
/**
 * Groups of equal cores, the fastest first, where they can be told: performance and efficiency cores.
 */
core_clusters: Array<CoreCluster>, 
/**
 * Caches of the second level and above, all of them together, where the system names every one.
 */
cache_bytes: number | null, 
/**
 * Instruction sets that matter to llama.cpp.
 */
cpu_features: Array<string>, 
/**
 * Whether it runs on a hypervisor, where that can be told.
 */
virtual_machine: boolean | null, 
/**
 * Physical memory.
 */
ram_bytes: number, 
/**
 * Memory that can be used without swapping, now.
 */
ram_available_bytes: number, 
/**
 * Swap space.
 */
swap_bytes: number, 
/**
 * Free space where the models are kept.
 */
storage_free_bytes: number | null, 
/**
 * Battery.
 */
battery: Battery | null, };

/**
 * What this device is, can do and can tell.
 */
export type DeviceReport = { 
/**
 * The machine as it is now.
 */
profile: DeviceProfile, 
/**
 * Memory bandwidth, once it was measured.
 */
bandwidth: MeasuredBandwidth | null, 
/**
 * The engine's CPU variant that the last worker picked here.
 */
cpu_variant: string | null, 
/**
 * One look at all sensors. What is absent cannot be read here.
 */
sensors: SensorReading, 
/**
 * Kind and place of each sensor that was found.
 */
sensors_found: Array<string>, };

/**
 * One quality of two models, over all tasks that have it.
 */
export type Dimension = { 
/**
 * What is weighed.
 */
quality: Quality, 
/**
 * Geometric mean over the tasks of how many times better slot 0 is than slot 1; below 1 slot 1 is better. For times
 * and memory less is better, and the factor is already turned round.
 */
advantage: number, 
/**
 * 95 % percentile bootstrap of the same.
 */
interval: Interval, 
/**
 * Who is better, if anyone is.
 */
winner: number | null, 
/**
 * How many tasks are behind it.
 */
tasks: number, };

/**
 * Why not surer.
 */
export type Doubt = { "kind": "few_repetitions", 
/**
 * How many.
 */
count: number, } | { "kind": "noisy_cells", 
/**
 * How many.
 */
count: number, 
/**
 * Of how many.
 */
of: number, } | { "kind": "busy_machine", 
/**
 * How many.
 */
count: number, 
/**
 * Of how many.
 */
of: number, } | { "kind": "left_out", 
/**
 * How many.
 */
count: number, 
/**
 * Of how many.
 */
of: number, } | { "kind": "failed_cells", 
/**
 * How many.
 */
count: number, 
/**
 * Of how many.
 */
of: number, } | { "kind": "not_measured", 
/**
 * How many.
 */
count: number, 
/**
 * Of how many.
 */
of: number, };

/**
 * What to fetch.
 */
export type DownloadRequest = { 
/**
 * From where.
 */
source: ModelSource, 
/**
 * The person accepts the licence.
 */
accept_license: boolean, };

/**
 * How downloads are done.
 */
export type DownloadSettings = { 
/**
 * Only over Wi-Fi or a cable.
 */
wifi_only: boolean, 
/**
 * Downloads at once; the others wait.
 */
at_once: number, 
/**
 * Connections a download, where the host allows ranges.
 */
connections: number, 
/**
 * Base address of a mirror of the hub, tried first.
 */
mirror: string | null, 
/**
 * Proxy, such as `http://proxy.example:3128`; otherwise the system's.
 */
proxy: string | null, 
/**
 * Where a newer catalogue may be had, without a new version of the program.
 */
catalogue_url: string | null, 
/**
 * What makes it trusted: the Ed25519 public key of who signs it (64 hex digits; the signature is at the same address
 * with `.sig`), or `sha256:` and the hash of the one catalogue that is meant.
 */
catalogue_trust: string | null, };

/**
 * A question and its two answers, left and right.
 */
export type Duel = { 
/**
 * The conversation that holds it.
 */
conversation_id: ConversationId, 
/**
 * The question.
 */
question: ChatMessage, 
/**
 * The answers, left and right. One after the other where memory does not hold both models.
 */
answers: [ChatMessage, ChatMessage], 
/**
 * Whether names are hidden until the vote.
 */
blind: boolean, 
/**
 * The vote, once there is one.
 */
vote: Vote | null, };

/**
 * How models stand by the votes of people.
 */
export type DuelRanking = { 
/**
 * The models, strongest first.
 */
models: Array<ModelStrength>, 
/**
 * Votes in all.
 */
votes: number, 
/**
 * Of those, with names hidden.
 */
blind: number, };

/**
 * One question to two models.
 */
export type DuelRequest = { 
/**
 * The question.
 */
text: string, 
/**
 * Paths of the two local models.
 */
models: [string, string], 
/**
 * Hide who is who until there is a vote; the sides are drawn by lot.
 */
blind: boolean, 
/**
 * How both answer; its model does not count.
 */
settings: ChatSettings, };

/**
 * Energy drawn.
 */
export type Energy = { 
/**
 * Joules.
 */
joules: number, 
/**
 * Who counted them.
 */
source: EnergySource, };

/**
 * A counter of energy in a processor package (RAPL). It wraps.
 */
export type EnergyCounter = { 
/**
 * Name of the package.
 */
name: string, 
/**
 * Value in joules. It starts anywhere.
 */
joules: number, 
/**
 * Value in joules behind which it starts again from 0.
 */
range_j: number, };

/**
 * Who counted the energy.
 */
export type EnergySource = "rapl" | "battery";

/**
 * Who the engine is.
 */
export type EngineInfo = { 
/**
 * Version of the protocol that the worker speaks.
 */
protocol: number, 
/**
 * Version of Pocketbench that the worker belongs to.
 */
app_version: string, 
/**
 * Version of the llama.cpp bindings, which fixes llama.cpp's commit.
 */
bindings_version: string, 
/**
 * CPU variant that was picked for this machine, such as `libggml-cpu-icelake.so`.
 */
cpu_variant: string, 
/**
 * Instruction sets in use and compile flags, as llama.cpp reports them.
 */
system_info: string, 
/**
 * Backends that are loaded.
 */
backends: Array<string>, 
/**
 * Process that the worker runs in.
 */
pid: number, };

/**
 * Settings of one loaded model. Two cells compare only if these agree.
 */
export type EngineSettings = { 
/**
 * Context length in tokens.
 */
n_ctx: number, 
/**
 * Logical batch: most prompt tokens submitted at once.
 */
n_batch: number, 
/**
 * Micro-batch: most tokens computed at once.
 */
n_ubatch: number, 
/**
 * Most sequences decoded in parallel.
 */
n_seq_max: number, 
/**
 * Threads for decode.
 */
n_threads: number, 
/**
 * Threads for prefill.
 */
n_threads_batch: number, 
/**
 * Key half of the KV cache.
 */
kv_type_k: KvType, 
/**
 * Value half of the KV cache.
 */
kv_type_v: KvType, 
/**
 * Fused attention.
 */
flash_attention: FlashAttention, 
/**
 * Map the file instead of reading it into memory.
 */
use_mmap: boolean, 
/**
 * Layers put on a GPU where there is one.
 */
n_gpu_layers: number, 
/**
 * Let the CPU backend keep a second copy of the weights in a layout of its own: faster prefill, more memory.
 */
repack: boolean, };

/**
 * One entry of a result.
 */
export type EntryResult = { 
/**
 * Its place.
 */
slot: number, 
/**
 * Name and quantization.
 */
label: string, 
/**
 * The model.
 */
model: ModelRef, 
/**
 * Settings asked for.
 */
settings: EngineSettings, 
/**
 * Every worker that served it, with effective settings.
 */
sessions: Array<Session>, 
/**
 * Its memory.
 */
memory: MemorySummary, };

/**
 * Stable, machine-readable name of what went wrong. The UI and scripts switch on it; the words may change.
 */
export type ErrorCode = "MODEL_FILE_NOT_FOUND" | "MODEL_FILE_NOT_GGUF" | "MODEL_FILE_TRUNCATED" | "MODEL_FILE_CORRUPT" | "MODEL_FILE_CHANGED" | "MODEL_ARCHITECTURE_UNKNOWN" | "MODEL_LOAD_FAILED" | "CONTEXT_TOO_LONG" | "PROMPT_TOO_LONG" | "NOT_ENOUGH_MEMORY" | "OUT_OF_MEMORY" | "WORKER_CRASHED" | "MEASUREMENT_INTERRUPTED" | "WORKER_START_FAILED" | "WORKER_PROTOCOL" | "WORKER_NOT_RESPONDING" | "UNSUPPORTED_REQUEST" | "CANCELLED" | "DISK_FULL" | "DATA_FOLDER_READ_ONLY" | "DATABASE_NEWER" | "DATABASE_CORRUPT" | "ALREADY_RUNNING" | "MODEL_IN_USE" | "LICENSE_NOT_ACCEPTED" | "NETWORK_UNAVAILABLE" | "NETWORK_METERED" | "TLS_FAILED" | "URL_INVALID" | "DOWNLOAD_TOKEN_REQUIRED" | "DOWNLOAD_FORBIDDEN" | "DOWNLOAD_NOT_FOUND" | "DOWNLOAD_RATE_LIMITED" | "DOWNLOAD_SERVER_ERROR" | "DOWNLOAD_REDIRECT_LOOP" | "DOWNLOAD_STALLED" | "DOWNLOAD_RANGE_INVALID" | "DOWNLOAD_CHANGED" | "DOWNLOAD_LENGTH_MISMATCH" | "DOWNLOAD_CHECKSUM_MISMATCH" | "DOWNLOAD_NOT_A_MODEL" | "REPOSITORY_WITHOUT_GGUF" | "FILE_NAME_UNSAFE" | "CATALOGUE_INVALID" | "CATALOGUE_UNTRUSTED" | "PROVIDER_UNAUTHORIZED" | "PROVIDER_UNREACHABLE" | "PROVIDER_WRONG_URL" | "PROVIDER_QUOTA_EXHAUSTED" | "PROVIDER_RATE_LIMITED" | "PROVIDER_SERVER_ERROR" | "PROVIDER_TLS_FAILED" | "PROVIDER_STREAM_MALFORMED" | "PROVIDER_STREAM_CUT" | "PROVIDER_TIMEOUT" | "PROVIDER_CONTENT_TYPE" | "PROVIDER_ANSWER_TOO_LARGE" | "PROVIDER_MODEL_UNKNOWN" | "PROVIDER_CONTEXT_TOO_LONG" | "PROVIDER_REFUSED" | "PROVIDER_PAUSED" | "BUDGET_EXHAUSTED" | "KEY_STORE_UNAVAILABLE" | "SUITE_INVALID" | "INVALID_INPUT" | "DEVICE_BUSY" | "NOT_FOUND" | "INTERNAL";

/**
 * An error in plain words: what happened and what to do next.
 */
export type ErrorReport = { 
/**
 * Stable name.
 */
code: ErrorCode, 
/**
 * What happened, in plain words.
 */
message: string, 
/**
 * What to do next.
 */
hint?: string, 
/**
 * Facts for the curious: log lines, sizes, exit status.
 */
details?: Record<string, unknown>, };

/**
 * How long a run will take.
 */
export type Estimate = { 
/**
 * Seconds.
 */
seconds: number, 
/**
 * Whether it stands on earlier measurements of these models on this device; otherwise on their size alone.
 */
measured: boolean, };

/**
 * Format of an exported result.
 */
export type ExportFormat = "json" | "csv" | "markdown";

/**
 * A figure and its value.
 */
export type Figure = { 
/**
 * Which.
 */
metric: Metric, 
/**
 * In the metric's unit.
 */
value: number, };

/**
 * How a file of the catalogue stands on this device.
 */
export type FileState = { 
/**
 * Where it comes from.
 */
source: ModelSource, 
/**
 * Size of all its parts, from the catalogue or learnt from the host; else what its quantization makes likely.
 */
bytes: number | null, 
/**
 * The size is only likely.
 */
bytes_estimated: boolean, 
/**
 * SHA-256, from the catalogue, the host or the first verified download.
 */
sha256: string | null, 
/**
 * Whether it will fit, from what the catalogue knows, at the context of the quick suite. `None`: not known before its
 * header is read.
 */
fit: Fit | null, 
/**
 * Speed to expect.
 */
speed: SpeedForecast | null, 
/**
 * Path on this machine, once it is here.
 */
installed: string | null, 
/**
 * The job that fetches it or did last.
 */
job_id: JobId | null, 
/**
 * Bytes of an unfinished download.
 */
partial_bytes: number | null, };

/**
 * What a check found: numbers, so that every language can word it.
 */
export type Finding = { "kind": "limit", 
/**
 * Which claim.
 */
claim: string, 
/**
 * The arithmetic.
 */
check: LimitCheck, } | { "kind": "memory", 
/**
 * Which claim.
 */
claim: string, 
/**
 * Claimed.
 */
bytes: number, 
/**
 * What the device has.
 */
ram_bytes: number, } | { "kind": "comparison", 
/**
 * Which one.
 */
comparison: string, 
/**
 * As stated.
 */
lower_by_percent: number, 
/**
 * As computed from the source's own figures.
 */
readings: Array<Reading>, } | { "kind": "weights", 
/**
 * Their sum, which should be 100.
 */
sum_percent: number, } | { "kind": "total", 
/**
 * Which model.
 */
model: string, 
/**
 * As stated.
 */
stated: number, 
/**
 * As computed, unrounded.
 */
computed: number, 
/**
 * Whether they agree to the digits stated.
 */
agrees: boolean, } | { "kind": "percentile", 
/**
 * Which percentile, such as 95.
 */
percentile: number, 
/**
 * Values.
 */
runs: number, 
/**
 * Fewest values that have another value between this percentile and the largest.
 */
runs_needed: number, };

/**
 * Predicted memory of a loaded model, in bytes.
 */
export type Fit = { 
/**
 * Weights, as they lie in the file.
 */
weights_bytes: number, 
/**
 * Second copy of those weights that the CPU backend repacks into a layout of its own.
 */
repacked_bytes: number, 
/**
 * KV cache at the context asked for.
 */
kv_bytes: number, 
/**
 * Compute buffers.
 */
compute_bytes: number, 
/**
 * The worker itself.
 */
baseline_bytes: number, 
/**
 * Sum of the above.
 */
predicted_bytes: number, 
/**
 * The part of it that is mapped from the file: the system may drop such pages and read them again.
 */
file_backed_bytes: number, 
/**
 * The part of it that belongs to no file and must stay in memory.
 */
anonymous_bytes: number, 
/**
 * Memory that was available.
 */
available_bytes: number, 
/**
 * What that means.
 */
class: FitClass, };

/**
 * What to change so that a model fits.
 */
export type FitAdvice = { "kind": "shorter_context", 
/**
 * Longest one that fits.
 */
n_ctx: number, } | { "kind": "smaller_kv", 
/**
 * Its number format.
 */
kv_type: KvType, 
/**
 * Context that then fits.
 */
n_ctx: number, } | { "kind": "no_repacking", 
/**
 * Memory that this saves.
 */
saved_bytes: number, } | { "kind": "free_memory", 
/**
 * How much is missing.
 */
missing_bytes: number, } | { "kind": "smaller_file", 
/**
 * Its quantization.
 */
quantization: string, 
/**
 * Its size.
 */
bytes: number, };

/**
 * Whether it fits.
 */
export type FitClass = "fits" | "tight" | "too_big";

/**
 * Whether and how a model fits this device: its header, at several contexts and KV types.
 */
export type FitReport = { 
/**
 * What its header says.
 */
header: ModelHeader, 
/**
 * Size of all its parts.
 */
file_bytes: number, 
/**
 * Bytes fetched for the header; 0 for a file that is here.
 */
fetched_bytes: number, 
/**
 * One row a context, each with one fit a KV type, in the order of `kv_types`.
 */
rows: Array<FitRow>, 
/**
 * The KV types of the rows.
 */
kv_types: Array<KvType>, 
/**
 * What would make it fit, where it does not with room to spare.
 */
advice: Array<FitAdvice>, 
/**
 * Speed to expect.
 */
speed: SpeedForecast | null, 
/**
 * Free space where models are kept.
 */
storage_free_bytes: number | null, 
/**
 * The largest footprint that ever worked on this device.
 */
largest_worked_bytes: number | null, 
/**
 * The smallest footprint that ever failed for want of memory on this device.
 */
smallest_failed_bytes: number | null, };

/**
 * One context length.
 */
export type FitRow = { 
/**
 * Context in tokens.
 */
n_ctx: number, 
/**
 * One a KV type.
 */
fits: Array<Fit>, };

/**
 * A flag on a cell.
 */
export type Flag = { 
/**
 * What was noticed.
 */
kind: FlagKind, 
/**
 * How bad it is.
 */
severity: Severity, 
/**
 * The figure behind it, in the flag's own unit: a share, a count or bytes.
 */
value: number, };

/**
 * What was noticed.
 */
export type FlagKind = "throttled" | "noisy" | "busy_machine" | "swapped" | "backend_fallback" | "early_stop" | "few_samples" | "charging" | "low_battery" | "stuck_sensor";

/**
 * Whether attention is computed by the fused kernel.
 */
export type FlashAttention = "auto" | "on" | "off";

/**
 * A model of another tool on this machine, usable where it lies.
 */
export type FoundModel = { 
/**
 * Whose it is, such as `Ollama`.
 */
tool: string, 
/**
 * Its name there.
 */
name: string, 
/**
 * The file.
 */
path: string, 
/**
 * Size of all its parts.
 */
file_bytes: number, 
/**
 * Already in the library.
 */
added: boolean, };

/**
 * Clock of a group of processors that change it together: a cluster of a phone, often a single core of a PC.
 */
export type Frequency = { 
/**
 * Number of the group: Linux's `policyN`.
 */
policy: number, 
/**
 * Now, in MHz.
 */
mhz: number, 
/**
 * The most that the hardware can do, in MHz; not the ceiling that heat may have lowered.
 */
max_mhz: number | null, };

/**
 * Generate from one prompt.
 */
export type GenerateRequest = { 
/**
 * What is asked.
 */
prompt: Prompt, 
/**
 * How tokens are picked.
 */
sampling: Sampling, 
/**
 * When to stop.
 */
limits: Limits, 
/**
 * Keep what the KV cache already holds of this prompt's beginning.
 */
reuse_prefix: boolean, };

/**
 * How to take in a file that is on this machine.
 */
export type ImportMode = "reference" | "copy";

/**
 * A 95 % interval.
 */
export type Interval = { 
/**
 * Lower end.
 */
low: number, 
/**
 * Upper end.
 */
high: number, };

/**
 * A job as it is stored and shown.
 */
export type Job = { 
/**
 * Identity.
 */
id: JobId, 
/**
 * What it does.
 */
kind: JobKind, 
/**
 * Where it stands.
 */
state: JobState, 
/**
 * For people, such as `SmolLM2 against Gemma 3 · quick`.
 */
title: string, 
/**
 * How far it is.
 */
progress: Progress, 
/**
 * The run that it measures.
 */
run_id: RunId | null, 
/**
 * Why it failed.
 */
error: ErrorReport | null, 
/**
 * The last lines of its log, oldest first.
 */
log_tail: Array<string>, 
/**
 * When it was asked for.
 */
created_at: string, 
/**
 * When it last changed.
 */
updated_at: string, };

/**
 * Identifies a job.
 */
export type JobId = string;

/**
 * What a job does.
 */
export type JobKind = "run" | "tune" | "verify" | "download" | "import";

/**
 * Where a job stands.
 */
export type JobState = "queued" | "running" | "paused" | "done" | "failed" | "cancelled" | "interrupted";

/**
 * What a check says about the key.
 */
export type KeyCheck = "none" | "accepted" | "not_tested";

/**
 * Number format of the KV cache.
 */
export type KvType = "f32" | "f16" | "q8_0" | "q4_0";

/**
 * A value of a sweep that could not work on this model or device, and so was not tried.
 */
export type LeftOut = { 
/**
 * What would have told its entry from the others.
 */
variant: string, 
/**
 * Why it could not work.
 */
reason: ErrorReport, };

/**
 * A licence and whether it has to be accepted first.
 */
export type License = { 
/**
 * SPDX identifier where there is one, else the hub's name of it, such as `gemma`.
 */
id: string, 
/**
 * For people.
 */
name: string, 
/**
 * Where its text is.
 */
url: string | null, 
/**
 * It has to be accepted before the model is fetched.
 */
must_accept: boolean, };

/**
 * A figure beside the limit that memory sets, with the arithmetic. It holds where each token reads the weights once; a
 * method that takes several tokens from one reading (speculative decoding) would have to take at least
 * [`times_limit`](Self::times_limit) on average.
 */
export type LimitCheck = { 
/**
 * What follows.
 */
verdict: LimitVerdict, 
/**
 * The time that is claimed, in seconds; for a rate, the time of one token.
 */
seconds: number, 
/**
 * Times that the weights are read in it: tokens of an answer, 1 for a rate. `None` where not stated.
 */
tokens: TokenRange | null, 
/**
 * Bytes read for one token.
 */
bytes_per_token: number, 
/**
 * Bytes a second that the device's memory gives.
 */
bandwidth: number, 
/**
 * Bytes a second that the shortest stated answer needs.
 */
needed_least: number | null, 
/**
 * Bytes a second that the longest stated answer needs.
 */
needed_most: number | null, 
/**
 * Least bytes a second needed ÷ those that there are.
 */
times_limit: number | null, 
/**
 * The least time that the shortest stated answer takes on this memory, in seconds.
 */
fastest_seconds: number | null, 
/**
 * Tokens a second that the memory allows.
 */
limit_tps: number, 
/**
 * Tokens that can be had in the time claimed.
 */
tokens_in_time: number, };

/**
 * The limit of one model.
 */
export type LimitHere = { 
/**
 * A model of the set.
 */
model: string, 
/**
 * Bytes of weights that a token reads.
 */
bytes_per_token: number, 
/**
 * Tokens a second that cannot be exceeded.
 */
limit_tps: number, };

/**
 * How a decode rate stands to the limit of memory.
 */
export type LimitStanding = "within" | "cached" | "exceeded";

/**
 * Why no limit can be said.
 */
export type LimitUnknown = "bandwidth_not_measured" | "reads_not_known" | "not_on_cpu";

/**
 * What memory bandwidth says to a figure.
 */
export type LimitVerdict = "possible" | "doubtful" | "impossible" | "length_not_stated";

/**
 * When to stop.
 */
export type Limits = { 
/**
 * Most tokens to generate.
 */
max_tokens: number, 
/**
 * Texts that end the answer; they are not part of it.
 */
stop: Array<string>, 
/**
 * Fixed-length mode: end-of-generation tokens are never picked.
 */
ignore_eos: boolean, };

/**
 * The limit that this device's memory sets to the models of a publication.
 */
export type LimitsHere = { 
/**
 * What memory gives, as measured here.
 */
bandwidth: MeasuredBandwidth, 
/**
 * One a model of which it is known how much a token reads.
 */
limits: Array<LimitHere>, };

/**
 * What a run does right now. Sent at most every 100 ms; text in between is gathered, nothing is left out.
 */
export type LiveUpdate = { 
/**
 * The job.
 */
job_id: JobId, 
/**
 * The run.
 */
run_id: RunId, 
/**
 * The device is tuned before the run begins, by this job: stopping it skips the tuning.
 */
tuning: JobId | null, 
/**
 * Which entry works.
 */
slot: number, 
/**
 * Its label.
 */
model: string, 
/**
 * The task.
 */
task_id: string, 
/**
 * Its title.
 */
task_title: string, 
/**
 * Repetition, from 0.
 */
repetition: number, 
/**
 * Repetitions that count.
 */
repetitions: number, 
/**
 * Warm-up.
 */
warmup: boolean, 
/**
 * Raised with every repetition: when it changes, `text` starts anew.
 */
sequence: number, 
/**
 * Text generated since the last update.
 */
text: string, 
/**
 * Tokens a second over the last update, where tokens came.
 */
tokens_per_s: number | null, 
/**
 * Resident memory of the worker.
 */
rss_bytes: number | null, 
/**
 * Physical memory of the device.
 */
ram_bytes: number, 
/**
 * Memory that can be used without swapping.
 */
ram_available_bytes: number | null, 
/**
 * Hottest processor sensor, else battery or skin, in °C.
 */
celsius: number | null, 
/**
 * What the system says about heat.
 */
thermal_status: ThermalStatus | null, 
/**
 * The temperature that a wait is for, in °C, while the machine cools down.
 */
cooling_to_c: number | null, 
/**
 * Seconds of a sustained task that are over.
 */
elapsed_s: number | null, 
/**
 * Seconds that it lasts.
 */
of_s: number | null, };

/**
 * What a worker says after loading a model.
 */
export type Loaded = { 
/**
 * From the load request to a context that can decode.
 */
load_ns: number, 
/**
 * Buffers by type.
 */
buffers: Array<Buffers>, 
/**
 * Settings that took effect; they can differ from what was asked for.
 */
effective: EngineSettings, 
/**
 * Name of the backend that computes, such as `CPU`.
 */
backend: string, 
/**
 * llama.cpp's own description, such as `llama 135M Q4_1`.
 */
description: string, 
/**
 * Number of parameters.
 */
n_params: number, 
/**
 * Size of all tensors.
 */
tensor_bytes: number, 
/**
 * Context length that the model was trained for.
 */
n_ctx_train: number, 
/**
 * Whether the file carries a chat template.
 */
has_chat_template: boolean, };

/**
 * How fast a device reads its memory, measured by reading it: no specification.
 */
export type MeasuredBandwidth = { 
/**
 * Bytes read a second by all threads together: the fastest of many passes.
 */
bytes_per_s: number, 
/**
 * Threads that read.
 */
threads: number, 
/**
 * Bytes of all that they read from.
 */
buffer_bytes: number, 
/**
 * When.
 */
measured_at: string, };

/**
 * The limit that memory sets to a decode rate, or why it is not known.
 */
export type MemoryLimit = { "kind": "known" } & DecodeLimit | { "kind": "unknown", 
/**
 * Why.
 */
reason: LimitUnknown, };

/**
 * Memory of one entry. A part that was not measured is absent.
 */
export type MemorySummary = { 
/**
 * Size of the model file.
 */
file_bytes: number, 
/**
 * Weights, as llama.cpp accounts for them.
 */
weights_bytes: number | null, 
/**
 * KV cache, as llama.cpp accounts for it.
 */
kv_bytes: number | null, 
/**
 * Compute buffers, as llama.cpp accounts for them.
 */
compute_bytes: number | null, 
/**
 * Worker before any model was loaded.
 */
baseline_rss_bytes: number | null, 
/**
 * Largest high-water mark over all cells.
 */
peak_rss_bytes: number | null, 
/**
 * What the fit formula predicted.
 */
predicted_bytes: number, 
/**
 * Physical memory of the device.
 */
device_ram_bytes: number, };

/**
 * One turn of a conversation.
 */
export type Message = { 
/**
 * Who says it.
 */
role: Role, 
/**
 * What is said.
 */
content: string, };

/**
 * Identifies a message of a conversation.
 */
export type MessageId = string;

/**
 * Where a message stands.
 */
export type MessageState = "writing" | "complete" | "stopped" | "cut" | "failed";

/**
 * A figure's name. `docs/benchmarking.md` defines each one.
 */
export type Metric = "ttft_ms" | "ttfo_ms" | "decode_tps" | "prefill_tps" | "itl_ms" | "e2e_ms" | "batch_tps" | "batch_ms" | "in_turn_tps" | "in_turn_ms" | "load_ms" | "first_token_ms" | "synthetic_tps" | "burst_tps" | "steady_tps" | "mj_per_token" | "peak_rss_bytes";

/**
 * One figure of one task.
 */
export type MetricRow = { 
/**
 * The figure.
 */
metric: Metric, 
/**
 * One a slot.
 */
sides: Array<Summary | null>, 
/**
 * The values behind each side, in the order measured.
 */
values: Array<Array<number>>, 
/**
 * Where both sides have at least two values.
 */
ratio: Ratio | null, 
/**
 * What it says.
 */
verdict: RowVerdict, };

/**
 * A model file on this machine.
 */
export type ModelEntry = { 
/**
 * Path of the file; identifies the entry in commands.
 */
path: string, 
/**
 * File name.
 */
file_name: string, 
/**
 * Size of the file; of a split model, of all its parts.
 */
file_bytes: number, 
/**
 * Used where it lies, outside the models folder.
 */
reference: boolean, 
/**
 * Name for people, from the catalogue or the header, without the quantization.
 */
title: string | null, 
/**
 * The catalogue's id of it.
 */
catalogue_id: string | null, 
/**
 * Where it was fetched from.
 */
source: ModelSource | null, 
/**
 * Runs that used it.
 */
runs: number, 
/**
 * When a run last used it.
 */
last_used_at: string | null, 
/**
 * Who it is, once it was read and hashed.
 */
model: ModelRef | null, 
/**
 * Whether it fits this device now, at the context of the quick suite.
 */
fit: Fit | null, 
/**
 * Why it cannot be used.
 */
problem: ErrorReport | null, };

/**
 * The parts of a GGUF header that decide memory and behaviour. Read by `hub`, from the header alone. Fields that came
 * later have defaults, so that stored headers stay readable.
 */
export type ModelHeader = { 
/**
 * `general.architecture`, such as `llama`.
 */
architecture: string, 
/**
 * `general.name`, or the file's name without its ending.
 */
name: string, 
/**
 * Quantization of most of the weights, such as `Q4_K_M`.
 */
quantization: string, 
/**
 * `general.license`, where the file says it.
 */
license: string | null, 
/**
 * Number of weights over all tensors.
 */
n_params: number, 
/**
 * Bytes of all tensors.
 */
tensor_bytes: number, 
/**
 * Context length that the model was trained for.
 */
n_ctx_train: number, 
/**
 * Transformer blocks.
 */
n_layer: number, 
/**
 * Width of the residual stream.
 */
n_embd: number, 
/**
 * Attention heads.
 */
n_head: number, 
/**
 * Key/value heads, one entry a layer.
 */
n_head_kv: Array<number>, 
/**
 * Size of one key head.
 */
head_dim_k: number, 
/**
 * Size of one value head.
 */
head_dim_v: number, 
/**
 * Sliding window of attention in tokens, where some layers have one.
 */
sliding_window: number | null, 
/**
 * Vocabulary.
 */
n_vocab: number, 
/**
 * Whether `tokenizer.chat_template` is present.
 */
has_chat_template: boolean, 
/**
 * Width of the feed-forward layer, the widest where layers differ; 0 where not known.
 */
n_ff: number, 
/**
 * Merges of a byte-pair tokenizer; 0 where there are none or they are not known.
 */
n_merges: number, 
/**
 * Files that the model is split over; 1 for an ordinary one, 0 in records made before this was read.
 */
parts: number, 
/**
 * Bytes of tensors by number format, largest first. Empty where not known.
 */
tensor_types: Array<TensorTypeBytes>, 
/**
 * Bytes of the token embeddings, of which one row is read a token; 0 where not known.
 */
embedding_bytes: number, 
/**
 * Whether the embeddings are also the output matrix, which is read whole for each token.
 */
tied_embeddings: boolean, 
/**
 * Experts of a mixture; 0 for a dense model.
 */
n_expert: number, 
/**
 * Experts that work on one token.
 */
n_expert_used: number, 
/**
 * Bytes of all experts together.
 */
expert_bytes: number, };

/**
 * A model file and who it is. The hash is its identity; the path is only where it lies today.
 */
export type ModelRef = { 
/**
 * SHA-256 of the file, lower-case hex.
 */
sha256: string, 
/**
 * Where it lies on this machine.
 */
path: string, 
/**
 * Size of the file.
 */
file_bytes: number, 
/**
 * What its header says.
 */
header: ModelHeader, };

/**
 * Where a model that can be fetched comes from.
 */
export type ModelSource = { "kind": "repository", 
/**
 * Such as `Qwen/Qwen3-4B-GGUF`.
 */
repository: string, 
/**
 * Branch, tag or commit.
 */
revision: string, 
/**
 * Path within the repository; of a split model its first part.
 */
path: string, } | { "kind": "url", 
/**
 * `https://….gguf`; `http` only within this machine.
 */
url: string, };

/**
 * How strong a model is by votes.
 */
export type ModelStrength = { 
/**
 * SHA-256 of the model's file.
 */
model_sha256: string, 
/**
 * Its name for people.
 */
model: string, 
/**
 * Times its answer was better; a tie is half a win of both.
 */
wins: number, 
/**
 * Votes that it was part of.
 */
votes: number, 
/**
 * Bradley-Terry strength on the scale of Elo, the mean of all models being 1000. Absent where votes connect it with no
 * other model.
 */
rating: number | null, 
/**
 * 95 % interval of the rating.
 */
interval: [number, number] | null, };

/**
 * An amount, in whole billionths so that sums are exact.
 */
export type Money = { 
/**
 * ISO 4217.
 */
currency: string, 
/**
 * Billionths of the currency's unit.
 */
nanos: number, };

/**
 * A calendar month in UTC.
 */
export type Month = { 
/**
 * Year.
 */
year: number, 
/**
 * 1 to 12.
 */
month: number, };

/**
 * What was spent in a month.
 */
export type MonthSpend = { 
/**
 * The month.
 */
month: Month, 
/**
 * Sums, one a currency, by its name.
 */
spent: Array<Money>, 
/**
 * Answers whose cost is not known; the sums are then too low.
 */
unknown: number, };

/**
 * In what two cells differ.
 */
export type NotComparable = "answer_lengths" | "red_flag";

/**
 * What it comes to.
 */
export type Outcome = "better" | "trade_off" | "no_real_difference" | "withheld" | "single" | "sweep";

/**
 * An unfinished download on disk.
 */
export type PartialDownload = { 
/**
 * Name that the file will have.
 */
file_name: string, 
/**
 * Bytes that are there.
 */
bytes: number, 
/**
 * All its bytes, where known.
 */
total_bytes: number | null, 
/**
 * The job that made it, where it is still known.
 */
job_id: JobId | null, };

/**
 * How an entry did with so much memory left free.
 */
export type PressureOutcome = { "kind": "full_speed" } | { "kind": "slower" } | { "kind": "died", 
/**
 * How.
 */
failure: ErrorReport, } | { "kind": "not_measured", 
/**
 * Why, where something failed.
 */
failure: ErrorReport | null, };

/**
 * All of them, the most memory first.
 */
export type PressureReport = { 
/**
 * The entry without a balloon, which the others are held against.
 */
unpressed: number | null, 
/**
 * One an entry with a balloon.
 */
steps: Array<PressureStep>, 
/**
 * The same in English, for the command line and reports.
 */
sentence: string, };

/**
 * One amount of free memory.
 */
export type PressureStep = { 
/**
 * The entry.
 */
slot: number, 
/**
 * Memory that was left free before the model was loaded.
 */
leave_free_bytes: number, 
/**
 * What came of it.
 */
outcome: PressureOutcome, 
/**
 * Share of the speed without a balloon: geometric mean over the tasks that both did.
 */
speed: Ratio | null, 
/**
 * Pages that were read again from storage in a repetition; the median over all of them.
 */
major_faults: number | null, 
/**
 * Most memory of the worker that was swapped out.
 */
swap_bytes: number | null, };

/**
 * What a model's tokens cost at a provider, as an entry of `models/prices.json` or as a person set it.
 */
export type Price = { 
/**
 * Preset or id of the provider.
 */
provider: string, 
/**
 * The model's name there.
 */
model: string, 
/**
 * ISO 4217, such as `USD`.
 */
currency: string, 
/**
 * A million tokens of prompt.
 */
input: number, 
/**
 * A million tokens of answer.
 */
output: number, 
/**
 * A million tokens of prompt that come from the provider's cache; `None`: not known, or as `input`.
 */
cached_input: number | null, 
/**
 * When the source said so.
 */
as_of: string, 
/**
 * Where it says so: an address, or who set it.
 */
source: string, };

/**
 * Memory of a worker process. What the OS does not tell is absent.
 */
export type ProcessMemory = { 
/**
 * Resident set now.
 */
rss_bytes: number, 
/**
 * High-water mark of the resident set since the last reset.
 */
peak_rss_bytes: number | null, 
/**
 * Part of the resident set that belongs to no file.
 */
anonymous_bytes: number | null, 
/**
 * Part of the resident set that is mapped from files.
 */
file_backed_bytes: number | null, 
/**
 * Resident set with shared pages divided among their users.
 */
pss_bytes: number | null, 
/**
 * Swapped out.
 */
swap_bytes: number | null, 
/**
 * Times it waited for a page that had to be read from storage: since it was started; of a sample, during it.
 */
major_faults?: number, };

/**
 * How far a job is.
 */
export type Progress = { 
/**
 * Work done, in `unit`.
 */
done: number, 
/**
 * All work, in `unit`, where it is known.
 */
total: number | null, 
/**
 * What is counted, such as `repetitions` or `bytes`.
 */
unit: string, 
/**
 * Units a second.
 */
rate: number | null, 
/**
 * Seconds left.
 */
eta_s: number | null, };

/**
 * A prompt, before or after a chat template.
 */
export type Prompt = { "messages": Array<Message> } | { "raw": string };

/**
 * A provider as a person set it up. Its key is elsewhere.
 */
export type Provider = { 
/**
 * Stable name, chosen once: lower-case letters, digits and hyphens.
 */
id: string, 
/**
 * For people.
 */
title: string, 
/**
 * The preset it was made from.
 */
preset: string, 
/**
 * What `/chat/completions` is appended to.
 */
base_url: string, 
/**
 * Model that is used unless another is named.
 */
model: string | null, 
/**
 * What the last successful check found.
 */
checked: Checked | null, };

/**
 * A provider that was set up, and what is known of it.
 */
export type ProviderEntry = { 
/**
 * As it was set up.
 */
provider: Provider, 
/**
 * What it was made from.
 */
preset: ProviderPreset, 
/**
 * Where its key is kept. The key itself never crosses this boundary.
 */
key: TokenState, 
/**
 * The price of its usual model, where one is known.
 */
price: Price | null, };

/**
 * What is known of a provider before anyone has set it up, as an entry of `models/providers.json`.
 */
export type ProviderPreset = { 
/**
 * Stable name, such as `openrouter`.
 */
id: string, 
/**
 * For people.
 */
title: string, 
/**
 * What `/chat/completions` is appended to; `None`: the person gives it.
 */
base_url: string | null, 
/**
 * Nothing is answered without a key.
 */
needs_key: boolean, 
/**
 * How every key of this provider begins, only where that is documented.
 */
key_prefix: string | null, 
/**
 * It asks money for tokens. A server of one's own does not.
 */
metered: boolean, 
/**
 * Path below the base URL that answers only to a good key, where `/models` answers to everyone.
 */
key_check: string | null, 
/**
 * Where its interface is described; the source of this entry.
 */
docs: string | null, };

/**
 * How a provider is to be set up.
 */
export type ProviderRequest = { 
/**
 * What it is made from.
 */
preset: string, 
/**
 * The one to change; `None`: a new one.
 */
id: string | null, 
/**
 * For people; `None`: as the preset is called.
 */
title: string | null, 
/**
 * `None`: as the preset says.
 */
base_url: string | null, 
/**
 * Model that is used unless another is named.
 */
model: string | null, };

/**
 * What a verdict weighs.
 */
export type Quality = "writing_speed" | "time_to_first_token" | "memory";

/**
 * Ratio slot 1 ÷ slot 0 with its 95 % interval: the median of the ratios of the repetitions, which are pairs. Below five
 * pairs, and where the sides have not equally many, the ratio of the medians.
 */
export type Ratio = { 
/**
 * Slot 1 ÷ slot 0.
 */
value: number, 
/**
 * Percentile bootstrap.
 */
interval: Interval, };

/**
 * A stated comparison, computed anew in one way.
 */
export type Reading = { 
/**
 * From which figures.
 */
metrics: Array<ClaimedMetric>, 
/**
 * Averaged how.
 */
average: Average, 
/**
 * Tasks that both models have.
 */
tasks: number, 
/**
 * Arithmetic mean of the model, in the metric's unit.
 */
mean: number, 
/**
 * Arithmetic mean of the other.
 */
against_mean: number, 
/**
 * By how much the model is lower, in percent.
 */
lower_by_percent: number, 
/**
 * Whether that is the number stated, as rounded there.
 */
agrees: boolean, };

/**
 * A model that chat keeps loaded.
 */
export type ResidentModel = { 
/**
 * Its name for people.
 */
model: string, 
/**
 * Where its file lies.
 */
path: string, 
/**
 * Bytes of weights, KV cache and scratch space, as llama.cpp accounts for them. 0 while it is being loaded.
 */
bytes: number, 
/**
 * When it was loaded.
 */
since: string, 
/**
 * Seconds since its last answer; absent while it is answering or being loaded.
 */
idle_s: number | null, 
/**
 * Seconds until it is unloaded, if nobody talks to it and memory does not run short before.
 */
will_unload_in_s: number | null, 
/**
 * The last wait for a first token of this model when it was not loaded yet, in ms: start of the worker, load, prompt.
 */
cold_start_ms: number | null, 
/**
 * Loaded with a smaller context and a smaller cache, because memory was short or because that was asked for.
 */
memory_safe: boolean, };

/**
 * Who says a message.
 */
export type Role = "system" | "user" | "assistant";

/**
 * Other ways of routing, to compare with.
 */
export type RouteBaseline = { "kind": "always_local" } | { "kind": "always_cloud" } | { "kind": "length_only", 
/**
 * Tokens, estimated.
 */
tokens: number, } | { "kind": "published_rule", 
/**
 * Score above which it sends to the cloud.
 */
threshold: number, };

/**
 * A baseline and what it does with the set.
 */
export type RouteBaselineOutcome = { 
/**
 * Which.
 */
baseline: RouteBaseline, 
/**
 * Agreement and share.
 */
outcome: RouteOutcome, 
/**
 * Cost and time.
 */
expected: RouteExpected, };

/**
 * Why the cloud cannot be asked.
 */
export type RouteCloudProblem = { "kind": "no_provider" } | { "kind": "over_budget" } | { "kind": "failed", 
/**
 * Why.
 */
code: ErrorCode, };

/**
 * How labels and routes meet.
 */
export type RouteConfusion = { 
/**
 * Hard, and sent to the cloud.
 */
cloud_to_cloud: number, 
/**
 * Hard, and left to the local model: a bad answer.
 */
cloud_to_local: number, 
/**
 * Easy, and left to the local model.
 */
local_to_local: number, 
/**
 * Easy, and sent to the cloud: money and privacy for nothing.
 */
local_to_cloud: number, };

/**
 * Whether the person agrees that this prompt leaves the device.
 */
export type RouteConsent = "not_needed" | "by_policy" | "ask" | "granted" | "refused";

/**
 * One threshold of a curve.
 */
export type RouteCurvePoint = { 
/**
 * The threshold.
 */
threshold: number, 
/**
 * Agreement and share.
 */
outcome: RouteOutcome, 
/**
 * Cost and time.
 */
expected: RouteExpected, };

/**
 * Where a prompt goes and everything that led there, to be stored with the answer. Of the prompt it holds only what it
 * shares with our own lists of terms.
 */
export type RouteDecision = { 
/**
 * Where to.
 */
route: RouteTarget, 
/**
 * Whether the person agrees.
 */
consent: RouteConsent, 
/**
 * What kind of task it looks like.
 */
task: TaskKind, 
/**
 * How hard it looks, 0–1.
 */
score: number, 
/**
 * From which score on the policy sends to the cloud.
 */
threshold: number, 
/**
 * What the score is made of.
 */
signals: Array<RouteSignal>, 
/**
 * Why so, step by step.
 */
reasons: Array<RouteReason>, 
/**
 * Whether the local model can answer: where the prompt goes if the cloud is refused.
 */
local_can: boolean, };

/**
 * How a routing policy does on a labelled set of prompts, and what it would cost.
 */
export type RouteEvaluation = { 
/**
 * Path of the set; absent for the one that ships.
 */
set: string | null, 
/**
 * Which part of it.
 */
part: RoutePart, 
/**
 * How many prompts.
 */
prompts: number, 
/**
 * The policy, judged as if its mode were *auto*.
 */
policy: RoutePolicy, 
/**
 * What the local model is taken to hold.
 */
window: RouteLocalWindow, 
/**
 * What is known of cost and time.
 */
rates: RouteRates, 
/**
 * The model and the run that the local speed is from; absent where none was measured.
 */
local_source: RouteLocalSource | null, 
/**
 * The entry of the price book that the price is from; absent where none is known or it was given by hand.
 */
price_source: Price | null, 
/**
 * What comes out.
 */
evaluation: RoutePolicyEvaluation, };

/**
 * What a signal rests on. Terms are those of our own lists, never words of the prompt.
 */
export type RouteEvidence = { "kind": "nothing" } | { "kind": "found", 
/**
 * In the order in which they stand.
 */
terms: Array<string>, 
/**
 * How many more.
 */
more: number, } | { "kind": "tokens", 
/**
 * Estimated where the model's tokenizer was not asked.
 */
tokens: number, } | { "kind": "answer_words", 
/**
 * As asked for.
 */
words: number, } | { "kind": "window", 
/**
 * All of them.
 */
needed: number, 
/**
 * What the local model can hold.
 */
window: number, } | { "kind": "window_unknown" } | { "kind": "failed", 
/**
 * How many.
 */
answers: number, };

/**
 * Cost and time that a way of routing is expected to take.
 */
export type RouteExpected = { 
/**
 * Cost of a thousand such prompts; absent without a price.
 */
cost_per_thousand: number | null, 
/**
 * Mean seconds of a whole answer; absent where a speed that it needs is not known.
 */
mean_seconds: number | null, };

/**
 * Agreement within a part of a set.
 */
export type RouteGroupOutcome = { 
/**
 * Kind of task by label, or language.
 */
name: string, 
/**
 * Agreement and share.
 */
outcome: RouteOutcome, };

/**
 * Where a prompt belongs. `docs/routing.md` says what that means.
 */
export type RouteLabel = "local" | "cloud";

/**
 * Why the local model cannot answer.
 */
export type RouteLocalProblem = { "kind": "no_model" } | { "kind": "not_enough_memory" } | { "kind": "window_too_small", 
/**
 * Tokens of both.
 */
needed: number, 
/**
 * Tokens that the context holds.
 */
window: number, } | { "kind": "failed", 
/**
 * Why.
 */
code: ErrorCode, };

/**
 * Where a local speed was measured.
 */
export type RouteLocalSource = { 
/**
 * The model's label.
 */
model: string, 
/**
 * The run.
 */
run: RunId, };

/**
 * What the local model is taken to hold.
 */
export type RouteLocalWindow = { 
/**
 * Tokens of its context.
 */
tokens: number, 
/**
 * Tokens of it that are kept free for the answer.
 */
answer_tokens: number, };

/**
 * A prompt that did not go where it belongs.
 */
export type RouteMiss = { 
/**
 * Its name in the set.
 */
id: string, 
/**
 * Where it belongs.
 */
label: RouteLabel, 
/**
 * Its score.
 */
score: number, 
/**
 * What kind of task it was taken for.
 */
task: TaskKind, };

/**
 * How far the person lets the router go.
 */
export type RouteMode = "always_local" | "always_ask" | "auto";

/**
 * What a way of routing does with a set.
 */
export type RouteOutcome = { 
/**
 * Labels against routes.
 */
confusion: RouteConfusion, 
/**
 * Share that went where it belongs; absent for an empty set.
 */
agreement: number | null, 
/**
 * Wilson's 95 % interval of it.
 */
interval: Interval | null, 
/**
 * Share that went to the cloud.
 */
cloud_share: number | null, };

/**
 * Which prompts of a labelled set are looked at.
 */
export type RoutePart = "held_out" | "development" | "all";

/**
 * How prompts are routed. What is missing in a policy's JSON has its default.
 */
export type RoutePolicy = { 
/**
 * How far the router may go.
 */
mode: RouteMode, 
/**
 * Score from which a prompt goes to the cloud, 0–1.
 */
threshold: number, 
/**
 * Rules of kinds; a kind that is not here goes by score.
 */
rules: { [key in TaskKind]?: RouteRule }, 
/**
 * What the signals add to the score.
 */
weights: RouteWeights, };

/**
 * What a policy does with a labelled set.
 */
export type RoutePolicyEvaluation = { 
/**
 * At the policy's own threshold.
 */
at_threshold: RouteCurvePoint, 
/**
 * Over all thresholds, ascending.
 */
curve: Array<RouteCurvePoint>, 
/**
 * Beside it.
 */
baselines: Array<RouteBaselineOutcome>, 
/**
 * By kind of task, as labelled.
 */
by_kind: Array<RouteGroupOutcome>, 
/**
 * By language.
 */
by_language: Array<RouteGroupOutcome>, 
/**
 * Prompts whose kind was recognised.
 */
kinds_recognised: number, 
/**
 * What went elsewhere than it belongs, at the policy's own threshold.
 */
misses: Array<RouteMiss>, };

/**
 * What a provider takes.
 */
export type RoutePrice = { 
/**
 * For a million tokens of prompts.
 */
input_per_million: number, 
/**
 * For a million tokens of answers.
 */
output_per_million: number, 
/**
 * ISO 4217.
 */
currency: string, };

/**
 * What is known of cost and time. What is not stays unknown in the result.
 */
export type RouteRates = { 
/**
 * The local model, as measured here.
 */
local: RouteSpeed | null, 
/**
 * The cloud model.
 */
cloud: RouteSpeed | null, 
/**
 * What the cloud model costs.
 */
price: RoutePrice | null, };

/**
 * One step of a decision.
 */
export type RouteReason = { "kind": "always_local" } | { "kind": "rule_of_kind", 
/**
 * The kind.
 */
task: TaskKind, 
/**
 * Local or cloud.
 */
rule: RouteRule, } | { "kind": "score_reaches", 
/**
 * The score.
 */
score: number, 
/**
 * The threshold.
 */
threshold: number, } | { "kind": "score_below", 
/**
 * The score.
 */
score: number, 
/**
 * The threshold.
 */
threshold: number, } | { "kind": "local_cannot", 
/**
 * Why.
 */
problem: RouteLocalProblem, } | { "kind": "cloud_cannot", 
/**
 * Why.
 */
problem: RouteCloudProblem, } | { "kind": "consent_granted" } | { "kind": "consent_refused" };

/**
 * What a policy says about a kind of task.
 */
export type RouteRule = "local" | "cloud" | "by_score";

/**
 * One signal of a prompt.
 */
export type RouteSignal = { 
/**
 * What is looked at.
 */
signal: RouteSignalKind, 
/**
 * How strong it is, 0–1.
 */
value: number, 
/**
 * What a full one adds to the score.
 */
weight: number, 
/**
 * What it rests on.
 */
evidence: RouteEvidence, };

/**
 * What is looked at.
 */
export type RouteSignalKind = "code" | "mathematics" | "length" | "language" | "steps" | "depth" | "answer_length" | "context" | "failures";

/**
 * How fast a model answers.
 */
export type RouteSpeed = { 
/**
 * Tokens of a prompt a second; absent where the time to the first token is given instead.
 */
prefill_tps: number | null, 
/**
 * Milliseconds before the first token that do not depend on the prompt.
 */
ttft_ms: number, 
/**
 * Tokens of an answer a second.
 */
decode_tps: number, };

/**
 * Where a prompt goes.
 */
export type RouteTarget = "local" | "cloud" | "nowhere";

/**
 * What a full signal adds to the score. How these were found: `docs/routing.md`.
 */
export type RouteWeights = { 
/**
 * [`SignalKind::Code`].
 */
code: number, 
/**
 * [`SignalKind::Mathematics`].
 */
mathematics: number, 
/**
 * [`SignalKind::Length`].
 */
length: number, 
/**
 * [`SignalKind::Language`].
 */
language: number, 
/**
 * [`SignalKind::Steps`].
 */
steps: number, 
/**
 * [`SignalKind::Depth`].
 */
depth: number, 
/**
 * [`SignalKind::AnswerLength`].
 */
answer_length: number, 
/**
 * [`SignalKind::Context`].
 */
context: number, 
/**
 * [`SignalKind::Failures`].
 */
failures: number, };

/**
 * What a row says.
 */
export type RowVerdict = { "kind": "winner", 
/**
 * Which entry.
 */
slot: number, } | { "kind": "no_real_difference" } | { "kind": "too_few_samples" } | { "kind": "not_comparable", 
/**
 * In what they differ.
 */
reason: NotComparable, } | { "kind": "not_measured" } | { "kind": "single" };

/**
 * One contender of a run.
 */
export type RunEntry = { 
/**
 * The model.
 */
model: ModelRef, 
/**
 * How it is loaded.
 */
settings: EngineSettings, 
/**
 * What tells it from the other entries of a sweep, such as `4 threads`.
 */
variant?: string | null, 
/**
 * Memory that is left free before it is loaded, the rest being taken by a balloon.
 */
leave_free_bytes?: number | null, };

/**
 * Identifies a run.
 */
export type RunId = string;

/**
 * A run as it is stored.
 */
export type RunRecord = { 
/**
 * Identity.
 */
id: RunId, 
/**
 * The job that measured it.
 */
job_id: JobId, 
/**
 * What was asked for.
 */
spec: RunSpec, 
/**
 * Where it ran.
 */
device: DeviceProfile, 
/**
 * Version of Pocketbench.
 */
app_version: string, 
/**
 * Commit of Pocketbench, where the build knew it.
 */
app_commit: string | null, 
/**
 * When it was started.
 */
started_at: string, 
/**
 * When its last cell was finished.
 */
finished_at: string | null, };

/**
 * What the person asks for.
 */
export type RunRequest = { 
/**
 * Paths of one or two models; of exactly one for a sweep.
 */
models: Array<string>, 
/**
 * Id of the suite, or `custom`.
 */
suite: string, 
/**
 * What a suite of the person's own does.
 */
custom: CustomSuite | null, 
/**
 * How long a sustained task lasts, instead of what its suite says.
 */
minutes: number | null, 
/**
 * Threads of prefill and decode, instead of the default; of no meaning to a sweep of threads.
 */
threads: number | null, };

/**
 * A run, computed from its stored samples and nothing else.
 */
export type RunResult = { 
/**
 * The run.
 */
run: RunRecord, 
/**
 * One a slot.
 */
entries: Array<EntryResult>, 
/**
 * One a task, in the suite's order.
 */
tasks: Array<TaskResult>, 
/**
 * What it comes to.
 */
verdict: Verdict, 
/**
 * Cold-start limit that load times are held against, in milliseconds.
 */
cold_start_sla_ms: number, 
/**
 * Cold starts against that limit, one an entry; empty where the suite has none.
 */
cold_start?: Array<ColdStart>, 
/**
 * What little memory did, where entries had a balloon beside them.
 */
pressure?: PressureReport, };

/**
 * What a run measures: every entry on every task of the suite. An entry's place in the list is its *slot*.
 */
export type RunSpec = { 
/**
 * The contenders; one for a plain benchmark, two for a comparison, one a value for a sweep.
 */
entries: Array<RunEntry>, 
/**
 * The suite, frozen into the run.
 */
suite: Suite, 
/**
 * Why its settings are not the defaults of llama.cpp, where the program chose them. They hold for every entry alike.
 */
reasons?: Array<SettingsReason>, 
/**
 * Values of a sweep that were not even tried.
 */
left_out?: Array<LeftOut>, };

/**
 * A run in a list.
 */
export type RunSummary = { 
/**
 * Identity.
 */
id: RunId, 
/**
 * The job that measures it.
 */
job_id: JobId, 
/**
 * Where that stands.
 */
state: JobState, 
/**
 * Labels of its models.
 */
models: Array<string>, 
/**
 * Title of its suite.
 */
suite: string, 
/**
 * When it was started.
 */
started_at: string, 
/**
 * When it was finished.
 */
finished_at: string | null, 
/**
 * Cells measured or failed.
 */
cells_finished: number, 
/**
 * All cells.
 */
cells_total: number, };

/**
 * One measured value in the list of raw samples.
 */
export type SampleRow = { 
/**
 * Which entry.
 */
slot: number, 
/**
 * The task.
 */
task_id: string, 
/**
 * Its title.
 */
task_title: string, 
/**
 * Repetition, from 0.
 */
repetition: number, 
/**
 * Warm-up: shown, never counted.
 */
warmup: boolean, 
/**
 * When it started.
 */
started_at: string, 
/**
 * Every figure that follows from the sample.
 */
figures: Array<Figure>, 
/**
 * The answer, where there is text.
 */
text: string | null, 
/**
 * Tokens of the prompt.
 */
prompt_tokens: number | null, 
/**
 * Tokens generated.
 */
generated_tokens: number | null, 
/**
 * Share of the CPU that other processes used meanwhile.
 */
other_cpu: number | null, 
/**
 * Heat, energy and clocks meanwhile.
 */
conditions: Conditions | null, };

/**
 * How the next token is picked.
 */
export type Sampling = { 
/**
 * 0 is greedy: the likeliest token, always.
 */
temperature: number, 
/**
 * Keep the k likeliest tokens; 0 keeps all.
 */
top_k: number, 
/**
 * Keep the likeliest tokens whose probabilities sum to this; 1 keeps all.
 */
top_p: number, 
/**
 * Drop tokens less likely than this share of the likeliest; 0 drops none.
 */
min_p: number, 
/**
 * Penalty on tokens seen among the last 64; 1 is none.
 */
repeat_penalty: number, 
/**
 * Seed of the random choice.
 */
seed: number, };

/**
 * Something to say.
 */
export type SendRequest = { 
/**
 * In which conversation.
 */
conversation_id: ConversationId, 
/**
 * What.
 */
text: string, 
/**
 * The message that it takes the place of, where one was edited; both stay.
 */
instead_of: MessageId | null, 
/**
 * Who is to answer.
 */
by: AnswerBy, };

/**
 * What a temperature is the temperature of.
 */
export type SensorClass = "cpu" | "gpu" | "battery" | "skin" | "board";

/**
 * One look at all sensors.
 */
export type SensorReading = { 
/**
 * When, in nanoseconds since the sensors were opened, on the monotonic clock of measurements. On Linux, Android and
 * macOS it stands still while the machine sleeps.
 */
at_ns: number, 
/**
 * The same on a clock that goes on during sleep (`CLOCK_BOOTTIME`), where there is one.
 */
boot_ns: number | null, 
/**
 * Wall clock in Unix milliseconds. Anybody can set it.
 */
wall_ms: number | null, 
/**
 * Charge in percent; the mean of several batteries.
 */
battery_percent: number | null, 
/**
 * Current of the battery in ampere: **negative while it discharges**, positive while it is charged. Absent with
 * several batteries.
 */
current_a: number | null, 
/**
 * Voltage of the battery in volt. Absent with several batteries.
 */
voltage_v: number | null, 
/**
 * Power drawn from all batteries in watt, positive while they discharge, where the system tells it or there are
 * several batteries.
 */
drawn_w: number | null, 
/**
 * Whether a charger feeds the machine.
 */
charging: boolean | null, 
/**
 * What the system says about heat.
 */
thermal_status: ThermalStatus | null, 
/**
 * Hottest sensor of each class, in the order of [`SensorClass`].
 */
temperatures: Array<Temperature>, 
/**
 * Clocks of the processors.
 */
frequencies: Array<Frequency>, 
/**
 * Energy counters: of all packages, or of none.
 */
packages: Array<EnergyCounter>, 
/**
 * Load average over one minute.
 */
load_average: number | null, 
/**
 * Memory that can be used without swapping.
 */
available_bytes: number | null, };

/**
 * What sending began.
 */
export type SentTurn = { 
/**
 * The question, unless it was there before.
 */
question: ChatMessage | null, 
/**
 * The answer, empty as yet; absent while the person is to be asked first.
 */
answer: ChatMessage | null, 
/**
 * Whether this prompt may leave the device. Answered with a choice of who is to answer.
 */
consent: ConsentQuestion | null, };

/**
 * One life of a worker process with a model loaded.
 */
export type Session = { 
/**
 * Identity.
 */
id: SessionId, 
/**
 * The run that it belongs to.
 */
run_id: RunId, 
/**
 * Which entry it serves.
 */
slot: number, 
/**
 * When the worker was started.
 */
started_at: string, 
/**
 * The engine's account of itself.
 */
engine: EngineInfo, 
/**
 * What loading gave.
 */
loaded: Loaded, 
/**
 * Memory before any model was loaded: the inference stack.
 */
baseline: ProcessMemory, 
/**
 * The wait for a cooler machine before it was started, where there was one.
 */
cooled: Cooled | null, };

/**
 * Identifies a worker session.
 */
export type SessionId = string;

/**
 * Why a run's settings are not the defaults.
 */
export type SettingsReason = { "kind": "tuned", 
/**
 * The tuning.
 */
tuning_id: TuningId, 
/**
 * When.
 */
tuned_at: string, } | { "kind": "not_repacked", 
/**
 * Memory that this saves for the model that would not fit; of two, the larger saving.
 */
saved_bytes: number, };

/**
 * How bad a flag is.
 */
export type Severity = "amber" | "red";

/**
 * Tokens that were guessed from the text so far and checked by the model, several in one decode. Without guessing an answer
 * takes a decode a token; each accepted token saves one.
 */
export type Speculation = { 
/**
 * Tokens guessed.
 */
drafted_tokens: number, 
/**
 * Of those, tokens that the model would have picked itself.
 */
accepted_tokens: number, };

/**
 * Decode speed to expect, from the memory bandwidth of this device and the bytes that one token reads.
 */
export type SpeedForecast = { 
/**
 * Tokens a second that are likely.
 */
tokens_per_s: number, 
/**
 * Lower end of what is likely.
 */
low: number, 
/**
 * Upper end: what the memory allows at best.
 */
high: number, 
/**
 * Bytes read for one token.
 */
bytes_per_token: number, 
/**
 * Memory bandwidth of this device, bytes a second.
 */
bandwidth: number, 
/**
 * Runs on this device that the share of the bandwidth is taken from; 0: a usual share is assumed.
 */
runs: number, };

/**
 * What the cloud has cost.
 */
export type Spending = { 
/**
 * This calendar month.
 */
month: MonthSpend, 
/**
 * The budget, if there is one.
 */
budget: Budget | null, };

/**
 * Least, greatest and mean value of readings; each reading counts once, however long it stood.
 */
export type Spread = { 
/**
 * Least.
 */
min: number, 
/**
 * Greatest.
 */
max: number, 
/**
 * Arithmetic mean.
 */
mean: number, };

/**
 * How a statement stands after a check.
 */
export type Standing = "holds" | "unclear" | "fails";

/**
 * Something that meets the limit.
 */
export type StartAdvice = { "kind": "other_settings", 
/**
 * The entry.
 */
slot: number, 
/**
 * Its median, measured.
 */
first_token_ms: number, } | { "kind": "smaller_file", 
/**
 * Its quantization.
 */
quantization: string, 
/**
 * Its size.
 */
file_bytes: number, 
/**
 * Time to expect: `rest + file ÷ rate`.
 */
first_token_ms: number, } | { "kind": "preload", 
/**
 * Median of the start that finds it there, measured.
 */
first_token_ms: number, };

/**
 * What a cold start consists of, and how large a file the limit has room for:
 * `largest = (limit − rest) × rate`, where `rate = file ÷ load` and `rest = start to first token − load`.
 */
export type StartBudget = { 
/**
 * Bytes of the model file loaded a second; repacking and the KV cache are inside.
 */
load_bytes_per_s: number, 
/**
 * Starting the process and the first token, in milliseconds: what no smaller file takes away.
 */
rest_ms: number, 
/**
 * Largest file that meets the limit; 0 if the rest alone is longer.
 */
largest_bytes: number, };

/**
 * A publication's conclusion that one model's figures are lower than another's by a share.
 */
export type StatedComparison = { 
/**
 * Name within the set.
 */
id: string, 
/**
 * What is stated, in our words and without the number, such as `lower average latency`.
 */
says: string, 
/**
 * The model that is said to be lower.
 */
model: string, 
/**
 * Than which.
 */
against: string, 
/**
 * By how much, in percent.
 */
lower_by_percent: number, 
/**
 * Digits after the point of the number stated.
 */
decimals: number, 
/**
 * The figures that it may rest on, the likeliest meaning of the words first. Each entry is a set of metrics that
 * are averaged over all tasks that both models have.
 */
bases: Array<Array<ClaimedMetric>>, };

/**
 * One criterion of a scorecard.
 */
export type StatedCriterion = { 
/**
 * For people.
 */
name: string, 
/**
 * Its weight.
 */
weight_percent: number, };

/**
 * A publication's weighted scores.
 */
export type StatedScorecard = { 
/**
 * What is weighed.
 */
criteria: Array<StatedCriterion>, 
/**
 * What each model got.
 */
totals: Array<StatedTotal>, };

/**
 * Scores of one model.
 */
export type StatedTotal = { 
/**
 * The model.
 */
model: string, 
/**
 * One score a criterion, in their order.
 */
scores: Array<number>, 
/**
 * The total that the source states.
 */
total: number, 
/**
 * Digits after the point of that total.
 */
decimals: number, };

/**
 * Why an answer ended.
 */
export type StopReason = "end_of_generation" | "stop_text" | "max_tokens" | "context_full" | "cancelled";

/**
 * What the models take up.
 */
export type StorageUse = { 
/**
 * The models folder.
 */
folder: string, 
/**
 * Bytes of models in it.
 */
models_bytes: number, 
/**
 * Unfinished downloads.
 */
partials: Array<PartialDownload>, 
/**
 * Free space there.
 */
free_bytes: number | null, };

/**
 * What a model was made for.
 */
export type Strength = "chat" | "code" | "mathematics" | "reasoning" | "multilingual" | "long_context" | "small";

/**
 * A sensor that showed exactly one value over at least [`STUCK_AFTER`] and [`STUCK_MIN_READINGS`] readings of a busy
 * machine (mean load average at least [`STUCK_MIN_LOAD`], or not told). Temperatures of other things than the processor
 * may well stand still and are not judged.
 */
export type StuckSensor = "cpu_temperature" | "battery_power" | "package_energy";

/**
 * A named, versioned list of tasks.
 */
export type Suite = { 
/**
 * Name, such as `quick`.
 */
id: string, 
/**
 * Raised whenever anything that affects a figure changes.
 */
version: number, 
/**
 * For people.
 */
title: string, 
/**
 * What it is good for.
 */
description: string, 
/**
 * Repetitions of each task that count.
 */
repetitions: number, 
/**
 * Most tokens of the one warm-up repetition that does not count; 0 for none.
 */
warmup_max_tokens: number, 
/**
 * Context that the tasks need, in tokens.
 */
n_ctx: number, 
/**
 * The tasks, in order.
 */
tasks: Array<Task>, 
/**
 * Measures one model under each of these settings instead of models against each other.
 */
sweep?: Sweep | null, };

/**
 * A suite that can be picked.
 */
export type SuiteInfo = { 
/**
 * Identity.
 */
id: string, 
/**
 * Version.
 */
version: number, 
/**
 * For people.
 */
title: string, 
/**
 * What it is good for.
 */
description: string, 
/**
 * Repetitions that count.
 */
repetitions: number, 
/**
 * Its tasks.
 */
tasks: Array<TaskInfo>, 
/**
 * How long its sustained task lasts, in minutes, where it has one.
 */
minutes: number | null, 
/**
 * It measures one model under several settings.
 */
sweep: Sweep | null, };

/**
 * A series of values in short.
 */
export type Summary = { 
/**
 * How many values.
 */
n: number, 
/**
 * Median.
 */
median: number, 
/**
 * Arithmetic mean.
 */
mean: number, 
/**
 * Sample standard deviation (n − 1); absent below two values.
 */
sd: number | null, 
/**
 * Smallest value.
 */
min: number, 
/**
 * Largest value.
 */
max: number, 
/**
 * 95 % percentile bootstrap of the median; absent below two values.
 */
interval: Interval | null, 
/**
 * 90th percentile; absent below 20 values.
 */
p90: number | null, 
/**
 * 95th percentile; absent below 20 values.
 */
p95: number | null, 
/**
 * 99th percentile; absent below 1,000 values.
 */
p99: number | null, 
/**
 * Standard deviation ÷ mean; absent below two values or for a mean of zero.
 */
cv: number | null, 
/**
 * Places of values outside Tukey's fences; flagged, never dropped.
 */
outliers: Array<number>, };

/**
 * What a machine can keep up: rounds of one answer, without a pause between them.
 */
export type SustainedRequest = { 
/**
 * What each round generates; of a fixed length, so that rounds compare.
 */
request: GenerateRequest, 
/**
 * How long, in seconds. The round that is under way then is finished.
 */
seconds: number, };

/**
 * What changes from entry to entry, and its values.
 */
export type Sweep = { "axis": "threads", "values": Array<number> } | { "axis": "context", "values": Array<number> } | { "axis": "kv_type", "values": Array<KvType> } | { "axis": "micro_batch", "values": Array<number> } | { "axis": "flash_attention", "values": Array<FlashAttention> } | { "axis": "gpu_layers", "values": Array<number> } | { "axis": "repack", "values": Array<boolean> } | { "axis": "mmap", "values": Array<boolean> } | { "axis": "free_memory", "values": Array<number> };

/**
 * What a sweep says of one figure of one task. Entries that failed or have a red flag are left out.
 */
export type SweepFinding = { 
/**
 * Which task.
 */
task_id: string, 
/**
 * Which figure.
 */
metric: Metric, 
/**
 * Entry with the best median.
 */
best: number, 
/**
 * Other entries that do not really differ from it.
 */
even: Array<number>, 
/**
 * Entry with the worst median.
 */
worst: number, 
/**
 * How many times better the best is than the worst, 1 or more.
 */
factor: number, 
/**
 * 95 % percentile bootstrap of the same.
 */
interval: Interval, };

/**
 * llama-bench's work: prefill and decode of random tokens.
 */
export type SyntheticRequest = { 
/**
 * Tokens to prefill; 0 for a pure decode test.
 */
n_prompt: number, 
/**
 * Tokens to decode; 0 for a pure prefill test.
 */
n_gen: number, 
/**
 * Tokens already in the KV cache when the clock starts.
 */
n_depth: number, };

/**
 * One task of a suite.
 */
export type Task = { 
/**
 * Stable within the suite's version, such as `code-1`.
 */
id: string, 
/**
 * What it stands for.
 */
category: Category, 
/**
 * For people, such as `Reverse a linked list`.
 */
title: string, 
/**
 * What to do.
 */
work: Work, };

/**
 * A task of a suite.
 */
export type TaskInfo = { 
/**
 * Identity within the suite.
 */
id: string, 
/**
 * For people.
 */
title: string, 
/**
 * What it stands for.
 */
category: Category, };

/**
 * What kind of task a prompt looks like. Rules of a policy are by kind.
 */
export type TaskKind = "question" | "code" | "mathematics" | "reasoning" | "writing" | "long_writing" | "translation" | "text" | "chat";

/**
 * All figures of one task.
 */
export type TaskResult = { 
/**
 * The task.
 */
task_id: string, 
/**
 * Its title.
 */
title: string, 
/**
 * What it stands for.
 */
category: Category, 
/**
 * The figure that stands for the task.
 */
headline: Metric, 
/**
 * One a slot.
 */
cells: Array<CellOutcome>, 
/**
 * The figures, headline first.
 */
rows: Array<MetricRow>, 
/**
 * Of a sustained task, its course over time: one list a slot.
 */
curves: Array<Array<CurvePoint>>, };

/**
 * A temperature.
 */
export type Temperature = { 
/**
 * Of what.
 */
class: SensorClass, 
/**
 * The class's hottest sensor, in °C.
 */
celsius: number, };

/**
 * Temperatures of a class over a span.
 */
export type TemperatureSpread = { 
/**
 * Of what.
 */
class: SensorClass, 
/**
 * In °C.
 */
celsius: Spread, };

/**
 * Tensors of one number format.
 */
export type TensorTypeBytes = { 
/**
 * The format, such as `Q4_K`.
 */
name: string, 
/**
 * Bytes of all its tensors.
 */
bytes: number, 
/**
 * Bytes of those that are matrices of a layer or the output matrix, with rows in multiples of eight: what a CPU may
 * repack into a layout of its own.
 */
matrix_bytes: number, };

/**
 * How hot the system says it is, in Android's words and order (`PowerManager.THERMAL_STATUS_*`).
 */
export type ThermalStatus = "none" | "light" | "moderate" | "severe" | "critical" | "emergency" | "shutdown";

/**
 * How many tokens an answer had.
 */
export type TokenRange = { 
/**
 * At least.
 */
least: number, 
/**
 * At most, where that is stated.
 */
most: number | null, };

/**
 * Where the hub's token is kept.
 */
export type TokenState = "none" | "key_store" | "encrypted_file";

/**
 * Tokens of one answer, as the provider counts and bills them. Not what was counted on the way.
 */
export type TokenUsage = { 
/**
 * Tokens of the prompt, those from the cache included.
 */
prompt: number, 
/**
 * Of those, tokens that the provider had in its cache; `None`: it does not say.
 */
cached_prompt: number | null, 
/**
 * Tokens of the answer, reasoning included.
 */
completion: number, 
/**
 * Of those, reasoning; `None`: it does not say.
 */
reasoning: number | null, };

/**
 * What to tune with.
 */
export type TuneRequest = { 
/**
 * Path of the model.
 */
model: string, 
/**
 * Only the threads, and as short as will do.
 */
quick: boolean, };

/**
 * Where a tuning holds: on the same device with the same engine.
 */
export type TunedPlace = { 
/**
 * Fingerprint of the device.
 */
fingerprint: string, 
/**
 * Logical cores that could be used: a container can be given others without becoming another device.
 */
logical_cores: number, 
/**
 * Version of the llama.cpp bindings.
 */
bindings_version: string, 
/**
 * CPU variant that computed.
 */
cpu_variant: string, };

/**
 * The settings that tuning decides.
 */
export type TunedSettings = { 
/**
 * Threads for decode.
 */
n_threads: number, 
/**
 * Threads for prefill.
 */
n_threads_batch: number, 
/**
 * Micro-batch.
 */
n_ubatch: number, 
/**
 * Fused attention.
 */
flash_attention: FlashAttention, };

/**
 * What a device was found to run best with, and what that rests on.
 */
export type Tuning = { 
/**
 * Identity.
 */
id: TuningId, 
/**
 * The job that measured it.
 */
job_id: JobId, 
/**
 * When.
 */
tuned_at: string, 
/**
 * Where it holds.
 */
place: TunedPlace, 
/**
 * Hash of the model that it was measured with.
 */
model_sha256: string, 
/**
 * Its name for people.
 */
model: string, 
/**
 * Before a first run, without being asked for.
 */
automatic: boolean, 
/**
 * Something else used the machine, or it throttled or swapped: [`TuningStep::is_disturbed`].
 */
disturbed: boolean, 
/**
 * The decisions in the order in which they were made.
 */
steps: Array<TuningStep>, 
/**
 * What they come to.
 */
chosen: TunedSettings, };

/**
 * What a step of tuning is about.
 */
export type TuningAxis = "threads" | "prefill_threads" | "micro_batch" | "flash_attention" | "repack" | "kv_type";

/**
 * One value of a setting, and how it did.
 */
export type TuningCandidate = { 
/**
 * What it is, such as `4 threads`.
 */
label: string, 
/**
 * Its place in the run.
 */
slot: number, 
/**
 * Rates of the work that decides; empty if any of it could not be measured.
 */
figures: Array<TuningFigure>, 
/**
 * How many times faster the fastest candidate is, over all figures. Absent where nothing was measured.
 */
behind: Ratio | null, 
/**
 * The fastest is really faster: the interval excludes 1 and the effect is large enough.
 */
beaten: boolean, 
/**
 * High-water mark of its worker's resident memory.
 */
peak_rss_bytes: number | null, 
/**
 * What to know about the figures.
 */
flags: Array<Flag>, 
/**
 * Why it could not be measured.
 */
failure: ErrorReport | null, };

/**
 * A rate that was measured of a candidate.
 */
export type TuningFigure = { 
/**
 * The work.
 */
work: SyntheticRequest, 
/**
 * Tokens a second.
 */
rate: Summary, };

/**
 * Identifies a tuning.
 */
export type TuningId = string;

/**
 * Why a candidate was chosen.
 */
export type TuningReason = "fastest" | "none_really_faster" | "default_stays";

/**
 * How this device is tuned.
 */
export type TuningState = { 
/**
 * The tuning that runs use; without one they use defaults.
 */
tuning: Tuning | null, 
/**
 * A device that is not tuned is, before its first run.
 */
automatic: boolean, };

/**
 * One decision and what it rests on.
 */
export type TuningStep = { 
/**
 * What was decided.
 */
axis: TuningAxis, 
/**
 * The run that measured it.
 */
run_id: RunId, 
/**
 * The values in order of preference: fewest threads first, else the default first.
 */
candidates: Array<TuningCandidate>, 
/**
 * Place of the one that was chosen.
 */
chosen: number, 
/**
 * Why.
 */
reason: TuningReason, };

/**
 * Which is better, by how much, and how sure.
 */
export type Verdict = { 
/**
 * What it comes to.
 */
outcome: Outcome, 
/**
 * Who is better, where one is.
 */
winner: number | null, 
/**
 * The qualities weighed.
 */
dimensions: Array<Dimension>, 
/**
 * Tasks whose headline figure each slot wins.
 */
tasks_won: Array<number>, 
/**
 * Tasks whose headline figure could be compared.
 */
tasks_compared: number, 
/**
 * How sure.
 */
certainty: Certainty, 
/**
 * Why not surer.
 */
doubts: Array<Doubt>, 
/**
 * Of a sweep: what each task's headline figure says, and the memory of the task that needs most. Else empty.
 */
sweep: Array<SweepFinding>, 
/**
 * The same in one English sentence, for the command line and reports.
 */
sentence: string, };

/**
 * Which of two answers is better.
 */
export type Vote = "left" | "right" | "tie" | "both_bad";

/**
 * The work of one task.
 */
export type Work = { "kind": "load", 
/**
 * Drop the file from the page cache first.
 */
cold: boolean, } | { "kind": "generate" } & GenerateRequest | { "kind": "batch" } & BatchRequest | { "kind": "synthetic" } & SyntheticRequest | { "kind": "sustained" } & SustainedRequest;
