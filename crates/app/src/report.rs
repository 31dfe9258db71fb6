//! A run as a file: JSON with everything, CSV with one value a line, Markdown to read.

use crate::api::ExportFormat;
use crate::llama_bench::{self, BenchRecord};
use crate::{App, Result, blocking};
use pocketbench_domain::compare::{MemorySummary, RowVerdict, RunResult};
use pocketbench_domain::format::{TABLE_DIGITS, bytes, significant, with_interval};
use pocketbench_domain::metric::Metric;
use pocketbench_domain::run::{RunId, Sample};
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
fn write_whole(path: &Path, text: &str) -> Result<()> {
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
    let mut out = String::from("run_id,slot,model,quantization,task,category,metric,unit,repetition,value\n");
    for task in &result.tasks {
        for row in &task.rows {
            for (entry, values) in result.entries.iter().zip(&row.values) {
                for (repetition, value) in values.iter().enumerate() {
                    let fields = [
                        result.run.id.to_string(),
                        entry.slot.to_string(),
                        entry.model.header.name.clone(),
                        entry.model.header.quantization.clone(),
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

/// What a row says, such as `A, 1.8 ×` or `no real difference`.
#[must_use]
pub fn row_says(row: &pocketbench_domain::compare::MetricRow) -> String {
    match &row.verdict {
        RowVerdict::Winner { slot } => {
            let better = if *slot == 0 { "A" } else { "B" };
            match row.ratio {
                Some(ratio) => {
                    let times = ratio.value.max(1.0 / ratio.value);
                    format!("{better}, {} ×", significant(times, None, 3))
                }
                None => better.to_owned(),
            }
        }
        RowVerdict::NoRealDifference => "no real difference".to_owned(),
        RowVerdict::TooFewSamples => "too few samples".to_owned(),
        RowVerdict::NotComparable { .. } => "not comparable".to_owned(),
        RowVerdict::NotMeasured => "–".to_owned(),
        RowVerdict::Single => String::new(),
    }
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
    let titles: Vec<String> = result.entries.iter().map(|entry| plain(&entry.label)).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# {}\n\n{}\n", titles.join(" against "), plain(&result.verdict.sentence));
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
    table(&mut out, result, &titles);
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
    let heads: Vec<String> =
        titles.iter().zip(["A", "B"]).map(|(title, letter)| format!("{letter}: {title}")).collect();
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
        for (cell, letter) in task.cells.iter().zip(["A", "B"]) {
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
    if !lines.is_empty() {
        let _ = writeln!(out, "\n## What to know about these figures\n\n{}", lines.join("\n"));
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
    for (entry, title) in result.entries.iter().zip(titles) {
        let settings = &entry.settings;
        let _ = writeln!(
            out,
            "- {title}: SHA-256 `{}`, context {}, batch {}, micro-batch {}, {} threads, KV cache {}/{}",
            entry.model.sha256,
            settings.n_ctx,
            settings.n_batch,
            settings.n_ubatch,
            settings.n_threads,
            settings.kv_type_k.name(),
            settings.kv_type_v.name()
        );
        if let Some(session) = entry.sessions.last() {
            let _ = writeln!(
                out,
                "- Engine of {title}: llama-cpp-sys-2 {}, {}",
                session.engine.bindings_version,
                plain(&session.engine.cpu_variant)
            );
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
