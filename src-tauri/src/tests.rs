//! The shell against a mock window system and a real data folder.

use crate::app;
use pocketbench_app_core::{App, Config, Launch};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use tauri::ipc::{CallbackFn, InvokeBody};
use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder, mock_context, noop_assets};
use tauri::webview::InvokeRequest;

fn config(folder: &Path) -> Config {
    Config {
        data_folder: folder.to_path_buf(),
        models_folder: folder.join("models"),
        tune: false,
        ..Config::new("0.0.0", None, Launch::InProcess)
    }
}

fn window(folder: &Path) -> (tauri::App<MockRuntime>, tauri::WebviewWindow<MockRuntime>) {
    let app = app(mock_builder(), config(folder)).build(mock_context(noop_assets())).unwrap();
    let window = tauri::WebviewWindowBuilder::new(&app, "main", tauri::WebviewUrl::default()).build().unwrap();
    (app, window)
}

fn invoke(window: &tauri::WebviewWindow<MockRuntime>, command: &str, arguments: Value) -> Result<Value, Value> {
    let request = InvokeRequest {
        cmd: command.into(),
        callback: CallbackFn(0),
        error: CallbackFn(1),
        url: if cfg!(windows) { "http://tauri.localhost" } else { "tauri://localhost" }.parse().unwrap(),
        body: InvokeBody::Json(arguments),
        headers: tauri::http::HeaderMap::default(),
        invoke_key: INVOKE_KEY.to_string(),
    };
    get_ipc_response(window, request).map(|body| body.deserialize().unwrap())
}

#[test]
fn commands_answer_and_errors_keep_their_code() {
    let folder = tempfile::tempdir().unwrap();
    let (_app, window) = window(folder.path());
    assert_eq!(invoke(&window, "app_info", json!({})).unwrap()["version"], "0.0.0");
    assert!(invoke(&window, "device", json!({})).unwrap()["ram_bytes"].as_u64().unwrap() > 0);
    let report = invoke(&window, "device_report", json!({})).unwrap();
    assert_eq!(report["profile"]["fingerprint"], invoke(&window, "device", json!({})).unwrap()["fingerprint"]);
    assert_eq!(report["cpu_variant"], json!(null), "no worker was started here yet");
    assert!(report["sensors"]["temperatures"].is_array());
    assert_eq!(invoke(&window, "models", json!({})).unwrap(), json!([]));
    assert_eq!(invoke(&window, "suites", json!({})).unwrap()[0]["id"], "quick");
    assert_eq!(invoke(&window, "claims", json!({})).unwrap()[0]["findings"][0]["standing"], "fails");
    assert!(invoke(&window, "measure_bandwidth", json!({})).unwrap()["threads"].as_u64().unwrap() > 0);
    let nowhere = invoke(&window, "add_model", json!({ "path": "/nowhere/model.gguf" })).unwrap_err();
    assert_eq!(nowhere["code"], "MODEL_FILE_NOT_FOUND");
    assert!(nowhere["hint"].is_string());
    let unknown = json!({ "runId": "00000000-0000-0000-0000-000000000000" });
    assert_eq!(invoke(&window, "result", unknown).unwrap_err()["code"], "NOT_FOUND");
}

#[test]
fn a_second_instance_says_so_and_can_retry() {
    let folder = tempfile::tempdir().unwrap();
    let first = tauri::async_runtime::block_on(App::open(config(folder.path()))).unwrap();
    let (_app, second) = window(folder.path());
    assert_eq!(invoke(&second, "jobs", json!({})).unwrap_err()["code"], "ALREADY_RUNNING");
    drop(first);
    assert_eq!(invoke(&second, "jobs", json!({})).unwrap(), json!([]));
}

#[test]
fn the_front_end_calls_exactly_the_commands_that_exist() {
    let quoted = |text: &str, before: &str| -> BTreeSet<String> {
        text.split(before).skip(1).filter_map(|rest| rest.split('\'').next()).map(str::to_owned).collect()
    };
    let called = quoted(include_str!("../../ui/src/backend/tauri.ts"), "invoke('");
    let registered: BTreeSet<String> = include_str!("lib.rs")
        .split("        commands::")
        .skip(1)
        .filter_map(|rest| rest.split(',').next())
        .map(str::to_owned)
        .collect();
    assert!(!called.is_empty());
    assert_eq!(called, registered);
}
