//! Will a model fit this device, what would make it fit, and how fast will it be?

use crate::api::{FitReport, FitRow, SpeedForecast};
use crate::models::{fit_of, machine};
use crate::tuning::Defaults;
use crate::{App, Result, blocking, now};
use pocketbench_domain::catalogue::ModelSource;
use pocketbench_domain::device::DeviceProfile;
use pocketbench_domain::fit::{self, Fit};
use pocketbench_domain::model::ModelHeader;
use pocketbench_domain::roofline::{self, MeasuredBandwidth};
use pocketbench_domain::run::{Measured, RunRecord};
use pocketbench_domain::settings::KvType;
use pocketbench_domain::stats;
use pocketbench_domain::{ErrorCode, ErrorReport};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Contexts that a report judges, as far as the model was trained for them.
const CONTEXTS: [u32; 6] = [2_048, 4_096, 8_192, 16_384, 32_768, 131_072];
/// KV types that a report judges.
const KV_TYPES: [KvType; 3] = [KvType::F16, KvType::Q8_0, KvType::Q4_0];
/// Depth at which a speed is forecast: the middle of a short conversation.
const DEPTH: u32 = 512;
/// Share of the memory bandwidth that decode on a CPU reaches as a rule, until this device has shown its own.
const USUAL_SHARE: f64 = 0.6;
/// Range of that share over devices and models.
const USUAL_RANGE: (f64, f64) = (0.35, 1.0);
/// Latest runs that a device's own share is taken from.
const KEPT_SHARES: usize = 20;

/// What this device has shown so far. Kept as a setting by the device's fingerprint.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Experience {
    /// Memory bandwidth.
    measured_bandwidth: Option<MeasuredBandwidth>,
    /// Share of the limit that decode reached, one a model of a run, latest last.
    shares: Vec<f64>,
    /// The largest footprint that worked.
    pub(crate) largest_worked_bytes: Option<u64>,
    /// The smallest footprint that failed for want of memory.
    pub(crate) smallest_failed_bytes: Option<u64>,
}

impl Experience {
    /// Memory bandwidth, once it was measured.
    pub(crate) fn bandwidth(&self) -> Option<MeasuredBandwidth> {
        self.measured_bandwidth
    }

    /// Takes a new measurement of the bandwidth. Shares are of what was decoded, which stays what it was.
    fn set_bandwidth(&mut self, new: MeasuredBandwidth) {
        if let Some(old) = self.measured_bandwidth.replace(new) {
            for share in &mut self.shares {
                *share *= old.bytes_per_s / new.bytes_per_s;
            }
        }
    }
}

fn experience_key(device: &DeviceProfile) -> String {
    format!("experience.{}", device.fingerprint)
}

/// Measures the memory bandwidth. `None` where memory is short. The caller sees to it that nothing else is measured.
async fn read_memory() -> Result<Option<MeasuredBandwidth>> {
    let measured = blocking(pocketbench_device::memory_bandwidth).await?;
    Ok(measured.map(|measured| MeasuredBandwidth {
        bytes_per_s: measured.bytes_per_s,
        threads: u32::try_from(measured.threads).unwrap_or(u32::MAX),
        buffer_bytes: measured.buffer_bytes,
        measured_at: now(),
    }))
}

/// Forecasts speeds on this device.
pub(crate) struct Speedometer {
    experience: Experience,
    pub(crate) defaults: Defaults,
}

impl Speedometer {
    pub(crate) fn forecast(&self, header: &ModelHeader) -> Option<SpeedForecast> {
        let bandwidth = self.experience.measured_bandwidth?.bytes_per_s;
        let settings = self.defaults.settings(DEPTH, 1);
        let bytes_per_token = roofline::bytes_per_token(header, DEPTH, &settings);
        let limit = roofline::decode_limit(bandwidth, bytes_per_token)?;
        let shown = &self.experience.shares;
        let (share, low, high) = match (stats::median(shown), shown.len()) {
            // Three runs say more of this device than any rule.
            (Some(median), 3..) => {
                let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
                (median, low, shown.iter().copied().fold(0.0, f64::max))
            }
            _ => (USUAL_SHARE, USUAL_RANGE.0, USUAL_RANGE.1),
        };
        Some(SpeedForecast {
            tokens_per_s: limit * share,
            low: limit * low,
            high: limit * high,
            bytes_per_token,
            bandwidth,
            runs: if shown.len() >= 3 { u32::try_from(shown.len()).unwrap_or(u32::MAX) } else { 0 },
        })
    }
}

impl App {
    pub(crate) async fn experience(&self) -> Result<Experience> {
        self.experience_of(&self.device().await?).await
    }

    /// What a device has shown, which need not be this one.
    pub(crate) async fn experience_of(&self, device: &DeviceProfile) -> Result<Experience> {
        Ok(self.store().setting(&experience_key(device)).await?.unwrap_or_default())
    }

    async fn keep_experience(&self, experience: &Experience) -> Result<()> {
        Ok(self.store().set_setting(&experience_key(&self.device().await?), experience).await?)
    }

    /// Memory bandwidth of this device, measured once. `None` while something else is measured and where memory is short.
    pub(crate) async fn bandwidth(&self) -> Result<Option<MeasuredBandwidth>> {
        Ok(self.speedometer().await?.experience.measured_bandwidth)
    }

    /// Memory bandwidth of this device as it was measured last; does not measure it.
    pub async fn known_bandwidth(&self) -> Result<Option<MeasuredBandwidth>> {
        Ok(self.experience().await?.measured_bandwidth)
    }

    /// Measures the memory bandwidth of this device anew and keeps it: memory may have been changed, and the machine may
    /// have been busy the last time.
    ///
    /// # Errors
    /// `INVALID_INPUT` while something else is measured, `NOT_ENOUGH_MEMORY`, and what keeps it from being stored.
    pub async fn measure_bandwidth(&self) -> Result<MeasuredBandwidth> {
        let _asking = self.0.bandwidth.lock().await;
        let Ok(_turn) = self.0.measuring.try_lock() else {
            let message = "something else is being measured now, and two measurements would disturb each other";
            return Err(ErrorReport::new(ErrorCode::InvalidInput, message).hint("Try again when it is done."));
        };
        let mut experience = self.experience().await?;
        let Some(bandwidth) = read_memory().await? else {
            let message = "there is too little free memory to measure how fast it is: it takes 512 MiB";
            return Err(ErrorReport::new(ErrorCode::NotEnoughMemory, message).hint("Close other programs."));
        };
        experience.set_bandwidth(bandwidth);
        self.keep_experience(&experience).await?;
        Ok(bandwidth)
    }

    /// Measures the memory bandwidth if that was never done, for the run whose turn it is: its results are held against it.
    pub(crate) async fn bandwidth_before_run(&self) -> Result<()> {
        let _asking = self.0.bandwidth.lock().await;
        let mut experience = self.experience().await?;
        if experience.measured_bandwidth.is_none()
            && let Some(bandwidth) = read_memory().await?
        {
            experience.set_bandwidth(bandwidth);
            self.keep_experience(&experience).await?;
        }
        Ok(())
    }

    /// What this device has shown, with its memory bandwidth measured once, at a moment when nothing else is.
    pub(crate) async fn speedometer(&self) -> Result<Speedometer> {
        // Whoever asks meanwhile waits for the answer instead of going without.
        let _asking = self.0.bandwidth.lock().await;
        let mut experience = self.experience().await?;
        if experience.measured_bandwidth.is_none()
            && let Ok(turn) = self.0.measuring.try_lock()
        {
            experience.measured_bandwidth = read_memory().await?;
            drop(turn);
            // Someone who only looks cannot keep it.
            if let Err(error) = self.keep_experience(&experience).await {
                tracing::debug!(%error, "the memory bandwidth is not kept");
            }
        }
        Ok(Speedometer { experience, defaults: self.defaults().await? })
    }

    /// Learns from a finished run: the share of the memory bandwidth that decode reached, and what worked.
    pub(crate) async fn learn(&self, run: &RunRecord) -> Result<()> {
        let mut experience = self.experience().await?;
        let cells = self.store().cells(run.id).await?;
        let samples = self.store().samples(run.id).await?;
        for (slot, entry) in (0..).zip(&run.spec.entries) {
            let mine: Vec<_> = cells.iter().filter(|cell| cell.slot == slot).collect();
            let of_entry = || samples.iter().filter(|s| !s.warmup && mine.iter().any(|cell| cell.id == s.cell_id));
            let peak = of_entry().filter_map(|sample| sample.memory.peak_rss_bytes).max();
            experience.largest_worked_bytes = experience.largest_worked_bytes.max(peak);
            let rates: Vec<f64> = of_entry()
                .filter(|sample| matches!(sample.measured, Measured::Generation(_)))
                .filter_map(|sample| pocketbench_domain::metric::Metric::DecodeTps.of(sample))
                .collect();
            let per_token = roofline::bytes_per_token(&entry.model.header, DEPTH, &entry.settings);
            let limit = experience
                .measured_bandwidth
                .and_then(|bandwidth| roofline::decode_limit(bandwidth.bytes_per_s, per_token));
            if let (Some(rate), Some(limit)) = (stats::median(&rates), limit) {
                experience.shares.push(rate / limit);
            }
            let starved = mine.iter().any(|cell| {
                let failure = cell.failure.as_ref();
                failure.is_some_and(|failure| failure.code == pocketbench_domain::ErrorCode::OutOfMemory)
            });
            if starved {
                let fit = Fit::predict(&entry.model.header, &entry.settings, entry.model.file_bytes, &machine());
                let failed =
                    experience.smallest_failed_bytes.map_or(fit.predicted_bytes, |b| b.min(fit.predicted_bytes));
                experience.smallest_failed_bytes = Some(failed);
            }
        }
        let surplus = experience.shares.len().saturating_sub(KEPT_SHARES);
        experience.shares.drain(..surplus);
        self.keep_experience(&experience).await
    }

    /// Whether and how a model that is here fits this device.
    pub async fn model_fit(&self, path: &str) -> Result<FitReport> {
        let (header, file_bytes) = self.header(Path::new(path)).await?;
        self.fit_report(header, file_bytes, 0).await
    }

    /// Whether and how a model that is not here would fit this device: its header is read by ranges, at most 1 MB of it.
    pub async fn source_fit(&self, source: &ModelSource) -> Result<FitReport> {
        let listed = self.listed(source).await?;
        let parts = listed.map_or(1, |(_, file)| file.parts);
        let remote = self.hub_client().await?.remote_header(source, parts).await?;
        self.learn_remote(source, Some(remote.file_bytes), remote.sha256.clone()).await;
        self.fit_report(remote.header, remote.file_bytes, remote.fetched_bytes).await
    }

    async fn fit_report(&self, header: ModelHeader, file_bytes: u64, fetched_bytes: u64) -> Result<FitReport> {
        let speedometer = self.speedometer().await?;
        let longest = header.n_ctx_train.max(1);
        let mut contexts: Vec<u32> = CONTEXTS.into_iter().filter(|n_ctx| *n_ctx < longest).collect();
        contexts.push(longest);
        let rows = contexts
            .into_iter()
            .map(|n_ctx| {
                let fits = KV_TYPES.iter().map(|&kv_type| {
                    let mut settings = speedometer.defaults.settings(n_ctx, 1);
                    (settings.kv_type_k, settings.kv_type_v) = (kv_type, kv_type);
                    fit_of(&header, file_bytes, &settings)
                });
                FitRow { n_ctx, fits: fits.collect() }
            })
            .collect();
        let wanted = speedometer.defaults.settings(crate::models::LISTED_N_CTX.min(longest), 1);
        let experience = self.experience().await?;
        Ok(FitReport {
            rows,
            kv_types: KV_TYPES.to_vec(),
            advice: fit::advice(&header, &wanted, file_bytes, &machine()),
            speed: speedometer.forecast(&header),
            storage_free_bytes: self.device().await?.storage_free_bytes,
            largest_worked_bytes: experience.largest_worked_bytes,
            smallest_failed_bytes: experience.smallest_failed_bytes,
            header,
            file_bytes,
            fetched_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(bytes_per_s: f64) -> MeasuredBandwidth {
        MeasuredBandwidth { bytes_per_s, threads: 2, buffer_bytes: 768 << 20, measured_at: now() }
    }

    #[test]
    fn a_new_bandwidth_changes_the_limit_and_not_what_was_reached() {
        let mut experience = Experience { shares: vec![0.5, 0.6], ..Experience::default() };
        experience.set_bandwidth(measured(20e9));
        assert_eq!(experience.shares, [0.5, 0.6], "shares of a bandwidth that is not known any more stay");
        experience.set_bandwidth(measured(40e9));
        assert_eq!(experience.shares, [0.25, 0.3]);
        assert_eq!(experience.bandwidth().map(|b| b.bytes_per_s), Some(40e9));
    }

    #[test]
    fn a_bandwidth_without_a_date_is_measured_anew() {
        let old = r#"{"bandwidth": 2e10, "shares": [0.5], "largest_worked_bytes": 7}"#;
        let experience: Experience = serde_json::from_str(old).unwrap();
        assert_eq!((experience.bandwidth(), experience.largest_worked_bytes), (None, Some(7)));
    }
}
