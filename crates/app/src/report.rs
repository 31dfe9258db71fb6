//! A run as a file: JSON with everything, CSV with one value a line, Markdown to read.

use crate::api::ExportFormat;
use crate::llama_bench::{self, BenchRecord};
use crate::{App, Result, blocking};
use pocketbench_domain::compare::{EntryResult, MemorySummary, RowVerdict, RunResult, TaskResult};
use pocketbench_domain::format::{TABLE_DIGITS, bytes, significant, with_interval};
use pocketbench_domain::metric::Metric;
use pocketbench_domain::roofline::{DecodeLimit, LimitStanding, LimitUnknown, MeasuredBandwidth, MemoryLimit};
use pocketbench_domain::run::{RunEntry, RunId, Sample, SettingsReason};
use pocketbench_domain::stats::Summary;
use pocketbench_domain::{ErrorCode, ErrorReport};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// Name and version of the JSON document.
const SCHEMA: &str = "pocketbench.run/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    result: &'a RunResult,
    samples: &'a [Sample],
    llama_bench: Vec<BenchRecord>,
}

impl App {
    /// A run in one of the formats.
    pub async fn export(&self, run: RunId, format: ExportFormat) -> Result<String> {
        let result = self.result(run).await?;
        let samples = self.raw_samples(run).await?;
        blocking(move || render(&result, &samples, format)).await?
    }

    /// Writes a run to a file: complete or not at all.
    pub async fn export_to(&self, run: RunId, format: ExportFormat, path: &Path) -> Result<()> {
        let text = self.export(run, format).await?;
        let path = path.to_path_buf();
        blocking(move || write_whole(&path, &text)).await?
    }
}

/// Writes beside the target first, so that a full disk never leaves half a file under the final name.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension("partial");
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|error| {
        std::fs::remove_file(&partial).ok();
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull => ErrorCode::DiskFull,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                ErrorCode::DataFolderReadOnly
            }
            _ => ErrorCode::InvalidInput,
        };
        ErrorReport::new(code, format!("{} cannot be written: {error}", path.display()))
            .hint("Pick another folder, or make room.")
    })
}

/// What there is to say about a result beside its verdict, in English: cold starts against their limit, memory pressure.
#[must_use]
pub fn remarks(result: &RunResult) -> Vec<String> {
    let labels: Vec<String> = result.entries.iter().map(|entry| entry.label.clone()).collect();
    let starts = result.cold_start.iter().map(|start| start.sentence(&labels));
    starts.chain(result.pressure.iter().map(|pressure| pressure.sentence.clone())).collect()
}

/// A result in one of the formats.
pub fn render(result: &RunResult, samples: &[Sample], format: ExportFormat) -> Result<String> {
    match format {
        ExportFormat::Json => {
            let llama_bench = llama_bench::records(result, samples);
            let document = Document { schema: SCHEMA, result, samples, llama_bench };
            serde_json::to_string_pretty(&document)
                .map(|text| text + "\n")
                .map_err(|error| ErrorReport::new(ErrorCode::Internal, error.to_string()))
        }
        ExportFormat::Csv => Ok(csv(result)),
        ExportFormat::Markdown => Ok(markdown(result)),
    }
}

fn csv(result: &RunResult) -> String {
    let mut out = String::from("run_id,slot,model,quantization,variant,task,category,metric,unit,repetition,value\n");
    for task in &result.tasks {
        for row in &task.rows {
            for ((entry, asked), values) in result.entries.iter().zip(&result.run.spec.entries).zip(&row.values) {
                for (repetition, value) in values.iter().enumerate() {
                    let fields = [
                        result.run.id.to_string(),
                        entry.slot.to_string(),
                        entry.model.header.name.clone(),
                        entry.model.header.quantization.clone(),
                        asked.variant.clone().unwrap_or_default(),
                        task.task_id.clone(),
                        wire_name(&task.category),
                        wire_name(&row.metric),
                        row.metric.unit().to_owned(),
                        repetition.to_string(),
                        value.to_string(),
                    ];
                    out.push_str(&fields.map(|field| csv_field(&field)).join(","));
                    out.push('\n');
                }
            }
        }
    }
    out
}

/// A value's name as it is serialized, such as `few_samples`: the one that scripts switch on.
#[must_use]
pub fn wire_name<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Quoted where needed. A model's name is untrusted: a leading `=`, `+`, `-` or `@` would be a formula in a spreadsheet.
fn csv_field(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '@', '\t']) || (field.starts_with('-') && field.parse::<f64>().is_err());
    let field = if formula { format!("'{field}") } else { field.to_owned() };
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

/// A figure with its interval, such as `151 [148, 154]`.
#[must_use]
pub fn figure(metric: Metric, summary: Option<&Summary>) -> String {
    let Some(summary) = summary else { return "–".to_owned() };
    if metric == Metric::PeakRssBytes {
        return bytes(summary.median);
    }
    match summary.interval {
        Some(interval) => {
            let [median, low, high] = with_interval(summary.median, interval, TABLE_DIGITS);
            format!("{median} [{low}, {high}]")
        }
        None => significant(summary.median, None, TABLE_DIGITS),
    }
}

/// What stands for an entry in a table: A, B and so on.
#[must_use]
pub fn letter(slot: usize) -> String {
    u8::try_from(slot)
        .ok()
        .filter(|n| *n < 26)
        .map_or_else(|| (slot + 1).to_string(), |n| char::from(b'A' + n).to_string())
}

/// What a row says, such as `A, 1.8 ×` or `no real difference`.
#[must_use]
pub fn row_says(row: &pocketbench_domain::compare::MetricRow) -> String {
    match &row.verdict {
        RowVerdict::Winner { slot } => {
            let better = letter(*slot as usize);
            match row.ratio {
                Some(ratio) => {
                    let times = ratio.value.max(1.0 / ratio.value);
                    format!("{better}, {} ×", significant(times, None, 3))
                }
                None => better,
            }
        }
        RowVerdict::NoRealDifference => "no real difference".to_owned(),
        RowVerdict::TooFewSamples => "too few samples".to_owned(),
        RowVerdict::NotComparable { .. } => "not comparable".to_owned(),
        RowVerdict::NotMeasured => "–".to_owned(),
        RowVerdict::Single => String::new(),
    }
}

/// What the row of a decode's limit is called.
pub const LIMIT_LABEL: &str = "Limit of memory, tok/s";

/// One text an entry for the row of the limits, such as `24.6 (74 % reached, 812 MB a token)`; `None` for a task that has no
/// such row.
#[must_use]
pub fn limits(task: &TaskResult) -> Option<Vec<String>> {
    let text = |limit: &Option<MemoryLimit>| match limit {
        None => "–".to_owned(),
        Some(MemoryLimit::Known(limit)) => {
            let reads = bytes(limit.bytes_per_token as f64);
            let impossible = if limit.standing == LimitStanding::Exceeded { ", not physically possible" } else { "" };
            format!("{} ({:.0} % reached{impossible}, {reads} a token)", tps(limit.limit_tps), limit.efficiency * 100.0)
        }
        Some(MemoryLimit::Unknown { reason }) => match reason {
            LimitUnknown::BandwidthNotMeasured => "– (the memory's bandwidth was not measured)".to_owned(),
            LimitUnknown::ReadsNotKnown => "– (not known how much a token reads)".to_owned(),
            LimitUnknown::NotOnCpu => "– (not all of it ran on the processor)".to_owned(),
        },
    };
    let any = task.cells.iter().any(|cell| cell.limit.is_some());
    any.then(|| task.cells.iter().map(|cell| text(&cell.limit)).collect())
}

/// What to know about the limits of a result: what memory gives, and every rate that is above its limit, with the
/// arithmetic.
#[must_use]
pub fn limit_notes(result: &RunResult) -> Vec<String> {
    let known = |task: &TaskResult| -> Vec<Option<DecodeLimit>> {
        task.cells.iter().map(|cell| cell.limit.as_ref().and_then(MemoryLimit::known).copied()).collect()
    };
    let mut notes = Vec::new();
    if let Some(limit) = result.tasks.iter().flat_map(known).flatten().next() {
        notes.push(format!("Limit of memory: bandwidth ÷ bytes a token. {}.", memory_gives(&limit.bandwidth)));
    }
    for task in &result.tasks {
        for (slot, limit) in known(task).into_iter().enumerate() {
            let why = limit.as_ref().and_then(above);
            notes.extend(why.map(|why| format!("{}, {}: {why}", letter(slot), task.title)));
        }
    }
    notes
}

/// A bandwidth, how it was measured, and when.
#[must_use]
pub fn memory_gives(bandwidth: &MeasuredBandwidth) -> String {
    format!(
        "Memory gives {}/s, read by {} threads on {}",
        bytes(bandwidth.bytes_per_s),
        bandwidth.threads,
        bandwidth.measured_at.format("%Y-%m-%d %H:%M UTC")
    )
}

/// Why a rate is above its limit; `None` if it is not.
fn above(limit: &DecodeLimit) -> Option<String> {
    let arithmetic = format!(
        "{} tok/s × {} a token = {}/s, {:.2} times what memory gives",
        tps(limit.tps),
        bytes(limit.bytes_per_token as f64),
        bytes(limit.tps * limit.bytes_per_token as f64),
        limit.efficiency
    );
    match limit.standing {
        LimitStanding::Within => None,
        LimitStanding::Cached => Some(match limit.cache_bytes {
            Some(caches) => format!(
                "{arithmetic}. Caches of {} keep a part from one token to the next, so that it is possible",
                bytes(caches as f64)
            ),
            None => format!("{arithmetic}. How large the caches are is not known; they may keep so much"),
        }),
        LimitStanding::Exceeded => Some(format!(
            "not physically possible: {arithmetic}, and no cache keeps so much. The bandwidth or the rate was measured \
             wrongly; measure the bandwidth again: pocketbench device --bandwidth"
        )),
    }
}

fn tps(value: f64) -> String {
    significant(value, None, 3)
}

/// Markdown's own characters in a name must not become markup.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn markdown(result: &RunResult) -> String {
    let mut out = String::new();
    // Of a sweep the model's name once is enough.
    let title = |(asked, entry): (&RunEntry, &EntryResult)| plain(asked.variant.as_deref().unwrap_or(&entry.label));
    let titles: Vec<String> = result.run.spec.entries.iter().zip(&result.entries).map(title).collect();
    let heading = match (&result.run.spec.suite.sweep, result.entries.first()) {
        (Some(_), Some(entry)) => format!("{}: {}", plain(&entry.model.label()), plain(&result.run.spec.suite.title)),
        _ => titles.join(" against "),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# {heading}\n\n{}\n", plain(&result.verdict.sentence));
    let _ = writeln!(
        out,
        "Measured on {} ({}, {} of memory, {}) with the suite *{}* version {}, started {}.\n",
        plain(&result.run.device.name),
        plain(&result.run.device.cpu),
        bytes(result.run.device.ram_bytes as f64),
        plain(&result.run.device.os),
        plain(&result.run.spec.suite.title),
        result.run.spec.suite.version,
        result.run.started_at.format("%Y-%m-%d %H:%M UTC"),
    );
    for remark in remarks(result) {
        let _ = writeln!(out, "{}\n", plain(&remark));
    }
    table(&mut out, result, &titles);
    curves(&mut out, result);
    memory(&mut out, result, &titles);
    notes(&mut out, result);
    provenance(&mut out, result, &titles);
    out
}

fn table(out: &mut String, result: &RunResult, titles: &[String]) {
    let _ = writeln!(
        out,
        "## Figures\n\nMedian and its 95 % interval over {} repetitions.\n",
        result.run.spec.suite.repetitions
    );
    let heads: Vec<String> = (0..).zip(titles).map(|(slot, title)| format!("{}: {title}", letter(slot))).collect();
    let _ = writeln!(out, "| Task | Figure | {} | Better |", heads.join(" | "));
    let _ = writeln!(out, "|---|---|{}---|", "---:|".repeat(titles.len()));
    for task in &result.tasks {
        for row in &task.rows {
            let sides: Vec<String> = row.sides.iter().map(|side| figure(row.metric, side.as_ref())).collect();
            let _ = writeln!(
                out,
                "| {} | {}, {} | {} | {} |",
                plain(&task.title),
                row.metric.label(),
                row.metric.unit(),
                sides.join(" | "),
                row_says(row)
            );
        }
        if let Some(limits) = limits(task) {
            let _ = writeln!(out, "| {} | {LIMIT_LABEL} | {} | |", plain(&task.title), limits.join(" | "));
        }
    }
}

/// Rows of a curve's table.
const CURVE_ROWS: usize = 20;

/// Decode rate and temperature over the time of a sustained task.
fn curves(out: &mut String, result: &RunResult) {
    for task in &result.tasks {
        for (slot, curve) in (0..).zip(&task.curves).filter(|(_, curve)| !curve.is_empty()) {
            let _ = writeln!(
                out,
                "\n## {} over time: {}\n\n| Time, s | tok/s | °C |\n|---:|---:|---:|",
                plain(&task.title),
                letter(slot)
            );
            for point in curve.iter().step_by(curve.len().div_ceil(CURVE_ROWS)) {
                let celsius = point.celsius.map_or_else(|| "–".to_owned(), |c| format!("{c:.1}"));
                let rate = significant(point.decode_tps, None, TABLE_DIGITS);
                let _ = writeln!(out, "| {:.0} | {rate} | {celsius} |", point.at_s);
            }
        }
    }
}

type Part = (&'static str, fn(&MemorySummary) -> Option<u64>);

fn memory(out: &mut String, result: &RunResult, titles: &[String]) {
    let parts: [Part; 7] = [
        ("Model file", |m| Some(m.file_bytes)),
        ("Weights", |m| m.weights_bytes),
        ("KV cache", |m| m.kv_bytes),
        ("Compute buffers", |m| m.compute_bytes),
        ("Worker without a model", |m| m.baseline_rss_bytes),
        ("Peak resident memory", |m| m.peak_rss_bytes),
        ("Predicted before loading", |m| Some(m.predicted_bytes)),
    ];
    let _ = writeln!(out, "\n## Memory\n\n| | {} |\n|---|{}", titles.join(" | "), "---:|".repeat(titles.len()));
    for (label, part) in parts {
        let sides: Vec<String> = result
            .entries
            .iter()
            .map(|entry| part(&entry.memory).map_or_else(|| "–".to_owned(), |b| bytes(b as f64)))
            .collect();
        let _ = writeln!(out, "| {label} | {} |", sides.join(" | "));
    }
}

fn notes(out: &mut String, result: &RunResult) {
    let mut lines = Vec::new();
    for task in &result.tasks {
        for (slot, cell) in (0..).zip(&task.cells) {
            let letter = letter(slot);
            if let Some(failure) = &cell.failure {
                lines.push(format!(
                    "- {letter}, {}: could not be measured: {}",
                    plain(&task.title),
                    plain(&failure.to_string())
                ));
            }
            for flag in &cell.flags {
                lines.push(format!("- {letter}, {}: {}", plain(&task.title), wire_name(&flag.kind).replace('_', " ")));
            }
        }
    }
    for left_out in &result.run.spec.left_out {
        lines.push(format!("- {} was not tried: {}", plain(&left_out.variant), plain(&left_out.reason.to_string())));
    }
    lines.extend(limit_notes(result).iter().map(|note| format!("- {}", plain(note))));
    if !lines.is_empty() {
        let _ = writeln!(out, "\n## What to know about these figures\n\n{}", lines.join("\n"));
    }
}

/// Why a run's settings are not the defaults, such as `as the device was tuned on 2026-11-24`.
#[must_use]
pub fn reason_says(reason: &SettingsReason) -> String {
    match reason {
        SettingsReason::Tuned { tuned_at, .. } => {
            format!("as the device was tuned on {}", tuned_at.format("%Y-%m-%d %H:%M UTC"))
        }
        SettingsReason::NotRepacked { saved_bytes } => {
            format!("weights not repacked, since only so every model fits: {} saved", bytes(*saved_bytes as f64))
        }
    }
}

fn provenance(out: &mut String, result: &RunResult, titles: &[String]) {
    let _ = writeln!(
        out,
        "\n## Provenance\n\n- Pocketbench {}{}\n- Run {}",
        result.run.app_version,
        result.run.app_commit.as_ref().map(|c| format!(" ({c})")).unwrap_or_default(),
        result.run.id
    );
    for reason in &result.run.spec.reasons {
        let _ = writeln!(out, "- Settings: {}", reason_says(reason));
    }
    for (entry, title) in result.entries.iter().zip(titles) {
        let settings = &entry.settings;
        let _ = writeln!(
            out,
            "- {title}: SHA-256 `{}`, context {}, batch {}, micro-batch {}, {} threads, KV cache {}/{}, {}, {}, {} layers \
             asked to be on a GPU",
            entry.model.sha256,
            settings.n_ctx,
            settings.n_batch,
            settings.n_ubatch,
            settings.n_threads,
            settings.kv_type_k.name(),
            settings.kv_type_v.name(),
            if settings.use_mmap { "mapped" } else { "read into memory" },
            if settings.repack { "weights repacked" } else { "weights not repacked" },
            settings.n_gpu_layers
        );
        if let Some(session) = entry.sessions.last() {
            let _ = writeln!(
                out,
                "- Engine of {title}: llama-cpp-sys-2 {}, {}, weights on {}",
                session.engine.bindings_version,
                plain(&session.engine.cpu_variant),
                plain(&session.loaded.backend)
            );
            if let Some(cooled) = &session.cooled {
                let degrees = |c: Option<f64>| c.map_or_else(|| "–".to_owned(), |c| format!("{c:.1} °C"));
                let _ = writeln!(
                    out,
                    "- Wait for a cooler machine before {title}: {:.0} s, from {} to {} ({})",
                    cooled.waited_ms as f64 / 1e3,
                    degrees(cooled.from_c),
                    degrees(cooled.to_c),
                    wire_name(&cooled.reason).replace('_', " ")
                );
            }
        }
    }
    let _ = writeln!(out, "\nHow each figure is made: `docs/benchmarking.md`.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_model_files_cannot_become_formulas_or_markup() {
        assert_eq!(csv_field("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(csv_field("-1.5"), "-1.5");
        assert_eq!(csv_field("-cmd"), "'-cmd");
        assert_eq!(csv_field("a,b"), "\"a,b\"");
        assert_eq!(plain("a|b\n<i>"), "a\\|b \\<i\\>");
    }
}
