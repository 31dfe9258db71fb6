//! Samples: written once, never changed.

use crate::codec::{count, get_id, get_json, get_json_opt, get_time, json, time, times, times_blob};
use crate::{Store, StoreError};
use futures::TryStreamExt;
use pocketbench_domain::conditions::Reading;
use pocketbench_domain::run::{CellId, Measured, RunId, Sample, SampleId, SessionId};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::HashMap;

/// How many repetitions of a cell are stored; what a resumed run goes on from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SampleCount {
    /// Warm-up repetitions.
    pub warmup: u32,
    /// Repetitions that count.
    pub counted: u32,
}

/// How long one repetition of a task took before.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskTime {
    /// The task.
    pub task_id: String,
    /// Median time of a repetition in seconds.
    pub seconds: f64,
    /// Repetitions that this stands on.
    pub samples: u32,
}

pub(crate) const BY_RUN: &str =
    "SELECT s.id, s.cell_id, s.session_id, s.warmup, s.repetition, s.started_at_ns, s.memory,
         s.machine, s.conditions, s.measured, s.token_at_ns
     FROM cells AS c JOIN samples AS s ON s.cell_id = c.id
     WHERE c.run_id = ? ORDER BY c.position, s.warmup DESC, s.repetition";

pub(crate) const READINGS: &str = "SELECT r.sample_id, r.readings
     FROM cells AS c JOIN samples AS s ON s.cell_id = c.id JOIN readings AS r ON r.sample_id = s.id
     WHERE c.run_id = ?";

pub(crate) const COUNTS: &str = "SELECT c.id, sum(s.warmup) AS warmup, sum(NOT s.warmup) AS counted
     FROM cells AS c JOIN samples AS s ON s.cell_id = c.id
     WHERE c.run_id = ? GROUP BY c.id";

/// The median of an even number is the mean of the two in the middle.
pub(crate) const TYPICAL: &str = "WITH ranked AS (
         SELECT c.task_id, s.elapsed_ns, count(*) OVER (PARTITION BY c.task_id) AS n,
             row_number() OVER (PARTITION BY c.task_id ORDER BY s.elapsed_ns) AS rank
         FROM cells AS c JOIN runs AS r ON r.id = c.run_id JOIN samples AS s ON s.cell_id = c.id
         WHERE c.model_sha256 = ? AND r.suite_id = ? AND r.suite_version = ? AND r.device_fingerprint = ?
             AND s.warmup = 0
     )
     SELECT task_id, avg(elapsed_ns) / 1e9 AS seconds, n FROM ranked
     WHERE rank IN ((n + 1) / 2, (n + 2) / 2) GROUP BY task_id ORDER BY task_id";

/// Wall time of a repetition, as far as the sample knows it.
fn elapsed_ns(measured: &Measured) -> u64 {
    match measured {
        Measured::Load(load) => load.first_token_ns,
        Measured::Generation(generation) => generation.end_at_ns,
        Measured::Batch(batch) => batch.wall_ns.saturating_add(batch.in_turn.map_or(0, |in_turn| in_turn.wall_ns)),
        Measured::Synthetic(synthetic) => synthetic.elapsed_ns,
        Measured::Round(round) => round.generation.end_at_ns,
    }
}

fn kind(measured: &Measured) -> &'static str {
    match measured {
        Measured::Load(_) => "load",
        Measured::Generation(_) => "generation",
        Measured::Batch(_) => "batch",
        Measured::Synthetic(_) => "synthetic",
        Measured::Round(_) => "round",
    }
}

/// The measured document without its token times, and those apart. A thousand tokens are 8 kB so, and not 12 kB of text
/// that must be parsed.
fn split(measured: &Measured) -> Result<(String, Option<Vec<u8>>), StoreError> {
    let mut rest = measured.clone();
    let at = rest.generation_mut().map(|generation| std::mem::take(&mut generation.token_at_ns));
    Ok((json(&rest)?, at.as_deref().map(times_blob)))
}

fn read(row: &SqliteRow) -> Result<Sample, StoreError> {
    let mut measured: Measured = get_json(row, "measured")?;
    if let Some(generation) = measured.generation_mut() {
        generation.token_at_ns = times(row.try_get("token_at_ns")?);
    }
    Ok(Sample {
        id: SampleId(get_id(row, "id")?),
        cell_id: CellId(get_id(row, "cell_id")?),
        session_id: SessionId(get_id(row, "session_id")?),
        repetition: row.try_get("repetition")?,
        warmup: row.try_get("warmup")?,
        started_at: get_time(row, "started_at_ns")?,
        measured,
        memory: get_json(row, "memory")?,
        machine: get_json(row, "machine")?,
        conditions: get_json_opt(row, "conditions")?,
    })
}

impl Store {
    /// Stores a sample with the sensors' readings beside it. Both are on disk when this returns.
    ///
    /// A second sample of the same cell, repetition and warm-up is a [`StoreError::Conflict`]: the first one stands.
    pub async fn insert_sample(&self, sample: &Sample, readings: &[Reading]) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let (measured, token_at_ns) = split(&sample.measured)?;
        sqlx::query(
            "INSERT INTO samples (id, cell_id, session_id, warmup, repetition, elapsed_ns, started_at_ns, kind, memory,
                 machine, conditions, measured, token_at_ns)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(sample.id.0)
        .bind(sample.cell_id.0)
        .bind(sample.session_id.0)
        .bind(sample.warmup)
        .bind(sample.repetition)
        .bind(count(elapsed_ns(&sample.measured))?)
        .bind(time(sample.started_at)?)
        .bind(kind(&sample.measured))
        .bind(json(&sample.memory)?)
        .bind(json(&sample.machine)?)
        .bind(sample.conditions.as_ref().map(json).transpose()?)
        .bind(measured)
        .bind(token_at_ns)
        .execute(&mut *transaction)
        .await?;
        if !readings.is_empty() {
            sqlx::query("INSERT INTO readings (sample_id, readings) VALUES (?, ?)")
                .bind(sample.id.0)
                .bind(json(&readings)?)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Every sample of a run: by cell as planned, warm-up first, then by repetition.
    pub async fn samples(&self, run: RunId) -> Result<Vec<Sample>, StoreError> {
        let mut rows = sqlx::query(BY_RUN).bind(run.0).fetch(&self.readers);
        let mut samples = Vec::new();
        while let Some(row) = rows.try_next().await? {
            samples.push(read(&row)?);
        }
        Ok(samples)
    }

    /// What the sensors said beside each sample of a run, for those that have any.
    pub async fn readings(&self, run: RunId) -> Result<HashMap<SampleId, Vec<Reading>>, StoreError> {
        let rows = sqlx::query(READINGS).bind(run.0).fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok((SampleId(get_id(row, "sample_id")?), get_json(row, "readings")?))).collect()
    }

    /// How many repetitions of each cell of a run are stored. Cells without any are absent.
    pub async fn sample_counts(&self, run: RunId) -> Result<HashMap<CellId, SampleCount>, StoreError> {
        let rows = sqlx::query(COUNTS).bind(run.0).fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                let counts = SampleCount { warmup: row.try_get("warmup")?, counted: row.try_get("counted")? };
                Ok((CellId(get_id(row, "id")?), counts))
            })
            .collect()
    }

    /// How long each task of a suite took with this model on this device before, over all stored runs and settings.
    /// Warm-ups are left out, tasks never measured are absent.
    pub async fn typical_task_times(
        &self,
        model_sha256: &str,
        suite_id: &str,
        suite_version: u32,
        device_fingerprint: &str,
    ) -> Result<Vec<TaskTime>, StoreError> {
        let rows = sqlx::query(TYPICAL)
            .bind(model_sha256)
            .bind(suite_id)
            .bind(suite_version)
            .bind(device_fingerprint)
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(TaskTime {
                    task_id: row.try_get("task_id")?,
                    seconds: row.try_get("seconds")?,
                    samples: row.try_get("n")?,
                })
            })
            .collect()
    }
}
