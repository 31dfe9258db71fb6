//! When to try again, and when to leave a provider alone.

use chrono::{DateTime, Utc};
use std::time::{Duration, Instant};

/// Longest wait between two attempts, unless the provider asks for more.
const MAX_BACKOFF: Duration = Duration::from_secs(8);

/// The wait before the attempt after failure number `failures`, which counts from 1. `share` (0 to 1) spreads it, so that
/// many that failed together do not all come back together.
pub(crate) fn backoff(first: Duration, failures: u32, share: f64) -> Duration {
    let full = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(MAX_BACKOFF);
    full.mul_f64(0.5 + 0.5 * share.clamp(0.0, 1.0))
}

/// `Retry-After`: seconds, or a date, which counts from the provider's own clock where it says its time.
pub(crate) fn retry_after(value: &str, date: Option<&str>, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More than fits is for ever.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = DateTime::parse_from_rfc2822(value).ok()?;
    let now = date.and_then(|date| DateTime::parse_from_rfc2822(date.trim()).ok()).map_or(now, Into::into);
    // A date that has passed asks for no wait.
    Some((until.with_timezone(&Utc) - now).to_std().unwrap_or(Duration::ZERO))
}

/// Opens after several failures in a row, so that a provider that is down costs no waiting and gets no storm of requests.
/// After a pause one request at a time may try.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    /// Until when nothing is tried.
    open_until: Option<Instant>,
}

impl Breaker {
    /// Whether a request may be sent now; if not, how long to wait. `pause` is how long it stays open.
    pub(crate) fn admit(&mut self, now: Instant, pause: Duration) -> Result<(), Duration> {
        match self.open_until {
            None => Ok(()),
            Some(until) if now < until => Err(until - now),
            Some(_) => {
                // Half open: this one tries, others wait as long again. If it never says how it went, the next may try then.
                self.open_until = Some(now + pause);
                Ok(())
            }
        }
    }

    /// How much longer nothing is sent. Asking changes nothing.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        self.open_until.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// The provider answers.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The provider failed. `limit` failures in a row open the breaker; 0 never does.
    pub(crate) fn failed(&mut self, now: Instant, limit: u32, pause: Duration) {
        self.failures = self.failures.saturating_add(1);
        if limit > 0 && self.failures >= limit {
            self.open_until = Some(now + pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    #[test]
    fn waits_double_and_are_spread() {
        let first = Duration::from_millis(400);
        assert_eq!(backoff(first, 1, 1.0), first);
        assert_eq!(backoff(first, 1, 0.0), first / 2);
        assert_eq!(backoff(first, 3, 1.0), first * 4);
        assert_eq!(backoff(first, 40, 1.0), MAX_BACKOFF);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        let read = |value, date| retry_after(value, date, now);
        assert_eq!(read(" 7 ", None), Some(Duration::from_secs(7)));
        assert_eq!(read("0", None), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999", None), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(read("Tue, 24 Nov 2026 12:00:09 GMT", None), Some(Duration::from_secs(9)));
        // Their clock is an hour ahead.
        let theirs = Some("Tue, 24 Nov 2026 13:00:00 GMT");
        assert_eq!(read("Tue, 24 Nov 2026 13:00:05 GMT", theirs), Some(Duration::from_secs(5)));
        assert_eq!(read("Tue, 24 Nov 2026 11:00:00 GMT", None), Some(Duration::ZERO));
        for nonsense in ["", "-1", "1.5", "soon", "24 Nov"] {
            assert_eq!(read(nonsense, None), None, "{nonsense}");
        }
    }

    #[test]
    fn the_breaker_opens_tries_and_closes() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in 0..2 {
            assert_eq!(breaker.admit(at(second), PAUSE), Ok(()));
            breaker.failed(at(second), 3, PAUSE);
        }
        assert_eq!(breaker.admit(at(2), PAUSE), Ok(()));
        breaker.failed(at(2), 3, PAUSE);
        assert_eq!(breaker.admit(at(10), PAUSE), Err(Duration::from_secs(22)));
        // Half open: one tries, the next waits.
        assert_eq!(breaker.admit(at(32), PAUSE), Ok(()));
        assert_eq!(breaker.admit(at(33), PAUSE), Err(Duration::from_secs(29)));
        breaker.failed(at(34), 3, PAUSE);
        assert_eq!(breaker.admit(at(35), PAUSE), Err(Duration::from_secs(29)));
        assert_eq!(breaker.admit(at(64), PAUSE), Ok(()));
        breaker.succeeded();
        // Closed again, and the count begins anew.
        breaker.failed(at(65), 3, PAUSE);
        assert_eq!(breaker.admit(at(65), PAUSE), Ok(()));
    }

    #[test]
    fn one_that_never_reports_does_not_block_for_ever() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        breaker.failed(start, 1, PAUSE);
        assert!(breaker.admit(start + PAUSE, PAUSE).is_ok());
        assert!(breaker.admit(start + PAUSE, PAUSE).is_err());
        assert!(breaker.admit(start + PAUSE + PAUSE, PAUSE).is_ok());
    }

    #[test]
    fn a_breaker_without_a_limit_stays_closed() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        (0..1000).for_each(|_| breaker.failed(start, 0, PAUSE));
        assert_eq!(breaker.admit(start, PAUSE), Ok(()));
    }
}
