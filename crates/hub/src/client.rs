//! Requests to hosts of models: redirects, tokens, ranges, and what an answer that is no answer means.

use crate::header::looks_like;
use crate::remote_error::RemoteError;
use crate::source::{
    DEFAULT_HUB, invalid, is_loopback, join, name_of, parse_url, part_paths, safe_file_name, safe_path,
    split_repository, without_query,
};
use bytes::Bytes;
use chrono::DateTime;
use pocketbench_domain::catalogue::ModelSource;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG,
    HeaderMap, HeaderName, HeaderValue, IF_RANGE, LAST_MODIFIED, LOCATION, RANGE, RETRY_AFTER,
};
use reqwest::{Client, Proxy, Response, StatusCode};
use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use url::Url;

const MAX_REDIRECTS: usize = 10;
/// What is asked for to learn about a file: enough to tell a model from a web page.
pub(crate) const PROBE_BYTES: u64 = 512;
/// Longest piece that [`HubClient::read_range`] keeps in memory.
const MAX_PIECE: u64 = 64 << 20;
/// Longest wait between two attempts, unless the host asks for more.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// The hub's token. Never shown, and sent to its host alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(HeaderValue);

impl Token {
    /// A token as it was given to the person, spaces around it ignored. `None` if it cannot be one.
    #[must_use]
    pub fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        let plausible = (1..=512).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| plausible)?;
        value.set_sensitive(true);
        Some(Self(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// How hosts are reached.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Base address of the hub.
    pub hub: String,
    /// Base address of a mirror of the hub, tried first. It never gets the token.
    pub mirror: Option<String>,
    /// Proxy, such as `http://proxy.example:3128`; otherwise the system's.
    pub proxy: Option<String>,
    /// The hub's token.
    pub token: Option<Token>,
    /// How requests introduce themselves.
    pub user_agent: String,
    /// Longest time until a connection stands.
    pub connect_timeout: Duration,
    /// Longest time without a byte; also the time over which `min_bytes_per_s` counts.
    pub stall_timeout: Duration,
    /// Slower than this counts as stalled, for each connection.
    pub min_bytes_per_s: u64,
    /// Attempts without any progress before giving up.
    pub attempts: u32,
    /// First wait between two attempts; doubles each time.
    pub backoff: Duration,
    /// Longest wait that a host may ask for; beyond it the person decides.
    pub max_wait: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            hub: DEFAULT_HUB.into(),
            mirror: None,
            proxy: None,
            token: None,
            user_agent: concat!("pocketbench/", env!("CARGO_PKG_VERSION")).into(),
            connect_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(30),
            min_bytes_per_s: 1024,
            attempts: 7,
            backoff: Duration::from_millis(500),
            max_wait: Duration::from_mins(2),
        }
    }
}

/// One file on its hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemotePart {
    /// Name under which it is kept.
    pub file_name: String,
    /// Where it is, in the order to try.
    pub urls: Vec<String>,
}

/// What a host says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Its size.
    pub bytes: u64,
    /// The host's mark of this version of the file.
    pub etag: Option<String>,
    /// SHA-256 in lower-case hex, where the hub says it.
    pub sha256: Option<String>,
    /// Whether parts of it can be asked for.
    pub accepts_ranges: bool,
    /// Where it was found in the end, without query.
    pub url: String,
}

/// Fetches from the hub, its mirror and other hosts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HubClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: ClientOptions,
    hub: Url,
    mirror: Option<Url>,
    /// Through the proxy, if there is one.
    remote: Client,
    /// For this machine, past every proxy.
    local: Client,
}

/// A file, found.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    /// Where it was asked for.
    pub(crate) url: Url,
    /// Where it is; may be a signed link that is good for a while only.
    pub(crate) target: Url,
    pub(crate) bytes: u64,
    /// Mark of this version that the target's own host gives, if it is fit to compare bytes.
    pub(crate) validator: Option<String>,
    /// Mark of this version: the hub's if it gives one.
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<String>,
    pub(crate) sha256: Option<String>,
    pub(crate) ranges: bool,
}

impl Located {
    pub(crate) fn host(&self) -> String {
        host(&self.target)
    }
}

/// An answer after all redirects.
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) url: Url,
    /// What the hub said of the file before it led elsewhere.
    linked_etag: Option<String>,
    linked_bytes: Option<u64>,
}

impl Answer {
    /// The mark of this version of the file, if it is fit to compare bytes.
    pub(crate) fn validator(&self) -> Option<String> {
        text_of(self.response.headers(), &ETAG).filter(|etag| !etag.starts_with("W/"))
    }

    /// Refuses what says of itself that it is a text.
    pub(crate) fn refuse_text(&self) -> Result<(), RemoteError> {
        not_text(self.response.headers(), &host(&self.url))
    }
}

impl HubClient {
    /// A client. Nothing is sent yet.
    pub fn new(options: ClientOptions) -> Result<Self, RemoteError> {
        let hub = parse_url(&options.hub)?;
        let mirror = options.mirror.as_deref().map(parse_url).transpose()?;
        let tls = tls()?;
        let builder = || {
            // Redirects are followed here, where it is known whom the token belongs to.
            Client::builder()
                .user_agent(&options.user_agent)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .http1_only()
                .connect_timeout(options.connect_timeout)
                .tls_backend_preconfigured(tls.clone())
        };
        let built = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|e| RemoteError::Internal(format!("no client: {}", causes(&e.without_url()))))
        };
        let mut remote = builder();
        if let Some(proxy) = &options.proxy {
            // The words of the error may repeat the proxy's password.
            remote = remote.proxy(Proxy::all(proxy).map_err(|_| invalid(proxy, "is no address of a proxy"))?);
        }
        let (remote, local) = (built(remote)?, built(builder().no_proxy())?);
        Ok(Self(Arc::new(Inner { options, hub, mirror, remote, local })))
    }

    pub(crate) fn options(&self) -> &ClientOptions {
        &self.0.options
    }

    /// Base addresses to try for a repository, best first, and its `owner/name`.
    pub(crate) fn bases(&self, repository: &str) -> Result<(Vec<Url>, String), RemoteError> {
        let (own, path) = split_repository(repository)?;
        let bases = match own {
            Some(base) => vec![base],
            None => self.0.mirror.iter().chain([&self.0.hub]).cloned().collect(),
        };
        Ok((bases, path))
    }

    /// The files that make up a model, and where each of them is: on the mirror first, then on the hub. A split model has
    /// several parts; `source` names the first.
    pub fn parts(&self, source: &ModelSource, parts: u32) -> Result<Vec<RemotePart>, RemoteError> {
        let part = |urls: Vec<Url>, name: &str| {
            Ok(RemotePart { file_name: safe_file_name(name)?, urls: urls.into_iter().map(String::from).collect() })
        };
        match source {
            ModelSource::Repository { repository, revision, path } => {
                let (bases, repository) = self.bases(repository)?;
                safe_path(path)?;
                let urls = |path: &str| {
                    let segments =
                        || repository.split('/').chain(["resolve", revision.as_str()]).chain(path.split('/'));
                    bases.iter().map(|base| join(base, segments())).collect()
                };
                part_paths(path, parts)?.iter().map(|p| part(urls(p), p.rsplit('/').next().unwrap_or(p))).collect()
            }
            ModelSource::Url { url } => {
                let url = parse_url(url)?;
                let name = name_of(&url);
                part_paths(&name, parts)?
                    .iter()
                    .map(|name| {
                        let mut url = url.clone();
                        if let Ok(mut path) = url.path_segments_mut() {
                            path.pop().push(name);
                        }
                        part(vec![url], name)
                    })
                    .collect()
            }
        }
    }

    /// Asks about a file: its size, its mark, and whether it can be fetched in pieces. Fetches its first bytes only, which
    /// must be those of a model.
    pub async fn probe(&self, part: &RemotePart) -> Result<Probe, RemoteError> {
        let mut attempts = Attempts::new(self, &part.urls)?;
        loop {
            match self.locate(attempts.url(), PROBE_BYTES, PROBE_BYTES).await {
                Ok((located, _)) => {
                    return Ok(Probe {
                        bytes: located.bytes,
                        etag: located.etag.clone(),
                        sha256: located.sha256.clone(),
                        accepts_ranges: located.ranges,
                        url: without_query(&located.target),
                    });
                }
                Err(error) => tokio::time::sleep(attempts.after(error)?).await,
            }
        }
    }

    /// A piece of a file.
    pub async fn read_range(&self, part: &RemotePart, range: Range<u64>) -> Result<Vec<u8>, RemoteError> {
        if range.is_empty() || range.end - range.start > MAX_PIECE {
            return Err(RemoteError::Internal(format!("a piece of {} bytes", range.end.saturating_sub(range.start))));
        }
        let mut attempts = Attempts::new(self, &part.urls)?;
        loop {
            match self.piece(attempts.url(), range.clone(), None).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => tokio::time::sleep(attempts.after(error)?).await,
            }
        }
    }

    async fn piece(&self, url: &Url, range: Range<u64>, located: Option<&Located>) -> Result<Vec<u8>, RemoteError> {
        let answer = self.get(url, Some(range.clone()), located.and_then(|l| l.validator.as_deref())).await?;
        let host = host(&answer.url);
        match answer.response.status() {
            StatusCode::PARTIAL_CONTENT => {
                check_range(&answer, &range, located.map(|l| l.bytes))?;
            }
            _ => return Err(RemoteError::RangeInvalid { host, problem: "it sends all of the file".into() }),
        }
        let mut body = Body::new(answer.response, self.options(), host.clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > range.end - range.start {
                return Err(RemoteError::RangeInvalid { host, problem: "it sends more than was asked for".into() });
            }
        }
        if (bytes.len() as u64) < range.end - range.start {
            return Err(RemoteError::Unreachable { host, cause: "the connection ended early".into() });
        }
        Ok(bytes)
    }

    /// More of a file that was located.
    pub(crate) async fn more(&self, located: &Located, range: Range<u64>) -> Result<Vec<u8>, RemoteError> {
        self.piece(&located.target, range, Some(located)).await
    }

    /// A text, such as a catalogue; at most `max_bytes` of it.
    pub async fn fetch_text(&self, url: &str, max_bytes: u64) -> Result<Vec<u8>, RemoteError> {
        let mut attempts = Attempts::new(self, &[url.to_owned()])?;
        loop {
            match self.text(attempts.url(), max_bytes).await {
                Ok((text, _)) => return Ok(text),
                Err(error) => tokio::time::sleep(attempts.after(error)?).await,
            }
        }
    }

    /// The same, once, with the answer's headers.
    pub(crate) async fn text(&self, url: &Url, max: u64) -> Result<(Vec<u8>, HeaderMap), RemoteError> {
        let answer = self.get(url, None, None).await?;
        let host = host(&answer.url);
        let headers = answer.response.headers().clone();
        let too_long = |found| RemoteError::LengthMismatch { host: host.clone(), expected: Some(max), found };
        if let Some(found) = number(&headers, &CONTENT_LENGTH).filter(|n| *n > max) {
            return Err(too_long(Some(found)));
        }
        let mut body = Body::new(answer.response, self.options(), host.clone());
        let mut text = Vec::new();
        while let Some(chunk) = body.next().await? {
            text.extend_from_slice(&chunk);
            if text.len() as u64 > max {
                return Err(too_long(None));
            }
        }
        Ok((text, headers))
    }

    /// Finds a file and fetches its first `first` bytes (`first_of_all` from a host that cannot send less than everything).
    pub(crate) async fn locate(
        &self,
        url: &Url,
        first: u64,
        first_of_all: u64,
    ) -> Result<(Located, Vec<u8>), RemoteError> {
        let answer = self.get(url, Some(0..first), None).await?;
        let host = host(&answer.url);
        let headers = answer.response.headers();
        let ranges = answer.response.status() == StatusCode::PARTIAL_CONTENT;
        let length = number(headers, &CONTENT_LENGTH);
        let (bytes, wanted) = if ranges {
            let (_, end, total) = content_range(&answer)?;
            let total = total.or(answer.linked_bytes);
            check_range(&answer, &(0..first.min(total.unwrap_or(first))), total)?;
            (total, end)
        } else {
            (length.or(answer.linked_bytes), first_of_all)
        };
        let Some(bytes) = bytes else { return Err(RemoteError::LengthMismatch { host, expected: None, found: None }) };
        if let Some(linked) = answer.linked_bytes.filter(|linked| *linked != bytes) {
            // A login page is short, and says so better than its length does.
            not_text(headers, &host)?;
            return Err(RemoteError::LengthMismatch { host, expected: Some(linked), found: Some(bytes) });
        }
        let page = not_text(headers, &host).err();
        let own = text_of(headers, &ETAG);
        let etag = answer.linked_etag.clone().or_else(|| own.clone());
        let located = Located {
            url: url.clone(),
            target: answer.url.clone(),
            bytes,
            validator: own.filter(|etag| !etag.starts_with("W/")),
            sha256: answer.linked_etag.as_deref().and_then(sha256_of),
            etag,
            modified: text_of(headers, &LAST_MODIFIED),
            ranges,
        };
        let mut body = Body::new(answer.response, self.options(), host.clone());
        let mut start = Vec::new();
        let wanted = wanted.min(bytes);
        while (start.len() as u64) < wanted {
            match body.next().await? {
                Some(chunk) => start.extend_from_slice(&chunk),
                None => break,
            }
        }
        if !start.starts_with(b"GGUF") {
            return Err(page.unwrap_or_else(|| RemoteError::NotAModel { host, looks_like: looks_like(&start) }));
        }
        if (start.len() as u64) < wanted {
            return Err(RemoteError::Unreachable { host, cause: "the connection ended early".into() });
        }
        start.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        Ok((located, start))
    }

    /// One request, with its redirects. Gives answers that bring something; the others become errors.
    pub(crate) async fn get(
        &self,
        url: &Url,
        range: Option<Range<u64>>,
        if_range: Option<&str>,
    ) -> Result<Answer, RemoteError> {
        let inner = &*self.0;
        let mut url = url.clone();
        let mut visited = vec![url.clone()];
        // Once a redirect has led to another host, the token stays behind for good.
        let mut at_home = true;
        let (mut linked_etag, mut linked_bytes) = (None, None);
        loop {
            let host = host(&url);
            let client = if is_loopback(&url) { &inner.local } else { &inner.remote };
            let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            if let Some(range) = &range {
                request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
                if let Some(validator) = if_range {
                    request = request.header(IF_RANGE, validator);
                }
            }
            at_home &= url.origin() == inner.hub.origin();
            let token = inner.options.token.as_ref().filter(|_| at_home);
            if let Some(token) = token {
                request = request.header(AUTHORIZATION, token.0.clone());
            }
            let waited = inner.options.stall_timeout;
            let response = match timeout(waited + inner.options.connect_timeout, request.send()).await {
                Ok(response) => response.map_err(|error| failed(host.clone(), error))?,
                Err(_) => return Err(RemoteError::Stalled { host, waited }),
            };
            let headers = response.headers();
            linked_etag = linked_etag.or_else(|| text_of(headers, &HeaderName::from_static("x-linked-etag")));
            linked_bytes = linked_bytes.or_else(|| number(headers, &HeaderName::from_static("x-linked-size")));
            let status = response.status();
            if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                let nowhere = |problem: &str| RemoteError::RedirectLoop { host: host.clone(), problem: problem.into() };
                let target = headers.get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| url.join(to).ok());
                let target = target.ok_or_else(|| nowhere("it redirects without saying where to"))?;
                // A host elsewhere must not lead into this machine.
                let allowed = parse_url(target.as_str()).is_ok() && (is_loopback(&url) || !is_loopback(&target));
                if !allowed {
                    return Err(nowhere("it redirects to an address that may not be fetched from"));
                }
                if visited.contains(&target) || visited.len() > MAX_REDIRECTS {
                    return Err(nowhere("it redirects in circles"));
                }
                visited.push(target.clone());
                url = target;
                continue;
            }
            let encoded = headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
            if encoded && range.is_some() {
                return Err(RemoteError::RangeInvalid { host, problem: "it compresses what it sends".into() });
            }
            return match status.as_u16() {
                200 => Ok(Answer { response, url, linked_etag, linked_bytes }),
                206 if range.is_some() => Ok(Answer { response, url, linked_etag, linked_bytes }),
                _ => Err(refusal(&response, &url, token.is_some(), url.origin() == inner.hub.origin(), range.as_ref())),
            };
        }
    }
}

/// Attempts to get something from any of several addresses.
pub(crate) struct Attempts<'a> {
    client: &'a HubClient,
    /// Those that may still work, best first, with their place among all.
    urls: Vec<(usize, Url)>,
    current: usize,
    failures: u32,
    /// The last failure for good, of the address that is furthest back: the hub's own word.
    worst: Option<(usize, RemoteError)>,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(client: &'a HubClient, urls: &[String]) -> Result<Self, RemoteError> {
        let urls = urls.iter().map(|url| parse_url(url)).enumerate();
        let urls: Vec<_> = urls.map(|(i, url)| url.map(|url| (i, url))).collect::<Result<_, _>>()?;
        if urls.is_empty() {
            return Err(RemoteError::Internal("nowhere to fetch from".into()));
        }
        Ok(Self { client, urls, current: 0, failures: 0, worst: None })
    }

    /// Where to try now.
    pub(crate) fn url(&self) -> &Url {
        &self.urls[self.current].1
    }

    /// Begins with this address.
    pub(crate) fn go_to(&mut self, url: &Url) {
        self.current = self.urls.iter().position(|(_, known)| known == url).unwrap_or(self.current);
    }

    /// Something came.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How long to wait before [`Attempts::url`] is tried, after this failed; or the error, if nothing is left to try.
    pub(crate) fn after(&mut self, error: RemoteError) -> Result<Duration, RemoteError> {
        let options = self.client.options();
        if !error.is_of_host() {
            return Err(error);
        }
        let asked = match error {
            RemoteError::RateLimited { retry_after, .. } => retry_after,
            _ => None,
        };
        if error.is_passing() && asked.is_none_or(|wait| wait <= options.max_wait) {
            self.failures += 1;
            if self.failures >= options.attempts.max(1) {
                return Err(error);
            }
            self.current = (self.current + 1) % self.urls.len();
            let backoff = (options.backoff * 2_u32.saturating_pow(self.failures - 1)).min(MAX_BACKOFF);
            // Spread, so that many that were cut off together do not all come back together.
            return Ok(asked.unwrap_or_default().max(backoff.mul_f64(0.5 + 0.5 * fastrand::f64())));
        }
        let (place, _) = self.urls.remove(self.current);
        if self.worst.as_ref().is_none_or(|(worst, _)| place > *worst) {
            self.worst = Some((place, error));
        }
        if self.urls.is_empty() {
            return Err(self.worst.take().map_or(RemoteError::Cancelled, |(_, error)| error));
        }
        self.current %= self.urls.len();
        Ok(Duration::ZERO)
    }
}

/// The body of an answer, piece by piece, as long as it comes fast enough.
pub(crate) struct Body {
    response: Response,
    host: String,
    stall_timeout: Duration,
    min_bytes_per_s: u64,
    /// Time spent waiting for the host, and what came in it, since the rate was last judged.
    waited: Duration,
    came: u64,
}

impl Body {
    pub(crate) fn new(response: Response, options: &ClientOptions, host: String) -> Self {
        let (stall_timeout, min_bytes_per_s) = (options.stall_timeout, options.min_bytes_per_s);
        Self { response, host, stall_timeout, min_bytes_per_s, waited: Duration::ZERO, came: 0 }
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, RemoteError> {
        let stalled = |waited| RemoteError::Stalled { host: self.host.clone(), waited };
        // Only the time spent waiting here counts: a slow disk is not the host's fault.
        let asked = Instant::now();
        let chunk = match timeout(self.stall_timeout, self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| failed(self.host.clone(), error))?,
            Err(_) => return Err(stalled(self.stall_timeout)),
        };
        self.waited += asked.elapsed();
        self.came += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if self.waited >= self.stall_timeout {
            if chunk.is_some() && (self.came as f64) < self.min_bytes_per_s as f64 * self.waited.as_secs_f64() {
                return Err(stalled(self.waited));
            }
            (self.waited, self.came) = (Duration::ZERO, 0);
        }
        Ok(chunk)
    }
}

/// What [`check_range`] holds an answer to a range against.
pub(crate) fn check_range(answer: &Answer, range: &Range<u64>, total: Option<u64>) -> Result<(), RemoteError> {
    let host = host(&answer.url);
    let (start, end, found) = content_range(answer)?;
    if let (Some(expected), Some(found)) = (total, found)
        && expected != found
    {
        return Err(RemoteError::Changed { host, problem: format!("it has {found} bytes instead of {expected}") });
    }
    let problem = if (start, end) != (range.start, range.end) {
        format!("asked for {}..{}, it sends {start}..{end}", range.start, range.end)
    } else if number(answer.response.headers(), &CONTENT_LENGTH).is_some_and(|n| n != end - start) {
        "the length of what it sends is not that of the range".into()
    } else {
        return Ok(());
    };
    Err(RemoteError::RangeInvalid { host, problem })
}

/// `Content-Range` as start, end (exclusive) and size of the whole, where it is said.
fn content_range(answer: &Answer) -> Result<(u64, u64, Option<u64>), RemoteError> {
    let value = text_of(answer.response.headers(), &CONTENT_RANGE);
    let parsed = value.as_deref().and_then(|value| {
        let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (digits(first)?, digits(last)?);
        let total = if total == "*" { None } else { Some(digits(total)?) };
        let end = last.checked_add(1)?;
        (first < end && total.is_none_or(|total| last < total)).then_some((first, end, total))
    });
    parsed.ok_or_else(|| RemoteError::RangeInvalid {
        host: host(&answer.url),
        problem: match value {
            Some(value) => format!("“Content-Range: {}” makes no sense", value.escape_debug()),
            None => "it does not say which part of the file it sends".into(),
        },
    })
}

/// What an answer means that brings nothing.
fn refusal(response: &Response, url: &Url, token: bool, hub: bool, range: Option<&Range<u64>>) -> RemoteError {
    let headers = response.headers();
    let (host, what) = (host(url), what(url));
    let hub_says = text_of(headers, &HeaderName::from_static("x-error-code")).unwrap_or_default();
    match response.status().as_u16() {
        // The hub answers 401 for what does not exist, so as not to tell strangers what does.
        401 | 403 | 404 if ["RepoNotFound", "EntryNotFound", "RevisionNotFound"].contains(&hub_says.as_str()) => {
            RemoteError::NotFound { host, what }
        }
        401 => RemoteError::TokenRequired { host, what, refused: token },
        403 if hub && !token => RemoteError::TokenRequired { host, what, refused: false },
        403 => RemoteError::Forbidden { host, what },
        404 | 410 => RemoteError::NotFound { host, what },
        416 => {
            let total =
                text_of(headers, &CONTENT_RANGE).and_then(|value| digits(value.trim().strip_prefix("bytes */")?));
            match (total, range) {
                (Some(total), Some(range)) if range.start >= total => {
                    RemoteError::LengthMismatch { host, expected: None, found: Some(total) }
                }
                _ => RemoteError::RangeInvalid { host, problem: "it has no such part of the file (416)".into() },
            }
        }
        429 => RemoteError::RateLimited { host, retry_after: retry_after(headers) },
        status => RemoteError::ServerError { host, problem: format!("it answers {status}") },
    }
}

/// How long to wait: in seconds, or until a time by the host's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text_of(headers, &RETRY_AFTER)?;
    if let Some(seconds) = digits(&value) {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(&value).ok()?;
    let now = DateTime::parse_from_rfc2822(&text_of(headers, &DATE)?).ok()?;
    (until - now).to_std().ok()
}

/// What a connection that failed means.
fn failed(host: String, error: reqwest::Error) -> RemoteError {
    let error = error.without_url();
    let cause = causes(&error);
    if is_tls(&error) || cause.contains("tls handshake eof") {
        RemoteError::Tls { host, cause }
    } else {
        RemoteError::Unreachable { host, cause }
    }
}

fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return true;
        }
        // An I/O error hides what it wraps from `source`.
        if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && is_tls(inner)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

fn tls() -> Result<rustls::ClientConfig, RemoteError> {
    let failed = |e: rustls::Error| RemoteError::Internal(format!("no TLS: {e}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(failed)?;
    // The system's own judgement, which knows what its owner trusts. Android's needs a Java class that this process may
    // not have, and a bare container has no certificates at all: there, the roots that browsers ship.
    #[cfg(not(target_os = "android"))]
    if let Ok(verifier) = rustls_platform_verifier::Verifier::new(provider) {
        return Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth());
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Refuses what says of itself that it is a text.
fn not_text(headers: &HeaderMap, host: &str) -> Result<(), RemoteError> {
    let kind = text_of(headers, &CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let looks_like = match kind.split(';').next().unwrap_or_default().trim() {
        "text/html" | "application/xhtml+xml" => "a web page, as a site sends it that wants a login first",
        "application/json" => "a JSON document",
        "application/xml" | "text/xml" => "an XML document",
        _ => return Ok(()),
    };
    Err(RemoteError::NotAModel { host: host.into(), looks_like: looks_like.into() })
}

/// An `ETag` that is a SHA-256, as the hub's are for large files.
fn sha256_of(etag: &str) -> Option<String> {
    let hex = etag.trim_start_matches("W/").trim_matches('"');
    (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then(|| hex.to_ascii_lowercase())
}

pub(crate) fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(|value| value.trim().to_owned())
}

pub(crate) fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    digits(&text_of(headers, name)?)
}

fn digits(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

pub(crate) fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// What a request asks for, for people: the end of its path.
fn what(url: &Url) -> String {
    let name = name_of(url);
    if name.is_empty() { url.path().to_owned() } else { name.escape_debug().take(120).collect() }
}
