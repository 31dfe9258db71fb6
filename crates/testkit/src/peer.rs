//! A worker that is a few lines of shell: it says what a test wants it to say, and needs no model. What it measures is made
//! up, so it shows how a run is conducted and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

const SCRIPT: &str = r#"
cd "$(dirname "$0")" || exit 1
# How often something was done, over all processes of this worker.
count() { n=$(($(cat "$1" 2>/dev/null || echo 0) + 1)); echo $n > "$1"; }
done_with() { echo "{\"id\":$id,\"event\":\"done\",\"reply\":$1}"; }
refuse() { echo "{\"id\":$id,\"event\":\"error\",\"error\":{\"code\":\"$1\",\"message\":\"$2\"}}"; }
token() { echo "{\"id\":$id,\"event\":\"token\",\"text\":\"a\",\"at_ns\":1000000,\"sequence\":0}"; }
answer() {
    done_with '{"reply":"generation","text":"aaa","prompt_tokens":4,"reused_tokens":0,"generated_tokens":3,"stop":"max_tokens","template":"raw","template_ns":1,"tokenize_ns":1,"prefill_ns":900000,"first_sample_ns":1,"token_at_ns":[1000000,2000000,3000000],"end_at_ns":3000000}'
}
silence() {
    done_with '{"reply":"generation","text":"","prompt_tokens":4,"reused_tokens":0,"generated_tokens":0,"stop":"end_of_generation","template":"raw","template_ns":1,"tokenize_ns":1,"prefill_ns":900000,"first_sample_ns":1,"token_at_ns":[],"end_at_ns":1000000}'
}
loaded() {
    done_with "{\"reply\":\"loaded\",\"load_ns\":5000000,\"buffers\":[],\"effective\":{$(echo "$line" | sed 's/.*"settings":{//; s/}}*$//')},\"backend\":\"CPU\",\"description\":\"made up\",\"n_params\":1,\"tensor_bytes\":1,\"n_ctx_train\":1,\"has_chat_template\":false}"
}
on_balloon() { echo '{"held_bytes":1000,"available_bytes":5000000000,"left_bytes":5000000000,"settled":true,"short":false,"refused":false}'; sleep 0.02; }
on_start() { :; }
on_load() { loaded; }
on_generate() { answer; }
# ---- what the test wants ----
@SAYS@
# -----------------------------
if [ "$1" = --balloon ]; then
    read -r line || exit
    # Its parent's end closes the pipe; what runs in the background has no input of its own.
    exec 3<&0
    (cat <&3; kill $$) > /dev/null 2>&1 &
    while :; do on_balloon; done
fi
on_start
while read -r line; do
    id=${line#*\"id\":}
    id=${id%%[,\}]*}
    case $line in
        *'"request":"hello"'*)
            done_with "{\"reply\":\"hello\",\"protocol\":1,\"app_version\":\"0\",\"bindings_version\":\"0\",\"cpu_variant\":\"made up\",\"system_info\":\"\",\"backends\":[],\"pid\":$$}" ;;
        *'"request":"load"'*) count loads; on_load ;;
        *'"request":"generate"'*) count generates; on_generate ;;
        *'"request":"shutdown"'*) done_with '{"reply":"ok"}'; exit ;;
        *) done_with '{"reply":"ok"}' ;;
    esac
done
"#;

/// Writes such a worker into a folder and gives its path. `says` is shell that may define `on_start`, `on_load`,
/// `on_generate` and `on_balloon` anew: each answers one request with `answer`, `silence`, `loaded`, `refuse CODE words` or `token`, and
/// finds in `$n` how often that was asked of any process of this worker. The counts are in the files `loads` and
/// `generates`.
///
/// # Panics
/// If the folder cannot be written.
#[must_use]
pub fn peer(folder: &Path, says: &str) -> PathBuf {
    let path = folder.join("peer.sh");
    fs::write(&path, format!("#!/bin/sh\n{}", SCRIPT.replace("@SAYS@", says))).expect("the folder can be written");
    path
}

/// How often it was asked: `loads` or `generates`.
#[must_use]
pub fn asked(folder: &Path, what: &str) -> u32 {
    fs::read_to_string(folder.join(what)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
