//! Readings of sensors as a file, to be replayed where no sensor is.
//!
//! JSON lines: first `{"trace":1,"origin":"recorded","about":"…"}`, then one [`Reading`] a line in order of time.

use pocketbench_domain::conditions::Reading;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The only version there is.
const VERSION: u32 = 1;

/// Where a trace comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceOrigin {
    /// From a machine.
    Recorded,
    /// Made up, to be replayed in tests. It is evidence of nothing.
    Synthetic,
}

/// Why a text is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// Not the JSON that is due there.
    #[error("line {line} of the sensor trace: {cause}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        cause: serde_json::Error,
    },
    /// No first line.
    #[error("the sensor trace is empty")]
    Empty,
    /// Of another time.
    #[error("the sensor trace has version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// Time goes backwards.
    #[error("line {0} of the sensor trace is not later than the one before")]
    Order(usize),
}

#[derive(Serialize, Deserialize)]
struct Header {
    trace: u32,
    origin: TraceOrigin,
    about: String,
}

/// A trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Where it comes from.
    pub origin: TraceOrigin,
    /// Which machine did what, in a sentence.
    pub about: String,
    /// In order of time.
    pub readings: Vec<Reading>,
}

impl Trace {
    /// Reads a trace. What cannot be true is dropped from its readings, as it is from those of a machine.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let at = |line: usize| move |cause| TraceError::Line { line: line + 1, cause };
        let (line, first) = lines.next().ok_or(TraceError::Empty)?;
        let header: Header = serde_json::from_str(first).map_err(at(line))?;
        if header.trace != VERSION {
            return Err(TraceError::Version(header.trace));
        }
        let mut readings: Vec<Reading> = Vec::new();
        for (line, text) in lines {
            let reading: Reading = serde_json::from_str(text).map_err(at(line))?;
            if readings.last().is_some_and(|last| last.at_ns >= reading.at_ns) {
                return Err(TraceError::Order(line + 1));
            }
            readings.push(reading.plausible());
        }
        Ok(Self { origin: header.origin, about: header.about, readings })
    }

    /// The file's text.
    ///
    /// # Panics
    ///
    /// Never: plain numbers and strings always become JSON.
    #[must_use]
    pub fn to_text(&self) -> String {
        let header = Header { trace: VERSION, origin: self.origin, about: self.about.clone() };
        let json = |line: Result<String, serde_json::Error>| line.expect("plain numbers and strings become JSON");
        let mut text = json(serde_json::to_string(&header)) + "\n";
        for reading in &self.readings {
            text += &json(serde_json::to_string(reading));
            text.push('\n');
        }
        text
    }

    /// What the sensors showed this long after the first reading: the last reading until then. `None` without readings.
    #[must_use]
    pub fn at(&self, elapsed: Duration) -> Option<&Reading> {
        let start = u128::from(self.readings.first()?.at_ns);
        let end = self.readings.partition_point(|r| u128::from(r.at_ns) <= start + elapsed.as_nanos());
        self.readings.get(end.checked_sub(1)?)
    }
}
