//! The least that llama.cpp needs: load, prefill, decode greedily, straight on its C API. What everything of ours is held
//! against in `scripts/bench`. Prints one JSON object.
//!
//! Arguments: MODEL N_PROMPT N_GEN THREADS [silent]
#![allow(
    unsafe_code,
    missing_docs,
    clippy::doc_markdown,
    clippy::undocumented_unsafe_blocks,
    clippy::cast_possible_truncation
)]
#![allow(clippy::cast_possible_wrap, clippy::cast_sign_loss)]

use llama_cpp_sys_2 as sys;
use std::ffi::{CStr, CString};
use std::time::Instant;

unsafe extern "C" fn no_log(_: sys::ggml_log_level, _: *const std::ffi::c_char, _: *mut std::ffi::c_void) {}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize| arguments[i].parse::<usize>().expect("a number");
    let path = CString::new(arguments[1].as_str()).expect("a path");
    let (n_prompt, n_gen, threads) = (number(2), number(3), number(4) as i32);
    let exe = std::env::current_exe().expect("this executable");
    let folder = exe.parent().and_then(std::path::Path::parent).expect("target folder");
    let folder = CString::new(folder.to_str().expect("UTF-8")).expect("no NUL");

    unsafe {
        sys::llama_log_set(Some(no_log), std::ptr::null_mut());
        sys::ggml_backend_load_all_from_path(folder.as_ptr());
        sys::llama_backend_init();
        let mut params = sys::llama_model_default_params();
        params.n_gpu_layers = 0;
        params.load_mode = sys::LLAMA_LOAD_MODE_MMAP;
        let model = sys::llama_model_load_from_file(path.as_ptr(), params);
        assert!(!model.is_null(), "the model does not load");
        let mut params = sys::llama_context_default_params();
        params.n_ctx = 2048;
        params.n_batch = 2048;
        params.n_ubatch = 512;
        params.n_seq_max = 1;
        params.n_outputs_max = 1;
        params.n_threads = threads;
        params.n_threads_batch = threads;
        params.kv_unified = true;
        params.no_perf = true;
        let context = sys::llama_init_from_model(model, params);
        assert!(!context.is_null(), "the context cannot be made");
        let vocab = sys::llama_model_get_vocab(model);
        let n_vocab = sys::llama_vocab_n_tokens(vocab) as usize;

        // The same text as the other side gets, so that both evaluate the same tokens.
        let text = CString::new("word ".repeat(n_prompt)).expect("no NUL");
        let mut tokens = vec![0; n_prompt * 2 + 8];
        let n = sys::llama_tokenize(
            vocab,
            text.as_ptr(),
            text.as_bytes().len() as i32,
            tokens.as_mut_ptr(),
            tokens.len() as i32,
            true,
            false,
        );
        tokens.truncate(n as usize);

        let argmax = |row: *const f32| {
            let row = std::slice::from_raw_parts(row, n_vocab);
            let (mut best, mut at) = (f32::NEG_INFINITY, 0);
            for (i, &value) in row.iter().enumerate() {
                if value > best {
                    (best, at) = (value, i);
                }
            }
            at as sys::llama_token
        };
        // A first pass warms caches and buffers, as the other side's warm-up does.
        let mut prefill_ns = 0;
        let mut decode_ns = 0;
        for warm_up in [true, false] {
            sys::llama_memory_clear(sys::llama_get_memory(context), false);
            let gen_now = if warm_up { 8 } else { n_gen };
            let start = Instant::now();
            let code = sys::llama_decode(context, sys::llama_batch_get_one(tokens.as_mut_ptr(), tokens.len() as i32));
            assert_eq!(code, 0);
            sys::llama_synchronize(context);
            prefill_ns = start.elapsed().as_nanos();
            let mut token = argmax(sys::llama_get_logits_ith(context, -1));
            let start = Instant::now();
            for _ in 1..gen_now {
                let code = sys::llama_decode(context, sys::llama_batch_get_one(&raw mut token, 1));
                assert_eq!(code, 0);
                sys::llama_synchronize(context);
                token = argmax(sys::llama_get_logits_ith(context, -1));
            }
            decode_ns = start.elapsed().as_nanos();
        }
        let peak = peak_rss();
        println!(
            "{{\"prompt_tokens\":{},\"prefill_ns\":{prefill_ns},\"intervals\":{},\"decode_ns\":{decode_ns},\"peak_rss\":{peak},\"info\":{:?}}}",
            tokens.len(),
            n_gen - 1,
            CStr::from_ptr(sys::llama_print_system_info()).to_string_lossy()
        );
        sys::llama_free(context);
        sys::llama_model_free(model);
    }
}

fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}
