//! The app's executable; with a hidden argument it is the worker instead.
// No console window beside the app on Windows.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

fn main() {
    pocketbench_app_lib::run();
}
