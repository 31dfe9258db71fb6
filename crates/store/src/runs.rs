//! Runs.

use crate::codec::{get_id, get_json, get_name, get_time, json, time};
use crate::{Store, StoreError, cells, devices, models};
use chrono::{DateTime, Utc};
use pocketbench_domain::job::{JobId, JobState};
use pocketbench_domain::run::{Cell, RunEntry, RunId, RunRecord};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// A run in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummaryRow {
    /// Identity.
    pub id: RunId,
    /// The job that measures it.
    pub job_id: JobId,
    /// Where it stands: done once it is finished, else as its job, which may go on with other runs.
    pub state: JobState,
    /// Labels of its models, by slot.
    pub models: Vec<String>,
    /// Id of its suite.
    pub suite_id: String,
    /// Title of its suite.
    pub suite_title: String,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When it was finished.
    pub finished_at: Option<DateTime<Utc>>,
    /// Cells measured or failed.
    pub cells_finished: u32,
    /// All cells.
    pub cells_total: u32,
}

pub(crate) const LIST: &str =
    "SELECT r.id, r.job_id, r.suite_id, r.suite_title, r.model_labels, r.started_at_ns, r.finished_at_ns, j.state,
         (SELECT count(*) FROM cells AS c WHERE c.run_id = r.id AND c.state IN ('done', 'failed')) AS cells_finished,
         (SELECT count(*) FROM cells AS c WHERE c.run_id = r.id) AS cells_total
     FROM runs AS r JOIN jobs AS j ON j.id = r.job_id
     ORDER BY r.started_at_ns DESC, r.id DESC LIMIT ?";

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, job_id, started_at_ns, finished_at_ns, app_version, app_commit, device, spec FROM runs ",
            $condition
        )
    };
}

const BY_ID: &str = select!("WHERE id = ?");
pub(crate) const BY_JOB: &str = select!("WHERE job_id = ? ORDER BY started_at_ns, id");

fn read(row: &SqliteRow) -> Result<RunRecord, StoreError> {
    Ok(RunRecord {
        id: RunId(get_id(row, "id")?),
        job_id: JobId(get_id(row, "job_id")?),
        spec: get_json(row, "spec")?,
        device: get_json(row, "device")?,
        app_version: row.try_get("app_version")?,
        app_commit: row.try_get("app_commit")?,
        started_at: get_time(row, "started_at_ns")?,
        finished_at: finished_at(row)?,
    })
}

fn finished_at(row: &SqliteRow) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(row.try_get::<Option<i64>, _>("finished_at_ns")?.map(DateTime::from_timestamp_nanos))
}

fn missing(id: RunId) -> StoreError {
    StoreError::NotFound { what: "run", key: id.to_string() }
}

impl Store {
    /// Stores a run with its cells, and the device and models that it names, all or nothing. Its job must be stored
    /// before. Cells keep the order in which they are given.
    pub async fn create_run(&self, run: &RunRecord, cells: &[Cell]) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        devices::upsert(&mut transaction, &run.device, run.started_at).await?;
        for entry in &run.spec.entries {
            models::upsert(&mut transaction, &entry.model).await?;
        }
        let labels: Vec<String> = run.spec.entries.iter().map(RunEntry::label).collect();
        sqlx::query(
            "INSERT INTO runs (id, job_id, device_fingerprint, suite_id, suite_version, started_at_ns, finished_at_ns,
                 suite_title, model_labels, app_version, app_commit, device, spec)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(run.id.0)
        .bind(run.job_id.0)
        .bind(&run.device.fingerprint)
        .bind(&run.spec.suite.id)
        .bind(run.spec.suite.version)
        .bind(time(run.started_at)?)
        .bind(run.finished_at.map(time).transpose()?)
        .bind(&run.spec.suite.title)
        .bind(json(&labels)?)
        .bind(&run.app_version)
        .bind(&run.app_commit)
        .bind(json(&run.device)?)
        .bind(json(&run.spec)?)
        .execute(&mut *transaction)
        .await?;
        cells::insert_all(&mut transaction, run, cells).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// One run.
    pub async fn run(&self, id: RunId) -> Result<RunRecord, StoreError> {
        let row = sqlx::query(BY_ID).bind(id.0).fetch_optional(&self.readers).await?.ok_or_else(|| missing(id))?;
        read(&row)
    }

    /// The runs that a job measured, the first first.
    pub async fn runs_of_job(&self, job: JobId) -> Result<Vec<RunRecord>, StoreError> {
        let rows = sqlx::query(BY_JOB).bind(job.0).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// Changes the settings of a run before its first worker; later the schema refuses it. The labels and models stay.
    pub async fn settle_run(&self, run: &RunRecord) -> Result<(), StoreError> {
        let result = sqlx::query("UPDATE runs SET spec = ? WHERE id = ?")
            .bind(json(&run.spec)?)
            .bind(run.id.0)
            .execute(&self.writer)
            .await?;
        if result.rows_affected() == 0 { Err(missing(run.id)) } else { Ok(()) }
    }

    /// The latest runs, newest first.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunSummaryRow>, StoreError> {
        let rows = sqlx::query(LIST).bind(limit).fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                let finished_at = finished_at(row)?;
                let of_job = get_name(row, "state")?;
                Ok(RunSummaryRow {
                    id: RunId(get_id(row, "id")?),
                    job_id: JobId(get_id(row, "job_id")?),
                    state: finished_at.map_or(of_job, |_| JobState::Done),
                    models: get_json(row, "model_labels")?,
                    suite_id: row.try_get("suite_id")?,
                    suite_title: row.try_get("suite_title")?,
                    started_at: get_time(row, "started_at_ns")?,
                    finished_at,
                    cells_finished: row.try_get("cells_finished")?,
                    cells_total: row.try_get("cells_total")?,
                })
            })
            .collect()
    }

    /// Notes when the last cell was finished.
    pub async fn finish_run(&self, id: RunId, finished_at: DateTime<Utc>) -> Result<(), StoreError> {
        let result = sqlx::query("UPDATE runs SET finished_at_ns = ? WHERE id = ?")
            .bind(time(finished_at)?)
            .bind(id.0)
            .execute(&self.writer)
            .await?;
        if result.rows_affected() == 0 { Err(missing(id)) } else { Ok(()) }
    }

    /// Deletes a run with its sessions, cells and samples, and the job that measured it.
    pub async fn delete_run(&self, id: RunId) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let job: Option<uuid::Uuid> = sqlx::query_scalar("DELETE FROM runs WHERE id = ? RETURNING job_id")
            .bind(id.0)
            .fetch_optional(&mut *transaction)
            .await?;
        let job = job.ok_or_else(|| missing(id))?;
        sqlx::query("DELETE FROM jobs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE job_id = ?1)")
            .bind(job)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}
