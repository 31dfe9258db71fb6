//! Results: computed from stored samples whenever someone looks.

use crate::api::{Figure, RunSummary, SampleRow};
use crate::{App, Result};
use pocketbench_domain::compare::{CompareOptions, RunResult};
use pocketbench_domain::metric::Metric;
use pocketbench_domain::run::{Cell, Measured, Round, RunId, RunSpec, Sample};
use std::collections::HashMap;

/// Most runs in the list.
const LISTED: u32 = 500;

impl App {
    /// All runs, newest first.
    pub async fn runs(&self) -> Result<Vec<RunSummary>> {
        let rows = self.store().runs(LISTED).await?;
        Ok(rows
            .into_iter()
            .map(|row| RunSummary {
                id: row.id,
                job_id: row.job_id,
                state: row.state,
                models: row.models,
                suite: row.suite_title,
                started_at: row.started_at,
                finished_at: row.finished_at,
                cells_finished: row.cells_finished,
                cells_total: row.cells_total,
            })
            .collect())
    }

    /// A run's verdict, table and provenance.
    pub async fn result(&self, id: RunId) -> Result<RunResult> {
        let run = self.store().run(id).await?;
        let cells = self.store().cells(id).await?;
        let sessions = self.store().sessions(id).await?;
        let samples = self.store().samples(id).await?;
        let bandwidth = self.experience_of(&run.device).await?.bandwidth();
        let options = CompareOptions { bandwidth, ..self.0.config.compare };
        let mut result =
            crate::blocking(move || RunResult::compute(&run, &cells, &sessions, &samples, &options)).await?;
        for start in &mut result.cold_start {
            if let (Some(false), Some(entry)) = (start.met, result.entries.get(start.slot as usize)) {
                start.suggest(&self.other_files(&entry.model).await?);
            }
        }
        Ok(result)
    }

    /// A run's samples as they were stored.
    pub async fn raw_samples(&self, id: RunId) -> Result<Vec<Sample>> {
        Ok(self.store().samples(id).await?)
    }

    /// A run's samples with every figure that follows from them.
    pub async fn samples(&self, id: RunId) -> Result<Vec<SampleRow>> {
        let run = self.store().run(id).await?;
        let cells = self.store().cells(id).await?;
        let samples = self.store().samples(id).await?;
        Ok(rows(&run.spec, &cells, &samples))
    }
}

fn rows(spec: &RunSpec, cells: &[Cell], samples: &[Sample]) -> Vec<SampleRow> {
    let by_id: HashMap<_, _> = cells.iter().map(|cell| (cell.id, cell)).collect();
    samples
        .iter()
        .filter_map(|sample| {
            let cell = by_id.get(&sample.cell_id)?;
            let task = spec.task(&cell.task_id)?;
            let (text, prompt_tokens, generated_tokens) = match &sample.measured {
                Measured::Generation(g) | Measured::Round(Round { generation: g, .. }) => {
                    (Some(g.text.clone()), Some(g.prompt_tokens), Some(g.generated_tokens))
                }
                Measured::Batch(batch) => {
                    let texts: Vec<&str> = batch.sequences.iter().map(|s| s.text.trim()).collect();
                    let sum = |of: fn(&pocketbench_domain::generate::BatchSequence) -> u32| {
                        batch.sequences.iter().map(of).sum()
                    };
                    (Some(texts.join("\n\n")), Some(sum(|s| s.prompt_tokens)), Some(sum(|s| s.generated_tokens)))
                }
                Measured::Load(_) | Measured::Synthetic(_) => (None, None, None),
            };
            Some(SampleRow {
                slot: cell.slot,
                task_id: task.id.clone(),
                task_title: task.title.clone(),
                repetition: sample.repetition,
                warmup: sample.warmup,
                started_at: sample.started_at,
                figures: figures(&task.work, sample),
                text,
                prompt_tokens,
                generated_tokens,
                other_cpu: sample.machine.other_cpu,
                conditions: sample.conditions.clone(),
            })
        })
        .collect()
}

fn figures(work: &pocketbench_domain::suite::Work, sample: &Sample) -> Vec<Figure> {
    Metric::for_work(work)
        .iter()
        .filter_map(|&metric| metric.of(sample).map(|value| Figure { metric, value }))
        .collect()
}
