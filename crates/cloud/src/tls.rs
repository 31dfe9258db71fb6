//! Encryption of connections, and what a connection that failed means.
//!
//! The same few rules as in `crates/hub/src/client.rs`, written out again: neither crate may use the other, and a crate of
//! their own for forty lines would be more to know than the lines.

use std::error::Error;
use std::sync::Arc;

/// rustls on ring with the system's own judgement of certificates.
pub(crate) fn config() -> Result<rustls::ClientConfig, String> {
    let failed = |error: rustls::Error| format!("no TLS: {error}");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(failed)?;
    // Android's judgement needs a Java class that this process may not have, and a bare container has no certificates at
    // all: there, the roots that browsers ship.
    #[cfg(not(target_os = "android"))]
    if let Ok(verifier) = rustls_platform_verifier::Verifier::new(provider) {
        return Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth());
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Whether an error is one of TLS.
pub(crate) fn is_tls(error: &(dyn Error + 'static)) -> bool {
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

/// An error and what it comes from, in one line.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
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
