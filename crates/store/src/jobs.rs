//! Jobs.

use crate::codec::{get_id, get_json, get_json_opt, get_name, get_time, json, name, parse, time};
use crate::{Store, StoreError};
use chrono::{DateTime, Utc};
use pocketbench_domain::job::{Job, JobId, JobKind};
use pocketbench_domain::run::RunId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// Lines of log that are kept of a job.
pub const LOG_TAIL_LINES: usize = 50;

/// Longer lines are cut: the tail is for reading, and an engine can log whole prompts.
const LOG_LINE_CHARS: usize = 2_000;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, kind, state, run_id, created_at_ns, updated_at_ns, title, progress, error, log_tail, work FROM jobs ",
            $condition
        )
    };
}

pub(crate) const LIST: &str = select!("ORDER BY created_at_ns DESC, id DESC LIMIT ?");
pub(crate) const BY_ID: &str = select!("WHERE id = ?");
pub(crate) const WITH_WORK: &str =
    select!("WHERE kind = ? AND work IS NOT NULL ORDER BY created_at_ns DESC, id DESC LIMIT ?");
pub(crate) const INTERRUPT: &str = "UPDATE jobs SET state = 'interrupted', updated_at_ns = ?
     WHERE state IN ('queued', 'running') RETURNING id";

fn read(row: &SqliteRow) -> Result<Job, StoreError> {
    Ok(Job {
        id: JobId(get_id(row, "id")?),
        kind: get_name(row, "kind")?,
        state: get_name(row, "state")?,
        title: row.try_get("title")?,
        progress: get_json(row, "progress")?,
        run_id: row.try_get::<Option<uuid::Uuid>, _>("run_id")?.map(RunId),
        error: get_json_opt(row, "error")?,
        log_tail: get_json(row, "log_tail")?,
        created_at: get_time(row, "created_at_ns")?,
        updated_at: get_time(row, "updated_at_ns")?,
    })
}

fn tail(lines: &[String]) -> Vec<String> {
    let from = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines[from..].iter().map(|line| line.chars().take(LOG_LINE_CHARS).collect()).collect()
}

fn missing(id: JobId) -> StoreError {
    StoreError::NotFound { what: "job", key: id.to_string() }
}

impl Store {
    /// Stores a new job.
    pub async fn insert_job(&self, job: &Job) -> Result<(), StoreError> {
        self.insert_job_row(job, None).await
    }

    /// Stores a new job together with what it needs to be resumed.
    pub async fn insert_job_with<W: Serialize + Sync>(&self, job: &Job, work: &W) -> Result<(), StoreError> {
        self.insert_job_row(job, Some(json(work)?)).await
    }

    /// What a job needs to be resumed. [`StoreError::NotFound`] if it carries nothing.
    pub async fn job_work<W: DeserializeOwned>(&self, id: JobId) -> Result<W, StoreError> {
        let work: Option<Option<String>> =
            sqlx::query_scalar("SELECT work FROM jobs WHERE id = ?").bind(id.0).fetch_optional(&self.readers).await?;
        parse(&work.flatten().ok_or_else(|| missing(id))?, "work")
    }

    /// The latest jobs of a kind that carry something, newest first, with what they carry. What this version cannot read is
    /// left out.
    pub async fn jobs_with_work<W: DeserializeOwned>(
        &self,
        kind: JobKind,
        limit: u32,
    ) -> Result<Vec<(Job, W)>, StoreError> {
        let rows = sqlx::query(WITH_WORK).bind(name(&kind)?).bind(limit).fetch_all(&self.readers).await?;
        let mut jobs = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Ok(work) = get_json(row, "work") {
                jobs.push((read(row)?, work));
            }
        }
        Ok(jobs)
    }

    async fn insert_job_row(&self, job: &Job, work: Option<String>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO jobs (id, kind, state, run_id, created_at_ns, updated_at_ns, title, progress, error, log_tail,
                 work)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(job.id.0)
        .bind(name(&job.kind)?)
        .bind(name(&job.state)?)
        .bind(job.run_id.map(|id| id.0))
        .bind(time(job.created_at)?)
        .bind(time(job.updated_at)?)
        .bind(&job.title)
        .bind(json(&job.progress)?)
        .bind(job.error.as_ref().map(json).transpose()?)
        .bind(json(&tail(&job.log_tail))?)
        .bind(work)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Stores what changes while a job lives: state, run, time of change, title, progress and error. Not its log, which
    /// [`append_log`](Self::append_log) alone writes, so that an older copy of the job cannot undo it.
    pub async fn update_job(&self, job: &Job) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE jobs SET state = ?, run_id = ?, updated_at_ns = ?, title = ?, progress = ?, error = ? WHERE id = ?",
        )
        .bind(name(&job.state)?)
        .bind(job.run_id.map(|id| id.0))
        .bind(time(job.updated_at)?)
        .bind(&job.title)
        .bind(json(&job.progress)?)
        .bind(job.error.as_ref().map(json).transpose()?)
        .bind(job.id.0)
        .execute(&self.writer)
        .await?;
        if result.rows_affected() == 0 { Err(missing(job.id)) } else { Ok(()) }
    }

    /// One job.
    pub async fn job(&self, id: JobId) -> Result<Job, StoreError> {
        let row = sqlx::query(BY_ID).bind(id.0).fetch_optional(&self.readers).await?.ok_or_else(|| missing(id))?;
        read(&row)
    }

    /// The latest jobs, newest first.
    pub async fn jobs(&self, limit: u32) -> Result<Vec<Job>, StoreError> {
        let rows = sqlx::query(LIST).bind(limit).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// Adds lines to a job's log; the last [`LOG_TAIL_LINES`] are kept.
    pub async fn append_log(&self, id: JobId, lines: &[String], now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let stored: Option<String> = sqlx::query_scalar("SELECT log_tail FROM jobs WHERE id = ?")
            .bind(id.0)
            .fetch_optional(&mut *transaction)
            .await?;
        let mut log: Vec<String> = parse(&stored.ok_or_else(|| missing(id))?, "log_tail")?;
        log.extend_from_slice(lines);
        sqlx::query("UPDATE jobs SET log_tail = ?, updated_at_ns = max(updated_at_ns, ?) WHERE id = ?")
            .bind(json(&tail(&log))?)
            .bind(time(now)?)
            .bind(id.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Marks every job that waits or works as interrupted and says which. Called once after opening, when none of them can
    /// be alive any more. What a person paused stays paused.
    ///
    pub async fn mark_interrupted(&self, now: DateTime<Utc>) -> Result<Vec<JobId>, StoreError> {
        let rows = sqlx::query(INTERRUPT).bind(time(now)?).fetch_all(&self.writer).await?;
        rows.iter().map(|row| Ok(JobId(get_id(row, "id")?))).collect()
    }
}
