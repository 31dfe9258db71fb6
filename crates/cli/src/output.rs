//! Everything that is printed: results on standard output, progress and notes on standard error.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this module is the terminal")]

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pocketbench_app_core::api::{LiveUpdate, RunSummary};
use pocketbench_app_core::domain::ErrorReport;
use pocketbench_app_core::domain::compare::{CellOutcome, RowVerdict, RunResult};
use pocketbench_app_core::domain::device::DeviceProfile;
use pocketbench_app_core::domain::format::bytes;
use pocketbench_app_core::domain::job::Job;
use pocketbench_app_core::{figure, row_says, wire_name};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

/// Prints text as it is. A reader that has seen enough (`| head`) is no error.
pub(crate) fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

/// Prints a value as JSON.
pub(crate) fn json<T: serde::Serialize>(value: &T) {
    match serde_json::to_string_pretty(value) {
        Ok(json) => text(&(json + "\n")),
        Err(error) => eprintln!("error: {error}"),
    }
}

/// A line for the person, not for a pipe.
pub(crate) fn note(line: &str) {
    eprintln!("{line}");
}

/// What went wrong, its code, and what to do next.
pub(crate) fn error(report: &ErrorReport) {
    let code = wire_name(&report.code);
    eprintln!("error: {} [{code}]", printable(&report.message));
    if let Some(hint) = &report.hint {
        eprintln!("  what to do: {}", printable(hint));
    }
    let log = report.details.as_ref().and_then(|d| d.get("log").or_else(|| d.get("stderr"))).and_then(|l| l.as_array());
    for line in log.into_iter().flatten().filter_map(|l| l.as_str()).rev().take(5).collect::<Vec<_>>().into_iter().rev()
    {
        eprintln!("  engine: {}", printable(line));
    }
}

/// Names and logs come from model files: no control character of theirs reaches the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{FFFD}' } else { c }).collect()
}

/// The one progress bar; silent where nobody watches.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new(title: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(4));
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{prefix}\n{bar:30} {pos}/{len}  {elapsed} elapsed{msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(printable(title));
        Self(bar)
    }

    pub(crate) fn progress(&self, job: &Job) {
        self.0.set_length(job.progress.total.unwrap_or(0));
        self.0.set_position(job.progress.done);
    }

    pub(crate) fn live(&self, live: &LiveUpdate) {
        let rate = live.tokens_per_s.map(|rate| format!("  {rate:.0} tok/s")).unwrap_or_default();
        let memory = live.rss_bytes.map(|rss| format!("  {}", bytes(rss as f64))).unwrap_or_default();
        let warmup = if live.warmup { " (warm-up)" } else { "" };
        self.0.set_message(format!("\n{} · {}{warmup}{rate}{memory}", printable(&live.model), live.task_title));
    }

    pub(crate) fn finish(self) {
        self.0.finish_and_clear();
    }
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.force_no_tty().set_width(140);
    }
    table
}

/// Verdict, table, memory and what to know about the figures.
pub(crate) fn result(result: &RunResult) {
    let mut out = String::new();
    out.push_str(&printable(&result.verdict.sentence));
    out.push_str("\n\n");
    let mut figures = table();
    let letters = ["A", "B"];
    let mut head = vec!["Task".to_owned(), "Figure".to_owned()];
    head.extend(
        result.entries.iter().zip(letters).map(|(entry, letter)| format!("{letter}: {}", printable(&entry.label))),
    );
    if result.entries.len() > 1 {
        head.push("Better".to_owned());
    }
    figures.set_header(head.into_iter().map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
    for task in &result.tasks {
        for (i, row) in task.rows.iter().enumerate() {
            let title = if i == 0 { task.title.as_str() } else { "" };
            let mut cells =
                vec![Cell::new(printable(title)), Cell::new(format!("{}, {}", row.metric.label(), row.metric.unit()))];
            for (slot, side) in row.sides.iter().enumerate() {
                let won = matches!(row.verdict, RowVerdict::Winner { slot: winner } if winner as usize == slot);
                let cell = Cell::new(figure(row.metric, side.as_ref())).set_alignment(CellAlignment::Right);
                cells.push(if won { cell.add_attribute(Attribute::Bold) } else { cell });
            }
            if result.entries.len() > 1 {
                cells.push(Cell::new(row_says(row)));
            }
            figures.add_row(cells);
        }
    }
    out.push_str(&figures.to_string());
    out.push('\n');
    for task in &result.tasks {
        for (cell, letter) in task.cells.iter().zip(letters) {
            notes(&mut out, cell, letter, &task.title);
        }
    }
    let _ = writeln!(out, "\nRun {} · median [95 % interval]", crate::commands::short(result.run.id));
    text(&out);
}

fn notes(out: &mut String, cell: &CellOutcome, letter: &str, title: &str) {
    if let Some(failure) = &cell.failure {
        let _ = writeln!(out, "{letter}, {title}: could not be measured: {}", printable(&failure.to_string()));
    }
    let flags: Vec<String> = cell.flags.iter().map(|flag| wire_name(&flag.kind).replace('_', " ")).collect();
    if !flags.is_empty() {
        let _ = writeln!(out, "{letter}, {title}: {}", flags.join(", "));
    }
}

/// The runs that are stored.
pub(crate) fn runs(runs: &[RunSummary]) {
    if runs.is_empty() {
        note("No runs yet. Start one with: pocketbench compare A.gguf B.gguf");
        return;
    }
    let mut list = table();
    list.set_header(
        ["Run", "Started", "Models", "Suite", "State", "Cells"].map(|h| Cell::new(h).add_attribute(Attribute::Bold)),
    );
    for run in runs {
        list.add_row([
            crate::commands::short(run.id),
            run.started_at.format("%Y-%m-%d %H:%M").to_string(),
            printable(&run.models.join(" / ")),
            printable(&run.suite),
            wire_name(&run.state),
            format!("{}/{}", run.cells_finished, run.cells_total),
        ]);
    }
    text(&format!("{list}\n"));
}

/// The machine.
pub(crate) fn device(device: &DeviceProfile) {
    let unknown = || "– (this system does not tell)".to_owned();
    let size = |bytes_: Option<u64>| bytes_.map_or_else(unknown, |b| bytes(b as f64));
    let battery = device.battery.as_ref().map_or_else(
        || "– (none found)".to_owned(),
        |b| {
            let percent = b.percent.map_or_else(unknown, |p| format!("{p:.0} %"));
            match b.charging {
                Some(true) => format!("{percent}, charging"),
                Some(false) => format!("{percent}, discharging"),
                None => percent,
            }
        },
    );
    let mut facts = table();
    for (label, value) in [
        ("Device", device.name.clone()),
        ("System", device.os.clone()),
        ("Kernel", device.kernel.clone().unwrap_or_else(unknown)),
        ("Processor", device.cpu.clone()),
        ("Architecture", device.arch.clone()),
        (
            "Cores",
            format!(
                "{} physical, {} logical",
                device.physical_cores.map_or_else(|| "–".to_owned(), |n| n.to_string()),
                device.logical_cores
            ),
        ),
        ("Instruction sets", device.cpu_features.join(" ")),
        (
            "Memory",
            format!("{}, {} available", bytes(device.ram_bytes as f64), bytes(device.ram_available_bytes as f64)),
        ),
        ("Swap", bytes(device.swap_bytes as f64)),
        ("Free storage", size(device.storage_free_bytes)),
        ("Battery", battery),
        ("Virtual machine", device.virtual_machine.map_or_else(unknown, |vm| if vm { "yes" } else { "no" }.to_owned())),
    ] {
        facts.add_row([label.to_owned(), printable(&value)]);
    }
    text(&format!("{facts}\n"));
}
