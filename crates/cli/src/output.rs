//! Everything that is printed: results on standard output, progress and notes on standard error.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this module is the terminal")]

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pocketbench_app_core::api::{
    CatalogueEntry, ClaimsReport, DeletePreview, FitReport, FoundModel, LiveUpdate, ModelEntry, ProviderEntry,
    RunSummary, SpeedForecast, TokenState, TuningState,
};
use pocketbench_app_core::domain::ErrorReport;
use pocketbench_app_core::domain::claims::{BandwidthCertainty, Claim, ClaimSet};
use pocketbench_app_core::domain::compare::{CellOutcome, RowVerdict, RunResult};
use pocketbench_app_core::domain::device::DeviceProfile;
use pocketbench_app_core::domain::fit::{Fit, FitAdvice};
use pocketbench_app_core::domain::format::{bytes, significant, threads};
use pocketbench_app_core::domain::job::Job;
use pocketbench_app_core::domain::metric::Metric;
use pocketbench_app_core::domain::provider::{KeyCheck, Price, ProviderPreset};
use pocketbench_app_core::domain::roofline::MeasuredBandwidth;
use pocketbench_app_core::domain::tuning::{TuningAxis, TuningCandidate, TuningReason, TuningStep};
use pocketbench_app_core::{
    LIMIT_LABEL, figure, letter, limit_notes, limits, memory_gives, reason_says, remarks, row_says, wire_name,
};
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
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{FFFD}' } else { c }).collect()
}

/// The one progress bar; silent where nobody watches.
pub(crate) struct Bar {
    bar: ProgressBar,
    /// The person was told that the device is tuned first.
    told: std::cell::Cell<bool>,
}

impl Bar {
    pub(crate) fn new(job: &Job) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(4));
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template(if job.progress.unit == "bytes" {
            "{prefix}\n{bar:30} {decimal_bytes}/{decimal_total_bytes}  {msg}"
        } else {
            "{prefix}\n{bar:30} {pos}/{len}  {elapsed} elapsed{msg}"
        });
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(printable(&job.title));
        Self { bar, told: std::cell::Cell::new(false) }
    }

    pub(crate) fn progress(&self, job: &Job) {
        self.bar.set_length(job.progress.total.unwrap_or(0));
        self.bar.set_position(job.progress.done);
        if job.progress.unit == "bytes" {
            let rate = job.progress.rate.map(|rate| format!("{}/s", bytes(rate))).unwrap_or_default();
            let left = job.progress.eta_s.map(|eta| format!(", {} left", seconds(eta))).unwrap_or_default();
            let waits = job.error.as_ref().map(|error| format!("  {}", error.message)).unwrap_or_default();
            self.bar.set_message(format!("{rate}{left}{waits}"));
        }
    }

    pub(crate) fn live(&self, live: &LiveUpdate) {
        if live.tuning.is_some() && !self.told.replace(true) {
            let line = "First run on this device: finding the best number of threads. --no-tune goes without.";
            self.bar.suspend(|| note(line));
        }
        let step = if live.tuning.is_some() { "Tuning · " } else { "" };
        let rate = live.tokens_per_s.map(|rate| format!("  {rate:.0} tok/s")).unwrap_or_default();
        let memory = live.rss_bytes.map(|rss| format!("  {}", bytes(rss as f64))).unwrap_or_default();
        let warmup = if live.warmup { " (warm-up)" } else { "" };
        self.bar.set_message(format!("\n{step}{} · {}{warmup}{rate}{memory}", printable(&live.model), live.task_title));
    }

    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

fn seconds(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

/// A cell as it is, fit for a terminal.
pub(crate) fn plain(text: &str) -> Cell {
    Cell::new(printable(text))
}

pub(crate) fn table() -> Table {
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
    let letters: Vec<String> = (0..result.entries.len()).map(letter).collect();
    let mut head = vec!["Task".to_owned(), "Figure".to_owned()];
    head.extend(result.run.spec.entries.iter().zip(&result.entries).zip(&letters).map(|((asked, entry), letter)| {
        // The model's name once is enough for a sweep.
        format!("{letter}: {}", printable(asked.variant.as_deref().unwrap_or(&entry.label)))
    }));
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
        if let Some(limits) = limits(task) {
            let mut cells = vec![Cell::new(""), Cell::new(LIMIT_LABEL)];
            cells.extend(limits.iter().map(right));
            figures.add_row(cells);
        }
    }
    out.push_str(&figures.to_string());
    out.push('\n');
    for task in &result.tasks {
        for (curve, letter) in task.curves.iter().zip(&letters).filter(|(curve, _)| !curve.is_empty()) {
            let rates: Vec<f64> = curve.iter().map(|point| point.decode_tps).collect();
            let end = curve.last().map_or(0.0, |point| point.at_s);
            let _ = writeln!(
                out,
                "{letter}, {}: {} (tok/s over {})",
                printable(&task.title),
                sparkline(&rates),
                seconds(end)
            );
        }
    }
    for task in &result.tasks {
        for (cell, letter) in task.cells.iter().zip(&letters) {
            notes(&mut out, cell, letter, &task.title);
        }
    }
    for left_out in &result.run.spec.left_out {
        let _ = writeln!(
            out,
            "{} was not tried: {}",
            printable(&left_out.variant),
            printable(&left_out.reason.to_string())
        );
    }
    for reason in &result.run.spec.reasons {
        let _ = writeln!(out, "Settings: {}", reason_says(reason));
    }
    for note in limit_notes(result) {
        let _ = writeln!(out, "{}", printable(&note));
    }
    for remark in remarks(result) {
        let _ = writeln!(out, "\n{}", printable(&remark));
    }
    let _ = writeln!(out, "\nRun {} · median [95 % interval]", crate::commands::short(result.run.id));
    text(&out);
}

/// Values as blocks from nothing to the largest, at most 60 of them.
fn sparkline(values: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let parts = values.chunks(values.len().div_ceil(60).max(1)).map(mean);
    // An index from 0 to 7: the casts cannot go wrong.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
    parts.map(|value| BLOCKS[(value / most * 7.0).round().clamp(0.0, 7.0) as usize]).collect()
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

/// How this device is tuned, and what that rests on.
pub(crate) fn tuning(state: &TuningState) {
    let automatic = if state.automatic {
        "A device that is not tuned is, before its first run."
    } else {
        "Runs are not preceded by a tuning (`pocketbench tune --automatic true` changes that)."
    };
    let Some(tuning) = &state.tuning else {
        note(&format!("This device is not tuned. {automatic}"));
        return;
    };
    let mut out = format!(
        "Tuned {} with {}, {} on {} cores\n",
        tuning.tuned_at.format("%Y-%m-%d %H:%M UTC"),
        printable(&tuning.model),
        tuning.place.cpu_variant,
        tuning.place.logical_cores,
    );
    for step in &tuning.steps {
        let _ = writeln!(out, "\n{}", tuning_step(step));
    }
    let chosen = &tuning.chosen;
    let _ = writeln!(
        out,
        "\nRuns use {} for decode, {} for prefill, a micro-batch of {} and flash attention {}.",
        threads(chosen.n_threads),
        threads(chosen.n_threads_batch),
        chosen.n_ubatch,
        wire_name(&chosen.flash_attention),
    );
    if tuning.disturbed {
        out.push_str("Other programs or heat disturbed the tuning: do it again when the machine is quiet.\n");
    }
    text(&out);
}

fn tuning_step(step: &TuningStep) -> String {
    let title = match step.axis {
        TuningAxis::Threads => "Threads for decode",
        TuningAxis::PrefillThreads => "Threads for prefill",
        TuningAxis::MicroBatch => "Micro-batch",
        TuningAxis::FlashAttention => "Flash attention",
        TuningAxis::Repack => "Repacked weights",
        TuningAxis::KvType => "KV cache",
    };
    let mut rows = table();
    let works = step.candidates.iter().map(|candidate| &candidate.figures).max_by_key(|figures| figures.len());
    let mut heads = vec![title.to_owned()];
    for figure in works.into_iter().flatten() {
        let depth = if figure.work.n_depth > 0 { format!(" at {}", figure.work.n_depth) } else { String::new() };
        let work = if figure.work.n_gen > 0 { "Decode" } else { "Prefill" };
        heads.push(format!("{work}{depth}, tok/s"));
    }
    let figures = heads.len() - 1;
    heads.extend(["Fastest is", "Peak memory", ""].map(str::to_owned));
    rows.set_header(heads.iter().map(|head| Cell::new(head).add_attribute(Attribute::Bold)));
    for (place, candidate) in (0..).zip(&step.candidates) {
        rows.add_row(tuning_row(step, candidate, figures, place == step.chosen));
    }
    let run = crate::commands::short(step.run_id);
    format!("{rows}\n  Evidence: pocketbench runs {run}")
}

fn tuning_row(step: &TuningStep, candidate: &TuningCandidate, figures: usize, chosen: bool) -> Vec<Cell> {
    let mut row = vec![Cell::new(printable(&candidate.label))];
    for place in 0..figures {
        let rate = candidate.figures.get(place).map(|figure| &figure.rate);
        row.push(right(figure(Metric::SyntheticTps, rate)));
    }
    let behind = candidate.behind.filter(|ratio| ratio.value > 1.0);
    let behind = behind.map(|ratio| {
        let real = if candidate.beaten { "" } else { ", no real difference" };
        format!("{:.2} × [{:.2}, {:.2}]{real}", ratio.value, ratio.interval.low, ratio.interval.high)
    });
    row.push(Cell::new(behind.unwrap_or_else(|| "–".to_owned())));
    row.push(right(candidate.peak_rss_bytes.map_or_else(|| "–".to_owned(), |b| bytes(b as f64))));
    let why = match step.reason {
        _ if !chosen => candidate.failure.as_ref().map(|failure| printable(&failure.message)).unwrap_or_default(),
        TuningReason::Fastest => "chosen: the fastest".to_owned(),
        TuningReason::NoneReallyFaster => "chosen: the first that none really beats".to_owned(),
        TuningReason::DefaultStays => "stays".to_owned(),
    };
    row.push(Cell::new(why));
    row
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

/// Published figures and what can be said about them.
pub(crate) fn claims(reports: &[ClaimsReport]) {
    let mut out = String::new();
    for report in reports {
        let set = &report.set;
        let device = &set.device;
        let _ = writeln!(
            out,
            "{}\nClaimed, not measured. {}, {}.\nDevice stated: {}, {}, {} of memory, {}, {}",
            printable(&set.title),
            printable(&set.source.publication),
            printable(&set.source.published),
            printable(&device.name),
            printable(&device.chip),
            bytes(device.ram_bytes as f64),
            printable(&device.os),
            printable(&device.precision),
        );
        if let Some(bandwidth) = &device.bandwidth {
            let how = match bandwidth.certainty {
                BandwidthCertainty::Measured => "measured on such a device",
                BandwidthCertainty::SpecificationPeak => "the peak of its specification",
            };
            let _ = writeln!(out, "Its memory gives {}/s: {how}", bytes(bandwidth.bytes_per_s));
        }
        let _ = writeln!(out, "\n{}\n", published(set));
        let _ = writeln!(out, "Checked without measuring:");
        for checked in &report.findings {
            let stands = wire_name(&checked.standing);
            let _ = writeln!(out, "  {stands:<8} {}", printable(&checked.sentence));
        }
        out.push('\n');
        match &report.here {
            None => out.push_str("This device: – (its memory bandwidth is not known yet)\n"),
            Some(here) => {
                let _ = writeln!(out, "This device: {}.", memory_gives(&here.bandwidth));
                for limit in &here.limits {
                    let _ = writeln!(
                        out,
                        "  {}: a token reads {}, so at most {} tok/s",
                        printable(claimed_name(set, &limit.model)),
                        bytes(limit.bytes_per_token as f64),
                        significant(limit.limit_tps, None, 3)
                    );
                }
            }
        }
    }
    text(&out);
}

fn claimed_name<'a>(set: &'a ClaimSet, id: &'a str) -> &'a str {
    set.models.iter().find(|model| model.id == id).map_or(id, |model| &model.name)
}

/// The figures of a publication as it states them, one a line.
fn published(set: &ClaimSet) -> Table {
    let mut list = table();
    let mut titles = vec!["Claimed", "Of"];
    titles.extend(set.models.iter().map(|model| model.name.as_str()));
    list.set_header(titles.iter().map(|title| Cell::new(printable(title)).add_attribute(Attribute::Bold)));
    let mut seen = Vec::new();
    for claim in &set.claims {
        if seen.contains(&(claim.metric, claim.task)) {
            continue;
        }
        seen.push((claim.metric, claim.task));
        let mut cells = vec![
            Cell::new(claim.metric.label()),
            Cell::new(claim.task.map_or_else(String::new, |task| wire_name(&task).replace('_', " "))),
        ];
        for model in &set.models {
            let same =
                |other: &&Claim| other.model == model.id && (other.metric, other.task) == (claim.metric, claim.task);
            let stated = set.claims.iter().find(same);
            cells.push(right(
                stated.map_or_else(|| "–".to_owned(), |claim| format!("{} {}", claim.value, wire_name(&claim.unit))),
            ));
        }
        list.add_row(cells);
    }
    list
}

/// The machine, and how fast it reads its memory.
pub(crate) fn device(device: &DeviceProfile, bandwidth: Option<&MeasuredBandwidth>) {
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
        (
            "Memory bandwidth",
            bandwidth.map_or_else(|| "– (not known; measure it with --bandwidth)".to_owned(), memory_gives),
        ),
        ("Caches", size(device.cache_bytes)),
        ("Swap", bytes(device.swap_bytes as f64)),
        ("Free storage", size(device.storage_free_bytes)),
        ("Battery", battery),
        ("Virtual machine", device.virtual_machine.map_or_else(unknown, |vm| if vm { "yes" } else { "no" }.to_owned())),
    ] {
        facts.add_row([label.to_owned(), printable(&value)]);
    }
    text(&format!("{facts}\n"));
}

pub(crate) fn head(titles: &[&str]) -> Vec<Cell> {
    titles.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)).collect()
}

pub(crate) fn right(text: impl Into<String>) -> Cell {
    Cell::new(text.into()).set_alignment(CellAlignment::Right)
}

fn class(fit: Option<&Fit>) -> String {
    fit.map_or_else(|| "–".to_owned(), |fit| wire_name(&fit.class).replace('_', " "))
}

fn speed(speed: Option<&SpeedForecast>) -> String {
    speed.map_or_else(|| "–".to_owned(), |s| format!("{:.0} ({:.0}–{:.0})", s.tokens_per_s, s.low, s.high))
}

/// The providers that are set up.
pub(crate) fn providers(providers: &[ProviderEntry]) {
    if providers.is_empty() {
        note("No providers yet. Set one up with: pocketbench providers add PRESET");
        return;
    }
    let mut list = table();
    list.set_header(head(&["Id", "Name", "Address", "Model", "Key", "Checked"]));
    for entry in providers {
        let provider = &entry.provider;
        let checked =
            provider.checked.as_ref().map_or("–".to_owned(), |checked| checked.at.format("%F %R").to_string());
        list.add_row([
            Cell::new(&provider.id),
            Cell::new(printable(&provider.title)),
            Cell::new(printable(&provider.base_url)),
            Cell::new(printable(provider.model.as_deref().unwrap_or("–"))),
            Cell::new(key_state(entry.key)),
            Cell::new(checked),
        ]);
    }
    text(&format!("{list}\n"));
}

/// The providers that are known.
pub(crate) fn provider_presets(presets: &[ProviderPreset]) {
    let mut list = table();
    list.set_header(head(&["Preset", "Name", "Address", "Key", "Documents"]));
    for preset in presets {
        list.add_row([
            preset.id.as_str(),
            &preset.title,
            preset.base_url.as_deref().unwrap_or("yours"),
            if preset.needs_key { "needed" } else { "if it asks for one" },
            preset.docs.as_deref().unwrap_or("–"),
        ]);
    }
    text(&format!("{list}\n"));
}

/// What a check found.
pub(crate) fn checked(entry: &ProviderEntry) {
    let Some(checked) = &entry.provider.checked else { return };
    let key = match checked.key {
        KeyCheck::None => "No key was sent, and none was asked for.",
        KeyCheck::Accepted => "The key is accepted.",
        KeyCheck::NotTested => {
            "It lists its models without a key, too: the first message will tell whether the key is good."
        }
    };
    note(&format!(
        "{} answers, with {} models, in {} ms. {key}",
        printable(&entry.provider.title),
        checked.models.len(),
        checked.took_ns / 1_000_000
    ));
    for model in &checked.models {
        text(&format!("{}\n", printable(model)));
    }
}

/// Prices with their dates and sources.
pub(crate) fn prices(prices: &[Price]) {
    let mut list = table();
    list.set_header(head(&["Provider", "Model", "Currency", "Input/M", "Output/M", "Cached/M", "As of", "Source"]));
    for price in prices {
        list.add_row([
            Cell::new(printable(&price.provider)),
            Cell::new(printable(&price.model)),
            Cell::new(printable(&price.currency)),
            right(price.input.to_string()),
            right(price.output.to_string()),
            right(price.cached_input.map_or("–".to_owned(), |price| price.to_string())),
            Cell::new(price.as_of.to_string()),
            Cell::new(printable(&price.source)),
        ]);
    }
    text(&format!("{list}\n"));
}

/// Where a provider's key is kept.
pub(crate) fn provider_key(entry: &ProviderEntry) {
    note(&match entry.key {
        TokenState::None => {
            format!(
                "There is no key. Give it on standard input: pocketbench providers key {} < FILE",
                entry.provider.id
            )
        }
        state => format!("The key is kept in {}.", key_state(state)),
    });
}

fn key_state(state: TokenState) -> &'static str {
    match state {
        TokenState::None => "–",
        TokenState::KeyStore => "the key store",
        TokenState::EncryptedFile => "an encrypted file",
    }
}

/// The models that are here.
pub(crate) fn models(models: &[ModelEntry]) {
    if models.is_empty() {
        note("No models yet. Find one with: pocketbench models search --fits");
        return;
    }
    let mut list = table();
    list.set_header(head(&["Model", "Quantization", "Size", "Fit", "Runs", "File"]));
    for entry in models {
        let header = entry.model.as_ref().map(|model| &model.header);
        let fit = match &entry.problem {
            Some(problem) => wire_name(&problem.code),
            None if header.is_none() => "being checked".to_owned(),
            None => class(entry.fit.as_ref()),
        };
        list.add_row([
            Cell::new(printable(entry.title.as_deref().unwrap_or("–"))),
            Cell::new(header.map_or("–", |header| header.quantization.as_str())),
            right(bytes(entry.file_bytes as f64)),
            Cell::new(fit),
            right(entry.runs.to_string()),
            Cell::new(printable(if entry.reference { &entry.path } else { &entry.file_name })),
        ]);
    }
    text(&format!("{list}\n"));
}

/// Everything known of a model that is here.
pub(crate) fn model(entry: &ModelEntry) {
    let mut facts = table();
    let mut fact = |label: &str, value: String| {
        facts.add_row([label.to_owned(), printable(&value)]);
    };
    fact("Model", entry.title.clone().unwrap_or_else(|| "–".to_owned()));
    fact("File", entry.path.clone());
    fact("Size", bytes(entry.file_bytes as f64));
    if let Some(model) = &entry.model {
        fact("SHA-256", model.sha256.clone());
        fact("Quantization", model.header.quantization.clone());
        fact("Architecture", model.header.architecture.clone());
        fact("Parameters", model.header.n_params.to_string());
        fact("Context", format!("{} tokens", model.header.n_ctx_train));
        fact("Licence", model.header.license.clone().unwrap_or_else(|| "– (the file does not say)".to_owned()));
    }
    fact("Fit", class(entry.fit.as_ref()));
    fact("Runs", entry.runs.to_string());
    if let Some(problem) = &entry.problem {
        fact("Problem", problem.to_string());
    }
    text(&format!("{facts}\n"));
}

/// Models that can be fetched.
pub(crate) fn catalogue(entries: &[CatalogueEntry]) {
    if entries.is_empty() {
        note("Nothing found. Any repository can be added: pocketbench models add owner/name");
        return;
    }
    let mut list = table();
    list.set_header(head(&["Id", "Name", "Recommended", "Size", "Fit", "tok/s", "Licence"]));
    for entry in entries {
        let place = entry.recommended.map_or(0, |place| place as usize);
        let file = entry.files.get(place);
        list.add_row([
            Cell::new(printable(&entry.model.id)),
            Cell::new(printable(&entry.model.name)),
            Cell::new(entry.model.files.get(place).map_or("–", |file| file.quantization.as_str())),
            right(file.map_or_else(|| "–".to_owned(), |file| size(file.bytes, file.bytes_estimated))),
            Cell::new(class(file.and_then(|file| file.fit.as_ref()))),
            right(speed(file.and_then(|file| file.speed.as_ref()))),
            Cell::new(printable(&entry.model.license.id)),
        ]);
    }
    text(&format!("{list}\n"));
}

fn size(value: Option<u64>, estimated: bool) -> String {
    match value {
        Some(value) if estimated => format!("≈ {}", bytes(value as f64)),
        Some(value) => bytes(value as f64),
        None => "–".to_owned(),
    }
}

/// Everything known of a model that can be fetched.
pub(crate) fn entry(entry: &CatalogueEntry) {
    let model = &entry.model;
    text(&format!(
        "{} · {} · {}\n{}\nLicence: {}{}\nRepository: {}\n\n",
        printable(&model.name),
        printable(&model.publisher),
        printable(&model.id),
        printable(&model.summary),
        printable(&model.license.name),
        if model.license.must_accept { ", which has to be accepted" } else { "" },
        printable(&model.repository),
    ));
    let mut list = table();
    list.set_header(head(&["Quantization", "Size", "Fit", "tok/s", "Here", "SHA-256"]));
    for (file, state) in model.files.iter().zip(&entry.files) {
        list.add_row([
            Cell::new(printable(&file.quantization)),
            right(size(state.bytes, state.bytes_estimated)),
            Cell::new(class(state.fit.as_ref())),
            right(speed(state.speed.as_ref())),
            Cell::new(if state.installed.is_some() { "yes" } else { "" }),
            Cell::new(state.sha256.as_deref().unwrap_or("–")),
        ]);
    }
    text(&format!("{list}\n"));
}

/// Whether a model fits.
pub(crate) fn fit(report: &FitReport) {
    let mut list = table();
    let types = report.kv_types.iter().map(|kv_type| format!("KV {}", kv_type.name()));
    list.set_header(
        std::iter::once("Context".to_owned()).chain(types).map(|t| Cell::new(t).add_attribute(Attribute::Bold)),
    );
    for row in &report.rows {
        let fits =
            row.fits.iter().map(|fit| right(format!("{}  {}", bytes(fit.predicted_bytes as f64), class(Some(fit)))));
        list.add_row(std::iter::once(right(row.n_ctx.to_string())).chain(fits));
    }
    let available = report.rows.first().and_then(|row| row.fits.first()).map_or(0, |fit| fit.available_bytes);
    let mut out = format!(
        "{} · {} of memory are available now\n\n{list}\n\n",
        printable(&report.header.name),
        bytes(available as f64)
    );
    let _ = writeln!(out, "Speed to expect: {} tok/s", speed(report.speed.as_ref()));
    for advice in &report.advice {
        let _ = writeln!(out, "It would help: {}", advises(advice));
    }
    if report.fetched_bytes > 0 {
        let _ = writeln!(out, "{} were fetched to know this.", bytes(report.fetched_bytes as f64));
    }
    text(&out);
}

fn advises(advice: &FitAdvice) -> String {
    match advice {
        FitAdvice::ShorterContext { n_ctx } => format!("a context of {n_ctx} tokens"),
        FitAdvice::SmallerKv { kv_type, n_ctx } => format!("a KV cache in {}, with {n_ctx} tokens", kv_type.name()),
        FitAdvice::NoRepacking { saved_bytes } => {
            format!("no repacking of weights: {} less, and slower prefill", bytes(*saved_bytes as f64))
        }
        FitAdvice::FreeMemory { missing_bytes } => {
            format!("closing other programs that hold {}", bytes(*missing_bytes as f64))
        }
        FitAdvice::SmallerFile { quantization, bytes: size } => {
            format!("the file in {} with {}", printable(quantization), bytes(*size as f64))
        }
    }
}

/// Models of other tools.
pub(crate) fn found(models: &[FoundModel]) {
    if models.is_empty() {
        note("No models of other tools were found.");
        return;
    }
    let mut list = table();
    list.set_header(head(&["Tool", "Name", "Size", "File"]));
    for found in models {
        let path = format!("{}{}", found.path, if found.added { "  (added)" } else { "" });
        list.add_row([
            Cell::new(&found.tool),
            Cell::new(printable(&found.name)),
            right(bytes(found.file_bytes as f64)),
            Cell::new(printable(&path)),
        ]);
    }
    text(&format!("{list}\n"));
}

/// What is lost by deleting.
pub(crate) fn delete_preview(preview: &DeletePreview) {
    if preview.files.is_empty() {
        note(&format!("{} will be forgotten; the file stays.", printable(&preview.path)));
    }
    for file in &preview.files {
        note(&format!("{} will be deleted.", printable(file)));
    }
    if preview.freed_bytes > 0 {
        note(&format!("{} become free.", bytes(preview.freed_bytes as f64)));
    }
    if !preview.runs.is_empty() {
        note(&format!("{} runs used it. They can still be read, but not be resumed.", preview.runs.len()));
    }
}

/// Where the token is kept.
pub(crate) fn token(state: TokenState) {
    note(match state {
        TokenState::None => "There is no token. Give it on standard input: pocketbench models token < FILE",
        TokenState::KeyStore => "The token is kept in the system's key store.",
        TokenState::EncryptedFile => {
            "The token is kept in an encrypted file of this account: the system has no key store that can be used."
        }
    });
}
