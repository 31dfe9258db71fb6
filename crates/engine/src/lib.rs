//! llama.cpp behind a small safe API: load a model, generate, run llama-bench's synthetic tests, and account for every
//! buffer. All `unsafe` is in one module.
//!
//! Times are taken here and nowhere else, with a monotonic clock around decode and synchronize.

mod batch;
mod error;
mod ffi;
mod generate;
pub mod log;
mod speculate;
mod state;
mod synthetic;
mod template;
mod text;

pub use error::EngineError;

use pocketbench_domain::generate::{Buffers, Loaded};
use pocketbench_domain::settings::{EngineSettings, FlashAttention};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Version of the llama.cpp bindings; it fixes llama.cpp's commit.
pub const BINDINGS_VERSION: &str = "0.1.160";

/// Raised from any thread to stop what the engine is doing: within a token, within a micro-batch of prefill, or at the
/// next tensor of a load.
pub type CancelFlag = Arc<AtomicBool>;

/// llama.cpp, initialised: proof that its backends are loaded. One a process.
#[derive(Debug)]
pub struct Engine {
    cpu_variant: String,
    backends: Vec<String>,
    system_info: String,
}

static ENGINE: OnceLock<Result<Engine, EngineError>> = OnceLock::new();

/// Folders that may hold the backend libraries, most specific first.
fn backend_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Some(folder) = std::env::var_os("POCKETBENCH_BACKENDS") {
        folders.push(folder.into());
    }
    if let Some(beside) = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf)) {
        folders.push(beside.clone());
        folders.push(beside.join("../lib/pocketbench"));
        // Test executables lie one folder below the others.
        folders.push(beside.join(".."));
    }
    folders
}

fn holds_cpu_backend(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.trim_start_matches("lib").starts_with("ggml-cpu")
                && Path::new(name.as_ref()).extension().is_some_and(|e| e == "so" || e == "dll" || e == "dylib")
        })
    })
}

impl Engine {
    /// Loads the backends on the first call; later calls give the same engine.
    ///
    /// # Errors
    /// [`EngineError::NoBackend`] if no CPU backend lies where it belongs.
    pub fn get() -> Result<&'static Self, EngineError> {
        ENGINE.get_or_init(Self::init).as_ref().map_err(Clone::clone)
    }

    fn init() -> Result<Self, EngineError> {
        let folders = backend_folders();
        let mark = log::mark();
        if let Some(folder) = folders.iter().find(|folder| holds_cpu_backend(folder)) {
            ffi::load_backends(folder);
            // The crate's own guard against a second initialisation.
            drop(llama_cpp_2::llama_backend::LlamaBackend::init());
        }
        let backends = ffi::backend_names();
        if !backends.iter().any(|name| name == "CPU") {
            return Err(EngineError::NoBackend {
                looked_in: folders.iter().map(|f| f.display().to_string()).collect(),
            });
        }
        let cpu_variant = log::since(mark, log::Level::Info)
            .iter()
            .find_map(|line| line.split_once("loaded CPU backend from "))
            .map_or_else(String::new, |(_, path)| {
                Path::new(path.trim()).file_name().unwrap_or_default().to_string_lossy().into_owned()
            });
        Ok(Self { cpu_variant, backends, system_info: ffi::system_info() })
    }

    /// File name of the CPU variant that was picked for this machine.
    #[must_use]
    pub fn cpu_variant(&self) -> &str {
        &self.cpu_variant
    }

    /// Backends that are loaded.
    #[must_use]
    pub fn backends(&self) -> &[String] {
        &self.backends
    }

    /// Instruction sets in use and compile flags, as llama.cpp reports them.
    #[must_use]
    pub fn system_info(&self) -> &str {
        &self.system_info
    }

    /// Loads a model and makes a context. `progress` hears shares from 0 to 1.
    ///
    /// # Errors
    /// See [`EngineError`]; a raised `cancel` gives [`EngineError::Cancelled`].
    pub fn load(
        &self,
        path: &str,
        settings: &EngineSettings,
        cancel: &CancelFlag,
        mut progress: impl FnMut(f32),
    ) -> Result<LoadedModel, EngineError> {
        let start = Instant::now();
        let no_file = || EngineError::NoFile { path: path.to_owned() };
        let c_path = CString::new(path).map_err(|_| no_file())?;
        if !Path::new(path).is_file() {
            return Err(no_file());
        }
        if settings.n_ctx == 0 || settings.n_batch == 0 || settings.n_ubatch == 0 || settings.n_seq_max == 0 {
            return Err(EngineError::Invalid("context, batch, micro-batch and sequences must be at least 1".into()));
        }
        if settings.n_threads == 0 || settings.n_threads > 512 || settings.n_threads_batch > 512 {
            return Err(EngineError::Invalid("threads must be 1 to 512".into()));
        }
        let mark = log::mark();
        let model = ffi::Model::load(&c_path, settings, cancel, &mut progress).ok_or_else(|| {
            let lines = log::since(mark, log::Level::Warn);
            if cancel.load(Ordering::Relaxed) {
                EngineError::Cancelled
            } else if lines.iter().any(|line| line.contains("unknown model architecture")) {
                EngineError::UnknownArchitecture { log: lines }
            } else {
                EngineError::Load { log: lines }
            }
        })?;
        if !model.can_generate() {
            return Err(EngineError::NotGenerative);
        }
        let trained = model.n_ctx_train();
        if settings.n_ctx > trained {
            return Err(EngineError::ContextTooLong { asked: settings.n_ctx, trained });
        }
        let mark = log::mark();
        let context = ffi::Context::new(model, settings, Arc::clone(cancel))
            .ok_or_else(|| EngineError::Context { asked: settings.n_ctx, log: log::since(mark, log::Level::Warn) })?;
        let mut effective = context.effective(settings);
        if settings.flash_attention == FlashAttention::Auto {
            // llama.cpp decides while it makes the context and tells only its log.
            let lines = log::since(mark, log::Level::Info);
            let said = |what: &str| lines.iter().any(|line| line.contains(what));
            if said("Flash Attention enabled") {
                effective.flash_attention = FlashAttention::On;
            } else if said("Flash Attention not supported") {
                effective.flash_attention = FlashAttention::Off;
            }
        }
        let template = context.model.chat_template();
        let buffers = context.buffers();
        let backend = weights_on(&buffers);
        if backend.is_none() {
            effective.n_gpu_layers = 0;
        }
        let loaded = Loaded {
            load_ns: nanos(start),
            buffers,
            backend: backend.unwrap_or_else(|| "CPU".to_owned()),
            description: context.model.description(),
            n_params: context.model.n_params(),
            tensor_bytes: context.model.tensor_bytes(),
            n_ctx_train: trained,
            has_chat_template: template.is_some(),
            effective,
        };
        Ok(LoadedModel { context, template, loaded, cached: Vec::new(), end_tokens: None })
    }
}

/// The devices other than the CPU that hold weights, such as `Vulkan0`. What was asked for does not say so: without a
/// backend or a device, llama.cpp quietly computes on the CPU.
fn weights_on(buffers: &[Buffers]) -> Option<String> {
    let is_device = |kind: &str| !kind.starts_with("CPU") && !kind.ends_with("_Host");
    let names: Vec<&str> = buffers
        .iter()
        .filter(|buffer| buffer.weights_bytes > 0 && is_device(&buffer.buffer_type))
        .map(|buffer| buffer.buffer_type.as_str())
        .collect();
    (!names.is_empty()).then(|| names.join("+"))
}

/// A model with a context, ready to decode.
pub struct LoadedModel {
    context: ffi::Context,
    template: Option<CString>,
    loaded: Loaded,
    /// Tokens of sequence 0 in the KV cache, for prefix reuse.
    cached: Vec<ffi::Token>,
    /// Filled when first asked for: it walks the whole vocabulary.
    end_tokens: Option<Vec<ffi::Token>>,
}

impl std::fmt::Debug for LoadedModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedModel").field("loaded", &self.loaded).finish_non_exhaustive()
    }
}

impl LoadedModel {
    /// What loading gave.
    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn cancelled(&self) -> bool {
        self.context.cancel_flag().load(Ordering::Relaxed)
    }

    fn end_tokens(&mut self) -> Vec<ffi::Token> {
        self.end_tokens.get_or_insert_with(|| self.context.model.end_tokens()).clone()
    }
}

/// Nanoseconds since `start`.
fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What a failed decode means. After an abort the KV cache holds no one knows what: callers clear it.
fn decode_error(failure: ffi::DecodeFailure) -> EngineError {
    match failure {
        ffi::DecodeFailure::Aborted => EngineError::Cancelled,
        ffi::DecodeFailure::NoRoom => EngineError::Decode { code: 1 },
        ffi::DecodeFailure::Code(code) => EngineError::Decode { code },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backend_is_where_the_weights_are() {
        let buffers = |buffers: &[(&str, u64)]| -> Vec<Buffers> {
            let buffer = |(buffer_type, weights_bytes): &(&str, u64)| Buffers {
                buffer_type: (*buffer_type).to_owned(),
                weights_bytes: *weights_bytes,
                kv_bytes: 1,
                compute_bytes: 1,
            };
            buffers.iter().map(buffer).collect()
        };
        assert_eq!(
            weights_on(&buffers(&[("CPU_Mapped", 9), ("CPU_REPACK", 5), ("Vulkan_Host", 1), ("Vulkan0", 0)])),
            None
        );
        let split = buffers(&[("CPU_Mapped", 9), ("CUDA0", 5), ("CUDA1", 5)]);
        assert_eq!(weights_on(&split).as_deref(), Some("CUDA0+CUDA1"));
    }
}
