//! The description of an endpoint.

use crate::error::CloudError;
use crate::keys::Secret;
use url::{Host, Url};

/// Where a provider's OpenAI-compatible interface is, and the key to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base_url: Url,
    key: Option<Secret>,
}

impl Endpoint {
    /// Describes an endpoint. `base_url` is what `/chat/completions` is appended to, such as `https://example.com/v1`.
    ///
    /// It must be `https`; `http` is accepted for this machine and the local network, where servers for a household run.
    pub fn new(base_url: &str, key: Option<Secret>) -> Result<Self, CloudError> {
        let mut base_url = Url::parse(base_url.trim()).map_err(|_| CloudError::BaseUrl("is no URL"))?;
        let host = base_url.host().ok_or(CloudError::BaseUrl("names no server"))?;
        match base_url.scheme() {
            "https" => {}
            "http" if is_local(&host) => {}
            "http" => return Err(CloudError::NotEncrypted),
            _ => return Err(CloudError::BaseUrl("must start with https://")),
        }
        if !base_url.username().is_empty() || base_url.password().is_some() {
            return Err(CloudError::BaseUrl("contains a user name or password; the key has a field of its own"));
        }
        if base_url.query().is_some() || base_url.fragment().is_some() {
            return Err(CloudError::BaseUrl("must end before the first ? or #"));
        }
        let path = base_url.path().trim_end_matches('/').to_owned();
        base_url.set_path(&path);
        Ok(Self { base_url, key })
    }

    /// The base URL without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.base_url.as_str().trim_end_matches('/')
    }

    /// The provider's host, for messages.
    #[must_use]
    pub fn host(&self) -> &str {
        self.base_url.host_str().unwrap_or_default()
    }

    /// Same scheme, host and port: a key that was given for the one is good for the other.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        self.base_url.origin() == other.base_url.origin()
    }

    /// On this machine or the local network, where no proxy leads.
    pub(crate) fn is_local(&self) -> bool {
        self.base_url.host().is_some_and(|host| is_local(&host))
    }

    /// The address of a path below the base URL, such as `chat/completions`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{}", self.base_url(), path.trim_start_matches('/'))
    }

    /// The key, where one is needed.
    #[must_use]
    pub fn key(&self) -> Option<&Secret> {
        self.key.as_ref()
    }
}

/// A model's name as a provider knows it, white space around it ignored.
pub fn model_name(name: &str) -> Result<&str, CloudError> {
    let name = name.trim();
    let sound = (1..=256).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if sound { Ok(name) } else { Err(CloudError::ModelName) }
}

/// This machine or the local network.
fn is_local(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || [".localhost", ".local", ".home.arpa"].iter().any(|ending| name.ends_with(ending))
        }
        Host::Ipv4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Host::Ipv6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pocketbench_domain::{ErrorCode, ErrorReport};

    #[test]
    fn a_base_url_is_kept_without_its_last_slash() {
        for (given, kept) in [
            ("https://api.example.com/v1", "https://api.example.com/v1"),
            (" https://API.example.com/v1// ", "https://api.example.com/v1"),
            ("https://example.com", "https://example.com"),
            ("https://example.com:8443/", "https://example.com:8443"),
            ("http://localhost:8080/v1", "http://localhost:8080/v1"),
            ("http://192.168.1.7:1234", "http://192.168.1.7:1234"),
            ("http://[::1]:1234/v1", "http://[::1]:1234/v1"),
            ("http://nas.local/v1", "http://nas.local/v1"),
        ] {
            let endpoint = Endpoint::new(given, None).unwrap();
            assert_eq!((endpoint.base_url(), endpoint.key()), (kept, None));
            assert_eq!(endpoint.url("models"), format!("{kept}/models"));
        }
    }

    #[test]
    fn an_address_that_is_unsafe_or_none_is_refused() {
        for plain in ["http://example.com/v1", "http://8.8.8.8", "http://localhost.example.com", "http://notlocal"] {
            assert_eq!(Endpoint::new(plain, None), Err(CloudError::NotEncrypted), "{plain}");
        }
        for bad in [
            "",
            "example.com/v1",
            "https://",
            "file:///etc/passwd",
            "data:text/plain,x",
            "ftp://localhost",
            "https://user@example.com",
            "https://user:secret@example.com",
            "https://example.com/v1?key=secret",
            "https://example.com/v1#secret",
        ] {
            let error = Endpoint::new(bad, None).unwrap_err();
            assert!(matches!(error, CloudError::BaseUrl(_)), "{bad}: {error:?}");
            let report = ErrorReport::from(error);
            assert_eq!(report.code, ErrorCode::InvalidInput);
            assert!(report.hint.is_some() && !format!("{report:?}").contains("secret"), "{report:?}");
        }
    }

    #[test]
    fn a_model_needs_a_name() {
        assert_eq!(model_name(" some/model "), Ok("some/model"));
        for name in ["", "  ", "two\nlines", &"x".repeat(257)] {
            assert_eq!(model_name(name), Err(CloudError::ModelName));
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let key = Secret::new(" sk-abc123 \n").unwrap();
        let endpoint = Endpoint::new("https://example.com", Some(key)).unwrap();
        assert_eq!(endpoint.key().map(Secret::expose), Some("sk-abc123"));
        let shown = format!("{endpoint:?} {endpoint:#?}");
        assert!(shown.contains("Secret(…)") && !shown.contains("abc123"), "{shown}");
    }
}
