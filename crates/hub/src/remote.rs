//! What a model is before it is downloaded: its header, by ranges.

use crate::client::{Attempts, HubClient, RemotePart};
use crate::header::{HeaderStart, START_LIMIT, read_header_start};
use crate::remote_error::RemoteError;
use pocketbench_domain::catalogue::ModelSource;
use pocketbench_domain::model::ModelHeader;
use std::path::Path;

/// What is fetched first: enough for the metadata of most models up to their vocabulary.
const FIRST: u64 = 256 << 10;

/// A model that is still on its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteHeader {
    /// What its header says.
    pub header: ModelHeader,
    /// Whether the header was read to its end. If not, sizes of tensors are worked out from the size of the file.
    pub complete: bool,
    /// Size of all its parts.
    pub file_bytes: u64,
    /// Bytes of the model that were fetched for this, of all its parts.
    pub fetched_bytes: u64,
    /// SHA-256, where the hub says it. `None` for a split model, whose parts have one each.
    pub sha256: Option<String>,
}

impl HubClient {
    /// Reads the header of a model where it lies. At most 1 MiB of its first part is fetched, and a few bytes of the others.
    pub async fn remote_header(&self, source: &ModelSource, parts: u32) -> Result<RemoteHeader, RemoteError> {
        let parts = self.parts(source, parts)?;
        let (mut file_bytes, mut fetched_bytes) = (0, 0);
        for part in parts.iter().skip(1) {
            file_bytes += self.probe(part).await?.bytes;
            fetched_bytes += crate::client::PROBE_BYTES;
        }
        let first = parts.first().ok_or_else(|| RemoteError::Internal("no parts".into()))?;
        let mut attempts = Attempts::new(self, &first.urls)?;
        loop {
            match self.header_of(first, attempts.url(), file_bytes, parts.len() > 1).await {
                Ok(found) => return Ok(RemoteHeader { fetched_bytes: found.fetched_bytes + fetched_bytes, ..found }),
                Err(error) => tokio::time::sleep(attempts.after(error)?).await,
            }
        }
    }

    async fn header_of(
        &self,
        part: &RemotePart,
        url: &url::Url,
        other_bytes: u64,
        several: bool,
    ) -> Result<RemoteHeader, RemoteError> {
        let (located, mut start) = self.locate(url, FIRST, START_LIMIT).await?;
        let file_bytes = located.bytes + other_bytes;
        let stem = Path::new(&part.file_name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let stem = stem.unwrap_or_default();
        loop {
            match read_header_start(&start, file_bytes, &stem)? {
                HeaderStart::Header { header, complete } => {
                    return Ok(RemoteHeader {
                        header,
                        complete,
                        file_bytes,
                        fetched_bytes: start.len() as u64,
                        sha256: located.sha256.filter(|_| !several),
                    });
                }
                HeaderStart::NeedMore(needed) => {
                    let here = start.len() as u64;
                    let needed = needed.min(START_LIMIT).min(located.bytes);
                    if needed <= here || !located.ranges {
                        return Err(RemoteError::Internal("the header does not end".into()));
                    }
                    start.extend(self.more(&located, here..needed).await?);
                }
            }
        }
    }
}
