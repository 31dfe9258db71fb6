//! Every `unsafe` block of the project. Owning handles over llama.cpp's C API, as thin as safety allows.
//!
//! Written on `llama-cpp-sys-2` because `llama-cpp-2` keeps its context pointer to itself, and the memory breakdown, the
//! abort hook and later the evaluation callback need it (`docs/adr/0001-engine-on-the-c-api.md`).
#![allow(unsafe_code)]

use crate::log;
use llama_cpp_sys_2 as sys;
use pocketbench_domain::generate::{Buffers, Sampling};
use pocketbench_domain::settings::{EngineSettings, FlashAttention, KvType};
use std::ffi::{CStr, CString, c_char, c_void};
use std::ops::Range;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A token id.
pub(crate) type Token = sys::llama_token;

unsafe extern "C" {
    fn pocketbench_memory_breakdown(
        ctx: *const sys::llama_context,
        visit: unsafe extern "C" fn(*mut c_void, *const c_char, usize, usize, usize),
        user: *mut c_void,
    ) -> bool;
}

/// Copies a C string; a null pointer gives an empty one.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives through this call.
unsafe fn copy(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn on_log(level: sys::ggml_log_level, text: *const c_char, _user: *mut c_void) {
    if level == sys::GGML_LOG_LEVEL_DEBUG {
        // Thousands of lines a load; they would push out everything that matters.
        return;
    }
    // SAFETY: llama.cpp passes a NUL-terminated string that lives through this call.
    let text = unsafe { copy(text) };
    let level = match level {
        sys::GGML_LOG_LEVEL_ERROR => log::Level::Error,
        sys::GGML_LOG_LEVEL_WARN => log::Level::Warn,
        sys::GGML_LOG_LEVEL_CONT => log::Level::Continued,
        _ => log::Level::Info,
    };
    log::push(level, &text);
}

/// Sends llama.cpp's log to [`log`] and loads the best backend of each kind from `folder`. Once a process.
pub(crate) fn load_backends(folder: &Path) {
    let Ok(folder) = CString::new(folder.as_os_str().as_encoded_bytes()) else { return };
    // SAFETY: `on_log` has the signature asked for and needs no user data; the folder is NUL-terminated.
    unsafe {
        sys::llama_log_set(Some(on_log), std::ptr::null_mut());
        sys::ggml_backend_load_all_from_path(folder.as_ptr());
    }
}

/// Names of the backends that are loaded.
pub(crate) fn backend_names() -> Vec<String> {
    // SAFETY: the registry is complete after `load_backends`; indices stay below its count.
    unsafe {
        (0..sys::ggml_backend_reg_count())
            .map(|i| copy(sys::ggml_backend_reg_name(sys::ggml_backend_reg_get(i))))
            .collect()
    }
}

/// Instruction sets and flags as llama.cpp reports them. To be asked once, by one thread: llama.cpp writes them anew into the
/// same buffer at each call, and two threads in it at once free what is not theirs.
pub(crate) fn system_info() -> String {
    // SAFETY: the string is static, and its only caller runs within the once of `Engine::get`, so nobody else writes it.
    unsafe { copy(sys::llama_print_system_info()) }.trim().to_owned()
}

fn kv_type(kind: KvType) -> sys::ggml_type {
    match kind {
        KvType::F32 => sys::GGML_TYPE_F32,
        KvType::F16 => sys::GGML_TYPE_F16,
        KvType::Q8_0 => sys::GGML_TYPE_Q8_0,
        KvType::Q4_0 => sys::GGML_TYPE_Q4_0,
    }
}

struct LoadProgress<'a> {
    report: &'a mut dyn FnMut(f32),
    cancel: &'a AtomicBool,
}

unsafe extern "C" fn on_load_progress(done: f32, user: *mut c_void) -> bool {
    // SAFETY: `user` is the `LoadProgress` that lives on the stack of `Model::load`, which is the only caller.
    let progress = unsafe { &mut *user.cast::<LoadProgress<'_>>() };
    (progress.report)(done);
    !progress.cancel.load(Ordering::Relaxed)
}

/// A loaded model.
pub(crate) struct Model {
    raw: NonNull<sys::llama_model>,
}

// SAFETY: llama.cpp's model has no thread affinity; it is moved between threads, never shared (no `Sync`).
unsafe impl Send for Model {}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: made by `load`, freed once; every context borrows the model through `Arc` and is gone by now.
        unsafe { sys::llama_model_free(self.raw.as_ptr()) }
    }
}

impl Model {
    /// Loads the file, or `None`: then the log says why, unless `cancel` was set.
    pub(crate) fn load(
        path: &CStr,
        settings: &EngineSettings,
        cancel: &AtomicBool,
        report: &mut dyn FnMut(f32),
    ) -> Option<Self> {
        let mut progress = LoadProgress { report, cancel };
        // SAFETY: parameters start from llama.cpp's own defaults; the progress record outlives the call.
        let raw = unsafe {
            let mut params = sys::llama_model_default_params();
            params.n_gpu_layers = i32::try_from(settings.n_gpu_layers).unwrap_or(i32::MAX);
            params.load_mode = if settings.use_mmap { sys::LLAMA_LOAD_MODE_MMAP } else { sys::LLAMA_LOAD_MODE_NONE };
            params.use_extra_bufts = settings.repack;
            params.progress_callback = Some(on_load_progress);
            params.progress_callback_user_data = std::ptr::from_mut(&mut progress).cast();
            sys::llama_model_load_from_file(path.as_ptr(), params)
        };
        NonNull::new(raw).map(|raw| Self { raw })
    }

    fn vocab(&self) -> *const sys::llama_vocab {
        // SAFETY: the model is alive; the vocabulary lives as long as it does.
        unsafe { sys::llama_model_get_vocab(self.raw.as_ptr()) }
    }

    pub(crate) fn n_ctx_train(&self) -> u32 {
        // SAFETY: the model is alive.
        u32::try_from(unsafe { sys::llama_model_n_ctx_train(self.raw.as_ptr()) }).unwrap_or(0)
    }

    pub(crate) fn n_params(&self) -> u64 {
        // SAFETY: the model is alive.
        unsafe { sys::llama_model_n_params(self.raw.as_ptr()) }
    }

    pub(crate) fn tensor_bytes(&self) -> u64 {
        // SAFETY: the model is alive.
        unsafe { sys::llama_model_size(self.raw.as_ptr()) }
    }

    /// Whether this model can continue a text at all; encoders cannot.
    pub(crate) fn can_generate(&self) -> bool {
        // SAFETY: the model is alive.
        unsafe { sys::llama_model_has_decoder(self.raw.as_ptr()) && !sys::llama_model_has_encoder(self.raw.as_ptr()) }
    }

    pub(crate) fn description(&self) -> String {
        let mut buffer = vec![0_u8; 256];
        // SAFETY: llama.cpp writes at most `buffer.len()` bytes, NUL included.
        unsafe {
            sys::llama_model_desc(self.raw.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len());
            copy(buffer.as_ptr().cast())
        }
    }

    /// The chat template in the file.
    pub(crate) fn chat_template(&self) -> Option<CString> {
        // SAFETY: the model is alive; a null name asks for the default template; the result is null or NUL-terminated.
        let raw = unsafe { sys::llama_model_chat_template(self.raw.as_ptr(), std::ptr::null()) };
        // SAFETY: checked for null; copied at once.
        (!raw.is_null()).then(|| unsafe { CStr::from_ptr(raw) }.to_owned())
    }

    pub(crate) fn n_vocab(&self) -> usize {
        // SAFETY: the vocabulary is alive.
        usize::try_from(unsafe { sys::llama_vocab_n_tokens(self.vocab()) }).unwrap_or(0)
    }

    /// The token that begins a text, if texts begin with one.
    pub(crate) fn begin_token(&self) -> Option<Token> {
        // SAFETY: the vocabulary is alive.
        unsafe { sys::llama_vocab_get_add_bos(self.vocab()).then(|| sys::llama_vocab_bos(self.vocab())) }
    }

    /// Whether this token ends a generation.
    pub(crate) fn is_end(&self, token: Token) -> bool {
        // SAFETY: the vocabulary is alive and checks the token's range.
        unsafe { sys::llama_vocab_is_eog(self.vocab(), token) }
    }

    /// All tokens that end a generation.
    pub(crate) fn end_tokens(&self) -> Vec<Token> {
        (0..i32::try_from(self.n_vocab()).unwrap_or(0)).filter(|&token| self.is_end(token)).collect()
    }

    /// Text to tokens. `special` reads control tokens in the text as such.
    pub(crate) fn tokenize(&self, text: &str, special: bool) -> Option<Vec<Token>> {
        let length = i32::try_from(text.len()).ok()?;
        let mut tokens: Vec<Token> = vec![0; text.len() + 8];
        // SAFETY: text and its length belong together; llama.cpp writes at most `tokens.len()` tokens.
        let n = unsafe {
            sys::llama_tokenize(
                self.vocab(),
                text.as_ptr().cast(),
                length,
                tokens.as_mut_ptr(),
                i32::try_from(tokens.len()).ok()?,
                true,
                special,
            )
        };
        tokens.truncate(usize::try_from(n).ok()?);
        Some(tokens)
    }

    /// Appends a token's bytes; control tokens have none.
    pub(crate) fn push_piece(&self, token: Token, out: &mut Vec<u8>) {
        let mut buffer = [0_u8; 64];
        // SAFETY: llama.cpp writes at most the length given; a negative result is the length needed.
        let n = unsafe { sys::llama_token_to_piece(self.vocab(), token, buffer.as_mut_ptr().cast(), 64, 0, false) };
        if let Ok(n) = usize::try_from(n) {
            out.extend_from_slice(&buffer[..n.min(64)]);
            return;
        }
        let mut long = vec![0_u8; usize::try_from(-n).unwrap_or(0)];
        let length = i32::try_from(long.len()).unwrap_or(0);
        // SAFETY: as above, with the length that llama.cpp asked for.
        let n = unsafe { sys::llama_token_to_piece(self.vocab(), token, long.as_mut_ptr().cast(), length, 0, false) };
        out.extend_from_slice(&long[..usize::try_from(n).unwrap_or(0).min(long.len())]);
    }
}

/// Applies a chat template that llama.cpp knows; `None` if it knows none that fits.
pub(crate) fn apply_template(template: &CStr, turns: &[(CString, CString)]) -> Option<String> {
    let chat: Vec<_> = turns
        .iter()
        .map(|(role, content)| sys::llama_chat_message { role: role.as_ptr(), content: content.as_ptr() })
        .collect();
    let mut buffer = vec![0_u8; 1024 + 2 * turns.iter().map(|(_, c)| c.as_bytes().len()).sum::<usize>()];
    loop {
        let length = i32::try_from(buffer.len()).ok()?;
        // SAFETY: template and turns are NUL-terminated and live through the call; at most `length` bytes are written.
        let n = unsafe {
            sys::llama_chat_apply_template(
                template.as_ptr(),
                chat.as_ptr(),
                chat.len(),
                true,
                buffer.as_mut_ptr().cast(),
                length,
            )
        };
        let n = usize::try_from(n).ok()?;
        if n <= buffer.len() {
            buffer.truncate(n);
            return String::from_utf8(buffer).ok();
        }
        buffer.resize(n, 0);
    }
}

unsafe extern "C" fn on_abort(user: *mut c_void) -> bool {
    // SAFETY: `user` is the `AtomicBool` inside the context's own `Arc`, alive as long as the context.
    unsafe { &*user.cast::<AtomicBool>() }.load(Ordering::Relaxed)
}

/// What `decode` can answer besides success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecodeFailure {
    /// No room in the KV cache.
    NoRoom,
    /// The cancel flag was raised.
    Aborted,
    /// Any other code of `llama_decode`.
    Code(i32),
}

/// A context with its model.
pub(crate) struct Context {
    raw: NonNull<sys::llama_context>,
    batch: sys::llama_batch,
    capacity: usize,
    /// Most sequences that a token of the batch can belong to.
    sequences: usize,
    cancel: Arc<AtomicBool>,
    /// Freed after the context, since fields drop after `Drop::drop`.
    pub(crate) model: Model,
}

// SAFETY: as for `Model`; the batch's arrays belong to this context alone.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once.
        unsafe {
            sys::llama_batch_free(self.batch);
            sys::llama_free(self.raw.as_ptr());
        }
    }
}

impl Context {
    /// Makes a context, or gives `None`: then the log says why.
    pub(crate) fn new(model: Model, settings: &EngineSettings, cancel: Arc<AtomicBool>) -> Option<Self> {
        // SAFETY: parameters start from llama.cpp's own defaults; the abort flag is kept alive by `cancel` below.
        let raw = unsafe {
            let mut params = sys::llama_context_default_params();
            params.n_ctx = settings.n_ctx;
            params.n_batch = settings.n_batch;
            params.n_ubatch = settings.n_ubatch;
            params.n_seq_max = settings.n_seq_max;
            // One row of logits a sequence is all that generation needs. The default reserves a row for every token
            // of a micro-batch: half a gigabyte for a vocabulary of 262,144. Guessed tokens need one each to be checked.
            params.n_outputs_max = settings.n_seq_max + settings.draft_tokens;
            params.n_threads = i32::try_from(settings.n_threads).unwrap_or(1);
            params.n_threads_batch = i32::try_from(settings.n_threads_batch).unwrap_or(1);
            params.flash_attn_type = match settings.flash_attention {
                FlashAttention::Auto => sys::LLAMA_FLASH_ATTN_TYPE_AUTO,
                FlashAttention::On => sys::LLAMA_FLASH_ATTN_TYPE_ENABLED,
                FlashAttention::Off => sys::LLAMA_FLASH_ATTN_TYPE_DISABLED,
            };
            params.type_k = kv_type(settings.kv_type_k);
            params.type_v = kv_type(settings.kv_type_v);
            // One buffer for all sequences, so that a single sequence can use the whole context.
            params.kv_unified = true;
            params.no_perf = true;
            params.abort_callback = Some(on_abort);
            params.abort_callback_data = Arc::as_ptr(&cancel).cast_mut().cast();
            sys::llama_init_from_model(model.raw.as_ptr(), params)
        };
        let raw = NonNull::new(raw)?;
        let capacity = settings.n_batch.max(settings.n_seq_max).max(1);
        let sequences = settings.n_seq_max.max(1);
        // SAFETY: room for every sequence's id with each token; freed in `drop`.
        let batch = unsafe {
            sys::llama_batch_init(
                i32::try_from(capacity).unwrap_or(i32::MAX),
                0,
                i32::try_from(sequences).unwrap_or(i32::MAX),
            )
        };
        Some(Self { raw, batch, capacity: capacity as usize, sequences: sequences as usize, cancel, model })
    }

    pub(crate) fn cancel_flag(&self) -> &AtomicBool {
        &self.cancel
    }

    pub(crate) fn n_ctx(&self) -> u32 {
        // SAFETY: the context is alive.
        unsafe { sys::llama_n_ctx(self.raw.as_ptr()) }
    }

    /// Settings that took effect, as far as llama.cpp tells.
    pub(crate) fn effective(&self, asked: &EngineSettings) -> EngineSettings {
        let mut effective = asked.clone();
        // SAFETY: the context is alive.
        unsafe {
            effective.n_ctx = sys::llama_n_ctx(self.raw.as_ptr());
            effective.n_batch = sys::llama_n_batch(self.raw.as_ptr());
            effective.n_ubatch = sys::llama_n_ubatch(self.raw.as_ptr());
            effective.n_seq_max = sys::llama_n_seq_max(self.raw.as_ptr());
            effective.n_threads = u32::try_from(sys::llama_n_threads(self.raw.as_ptr())).unwrap_or(0);
            effective.n_threads_batch = u32::try_from(sys::llama_n_threads_batch(self.raw.as_ptr())).unwrap_or(0);
        }
        effective
    }

    /// Buffers by type, exact to the byte.
    pub(crate) fn buffers(&self) -> Vec<Buffers> {
        unsafe extern "C" fn visit(
            user: *mut c_void,
            name: *const c_char,
            model: usize,
            context: usize,
            compute: usize,
        ) {
            // SAFETY: `user` is the vector below; `name` is a static string of the buffer type.
            let (buffers, buffer_type) = unsafe { (&mut *user.cast::<Vec<Buffers>>(), copy(name)) };
            buffers.push(Buffers {
                buffer_type,
                weights_bytes: model as u64,
                kv_bytes: context as u64,
                compute_bytes: compute as u64,
            });
        }
        let mut buffers: Vec<Buffers> = Vec::new();
        // SAFETY: the shim calls `visit` with `user` only, and only during this call.
        unsafe { pocketbench_memory_breakdown(self.raw.as_ptr(), visit, std::ptr::from_mut(&mut buffers).cast()) };
        buffers
    }

    /// Forgets everything; buffers are kept and not zeroed, as llama-bench does.
    pub(crate) fn clear(&mut self) {
        // SAFETY: the context is alive.
        unsafe { sys::llama_memory_clear(sys::llama_get_memory(self.raw.as_ptr()), false) }
    }

    /// Forgets sequence 0 from position `from` on. Some models cannot forget a part, and a sliding window has already
    /// forgotten the beginning: then false.
    pub(crate) fn truncate(&mut self, from: usize) -> bool {
        let from = i32::try_from(from).unwrap_or(i32::MAX);
        // SAFETY: the context is alive.
        unsafe {
            let memory = sys::llama_get_memory(self.raw.as_ptr());
            sys::llama_memory_seq_pos_min(memory, 0) == 0 && sys::llama_memory_seq_rm(memory, 0, from, -1)
        }
    }

    /// Whether the last tokens can be taken back: a recurrent state cannot be.
    pub(crate) fn can_take_back(&self) -> bool {
        let model = self.model.raw.as_ptr();
        // SAFETY: the model is alive.
        unsafe { !sys::llama_model_is_recurrent(model) && !sys::llama_model_is_hybrid(model) }
    }

    /// Takes back the tokens of the last batch from position `from` on. A sliding window allows this, too: a batch only
    /// overwrites what no position in it or behind it sees.
    pub(crate) fn take_back(&mut self, from: usize) -> bool {
        let from = i32::try_from(from).unwrap_or(i32::MAX);
        // SAFETY: the context is alive.
        unsafe { sys::llama_memory_seq_rm(sys::llama_get_memory(self.raw.as_ptr()), 0, from, -1) }
    }

    /// Writes sequence 0 and the tokens that it came from to a file. Gives the bytes written, 0 on failure.
    pub(crate) fn save_sequence(&self, path: &CStr, tokens: &[Token]) -> usize {
        // SAFETY: the context is alive, the path ends in NUL, and the tokens are as many as is said.
        unsafe { sys::llama_state_seq_save_file(self.raw.as_ptr(), path.as_ptr(), 0, tokens.as_ptr(), tokens.len()) }
    }

    /// Reads such a file into sequence 0 and gives its tokens, at most `capacity`. The file must be one that was written
    /// by [`save_sequence`](Self::save_sequence): llama.cpp trusts it.
    pub(crate) fn load_sequence(&mut self, path: &CStr, capacity: usize) -> Option<Vec<Token>> {
        let mut tokens = vec![0; capacity];
        let mut found = 0;
        // SAFETY: the context is alive, the path ends in NUL, and llama.cpp writes no more than `capacity` tokens.
        let read = unsafe {
            sys::llama_state_seq_load_file(
                self.raw.as_ptr(),
                path.as_ptr(),
                0,
                tokens.as_mut_ptr(),
                capacity,
                &raw mut found,
            )
        };
        if read == 0 || found > capacity {
            return None;
        }
        tokens.truncate(found);
        Some(tokens)
    }

    /// Empties the batch.
    pub(crate) fn batch_clear(&mut self) {
        self.batch.n_tokens = 0;
    }

    /// Tokens in the batch.
    pub(crate) fn batch_len(&self) -> usize {
        usize::try_from(self.batch.n_tokens).unwrap_or(0)
    }

    /// Most tokens of a batch.
    pub(crate) fn batch_capacity(&self) -> usize {
        self.capacity
    }

    /// Whether the batch can take another token.
    pub(crate) fn batch_full(&self) -> bool {
        self.batch_len() >= self.capacity
    }

    /// Adds a token that is part of all these sequences; `logits` asks for its row.
    ///
    /// # Panics
    /// If the batch is full, and for a number of sequences that the context was not made for.
    pub(crate) fn batch_add(&mut self, token: Token, position: usize, sequences: Range<usize>, logits: bool) {
        let i = self.batch_len();
        assert!(i < self.capacity, "the batch holds {} tokens", self.capacity);
        assert!((1..=self.sequences).contains(&sequences.len()), "a token has 1 to {} sequences", self.sequences);
        // SAFETY: all arrays were made by `llama_batch_init` with `capacity` entries, and `i` is below it; each entry's
        // ids have room for `self.sequences` of them.
        unsafe {
            *self.batch.token.add(i) = token;
            *self.batch.pos.add(i) = i32::try_from(position).unwrap_or(i32::MAX);
            *self.batch.n_seq_id.add(i) = i32::try_from(sequences.len()).unwrap_or(i32::MAX);
            for (place, sequence) in sequences.enumerate() {
                *(*self.batch.seq_id.add(i)).add(place) = i32::try_from(sequence).unwrap_or(i32::MAX);
            }
            *self.batch.logits.add(i) = i8::from(logits);
        }
        self.batch.n_tokens += 1;
    }

    fn outcome(&self, code: i32) -> Result<(), DecodeFailure> {
        // SAFETY: the context is alive. Also needed where the backend computes asynchronously.
        unsafe { sys::llama_synchronize(self.raw.as_ptr()) };
        match code {
            0 => Ok(()),
            1 => Err(DecodeFailure::NoRoom),
            2 => Err(DecodeFailure::Aborted),
            code => Err(DecodeFailure::Code(code)),
        }
    }

    /// Computes the batch and waits until it is done.
    pub(crate) fn decode(&mut self) -> Result<(), DecodeFailure> {
        // SAFETY: the first `n_tokens` entries of every array are set.
        let code = unsafe { sys::llama_decode(self.raw.as_ptr(), self.batch) };
        self.outcome(code)
    }

    /// Computes tokens of sequence 0 at the next positions, as llama-bench does, and waits until it is done.
    pub(crate) fn decode_next(&mut self, tokens: &mut [Token]) -> Result<(), DecodeFailure> {
        let n = i32::try_from(tokens.len()).unwrap_or(i32::MAX);
        // SAFETY: the slice outlives the call.
        let code = unsafe { sys::llama_decode(self.raw.as_ptr(), sys::llama_batch_get_one(tokens.as_mut_ptr(), n)) };
        self.outcome(code)
    }

    /// Logits of the batch's entry `index`, which asked for them.
    pub(crate) fn logits(&self, index: usize) -> Option<&[f32]> {
        let index = i32::try_from(index).ok()?;
        // SAFETY: null or a row of `n_vocab` floats that stays until the next decode, which needs `&mut self`.
        unsafe {
            let row = sys::llama_get_logits_ith(self.raw.as_ptr(), index);
            (!row.is_null()).then(|| std::slice::from_raw_parts(row, self.model.n_vocab()))
        }
    }
}

/// llama.cpp's sampler chain.
pub(crate) struct Sampler {
    raw: NonNull<sys::llama_sampler>,
}

// SAFETY: as for `Model`.
unsafe impl Send for Sampler {}

impl Drop for Sampler {
    fn drop(&mut self) {
        // SAFETY: made by `new`; frees the samplers that it owns, too.
        unsafe { sys::llama_sampler_free(self.raw.as_ptr()) }
    }
}

impl Sampler {
    /// The usual chain: bans, penalty, top-k, top-p, min-p, temperature, choice.
    pub(crate) fn new(sampling: &Sampling, n_vocab: usize, banned: &[Token], seed_offset: u32) -> Option<Self> {
        let n_vocab = i32::try_from(n_vocab).ok()?;
        let bias: Vec<_> =
            banned.iter().map(|&token| sys::llama_logit_bias { token, bias: f32::NEG_INFINITY }).collect();
        // SAFETY: the chain takes ownership of every sampler added; the biases are copied by llama.cpp.
        unsafe {
            let raw = NonNull::new(sys::llama_sampler_chain_init(sys::llama_sampler_chain_default_params()))?;
            let add = |sampler| sys::llama_sampler_chain_add(raw.as_ptr(), sampler);
            if !bias.is_empty() {
                add(sys::llama_sampler_init_logit_bias(n_vocab, i32::try_from(bias.len()).ok()?, bias.as_ptr()));
            }
            if (sampling.repeat_penalty - 1.0).abs() > f32::EPSILON {
                add(sys::llama_sampler_init_penalties(n_vocab, 64, sampling.repeat_penalty, 0.0, 0.0));
            }
            if sampling.temperature <= 0.0 {
                add(sys::llama_sampler_init_greedy());
            } else {
                if sampling.top_k > 0 {
                    add(sys::llama_sampler_init_top_k(sampling.top_k));
                }
                if sampling.top_p < 1.0 {
                    add(sys::llama_sampler_init_top_p(sampling.top_p, 1));
                }
                if sampling.min_p > 0.0 {
                    add(sys::llama_sampler_init_min_p(sampling.min_p, 1));
                }
                add(sys::llama_sampler_init_temp(sampling.temperature));
                add(sys::llama_sampler_init_dist(sampling.seed.wrapping_add(seed_offset)));
            }
            Some(Self { raw })
        }
    }

    /// Picks a token from the logits of the batch's entry `index` and remembers it. The entry must have asked for logits.
    pub(crate) fn sample(&mut self, context: &mut Context, index: usize) -> Option<Token> {
        context.logits(index)?;
        // SAFETY: both are alive, and the row exists: llama.cpp would abort otherwise.
        Some(unsafe { sys::llama_sampler_sample(self.raw.as_ptr(), context.raw.as_ptr(), i32::try_from(index).ok()?) })
    }
}
