//! What others have published, checked without measuring, and what this device could do at most with the same models.

use crate::api::{CheckedFinding, ClaimsReport, LimitHere, LimitsHere};
use crate::{App, Result};
use pocketbench_bench::claims::shipped;
use pocketbench_domain::claims::ClaimSet;
use pocketbench_domain::roofline::{self, MeasuredBandwidth};

impl App {
    /// Every set of published claims that ships, with its checks. Nothing in it was measured here but the bandwidth.
    pub async fn claims(&self) -> Result<Vec<ClaimsReport>> {
        Ok(claims(self.bandwidth().await?))
    }
}

/// The sets that ship, beside a device whose memory gives this.
#[must_use]
pub fn claims(bandwidth: Option<MeasuredBandwidth>) -> Vec<ClaimsReport> {
    shipped().iter().map(|set| report(set, bandwidth)).collect()
}

fn report(set: &ClaimSet, bandwidth: Option<MeasuredBandwidth>) -> ClaimsReport {
    let checked = |finding: pocketbench_domain::claims::Finding| CheckedFinding {
        standing: finding.standing(),
        sentence: finding.sentence(set),
        finding,
    };
    let limit = |model: &str, bandwidth: &MeasuredBandwidth| {
        let bytes_per_token = set.reads(model)?.bytes;
        let limit_tps = roofline::decode_limit(bandwidth.bytes_per_s, bytes_per_token)?;
        Some(LimitHere { model: model.to_owned(), bytes_per_token, limit_tps })
    };
    let here = bandwidth.map(|bandwidth| LimitsHere {
        bandwidth,
        limits: set.models.iter().filter_map(|model| limit(&model.id, &bandwidth)).collect(),
    });
    ClaimsReport { set: set.clone(), findings: set.check().into_iter().map(checked).collect(), here }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pocketbench_domain::claims::{Finding, LimitVerdict, Standing};

    #[test]
    fn a_claim_that_the_memory_forbids_fails_and_says_why() {
        let reports = claims(None);
        let impossible: Vec<_> = reports
            .iter()
            .flat_map(|report| &report.findings)
            .filter(|checked| matches!(&checked.finding, Finding::Limit { check, .. } if check.verdict == LimitVerdict::Impossible))
            .collect();
        assert_eq!(impossible.len(), 6);
        for checked in impossible {
            assert_eq!(checked.standing, Standing::Fails);
            assert!(checked.sentence.contains("not physically possible"), "{}", checked.sentence);
        }
        assert!(
            reports.iter().all(|report| report.here.is_none()),
            "nothing is said of a device that was not measured"
        );
    }

    #[test]
    fn this_devices_limit_is_its_bandwidth_over_what_a_token_reads() {
        let bandwidth = MeasuredBandwidth {
            bytes_per_s: 38e9,
            threads: 2,
            buffer_bytes: 768 << 20,
            measured_at: chrono::DateTime::UNIX_EPOCH,
        };
        let [report] = &claims(Some(bandwidth))[..] else { panic!("one set ships") };
        let here = report.here.as_ref().unwrap();
        let limits: Vec<(&str, f64)> =
            here.limits.iter().map(|limit| (limit.model.as_str(), limit.limit_tps)).collect();
        assert_eq!(limits[0], ("mimo", 10.0));
        assert!((limits[1].1 - 38.0 / 7.2).abs() < 1e-9, "{limits:?}");
    }
}
