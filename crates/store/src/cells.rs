//! Cells.

use crate::codec::{count, get_id, get_json_opt, get_name, json, name};
use crate::{Store, StoreError};
use pocketbench_domain::ErrorReport;
use pocketbench_domain::run::{Cell, CellId, CellState, RunId, RunRecord};
use sqlx::{Row, SqliteConnection};

pub(crate) const BY_RUN: &str =
    "SELECT id, slot, task_id, state, failure FROM cells WHERE run_id = ? ORDER BY position";

/// Stores the cells of a new run; each must be of an entry and a task of it.
pub(crate) async fn insert_all(
    connection: &mut SqliteConnection,
    run: &RunRecord,
    cells: &[Cell],
) -> Result<(), StoreError> {
    for (position, cell) in cells.iter().enumerate() {
        let entry = run.spec.entries.get(cell.slot as usize);
        let (Some(entry), Some(task), true) = (entry, run.spec.task(&cell.task_id), cell.run_id == run.id) else {
            return Err(StoreError::Rejected(format!(
                "cell {} (slot {}, task `{}`) is not of run {}",
                cell.id, cell.slot, cell.task_id, run.id
            )));
        };
        sqlx::query(
            "INSERT INTO cells (id, run_id, position, slot, task_id, category, model_sha256, state, failure)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(cell.id.0)
        .bind(cell.run_id.0)
        .bind(count(position as u64)?)
        .bind(cell.slot)
        .bind(&cell.task_id)
        .bind(name(&task.category)?)
        .bind(&entry.model.sha256)
        .bind(name(&cell.state)?)
        .bind(cell.failure.as_ref().map(json).transpose()?)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

impl Store {
    /// The cells of a run in the order in which it was planned.
    pub async fn cells(&self, run: RunId) -> Result<Vec<Cell>, StoreError> {
        let rows = sqlx::query(BY_RUN).bind(run.0).fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                Ok(Cell {
                    id: CellId(get_id(row, "id")?),
                    run_id: run,
                    slot: row.try_get("slot")?,
                    task_id: row.try_get("task_id")?,
                    state: get_name(row, "state")?,
                    failure: get_json_opt(row, "failure")?,
                })
            })
            .collect()
    }

    /// Notes where a cell stands, and why it failed.
    pub async fn set_cell_state(
        &self,
        cell: CellId,
        state: CellState,
        failure: Option<&ErrorReport>,
    ) -> Result<(), StoreError> {
        let result = sqlx::query("UPDATE cells SET state = ?, failure = ? WHERE id = ?")
            .bind(name(&state)?)
            .bind(failure.map(json).transpose()?)
            .bind(cell.0)
            .execute(&self.writer)
            .await?;
        if result.rows_affected() == 0 {
            return Err(StoreError::NotFound { what: "cell", key: cell.to_string() });
        }
        Ok(())
    }
}
