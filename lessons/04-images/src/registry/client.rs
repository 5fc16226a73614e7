//! Two HTTP clients: one that checks certificates, one that never leaves this machine.

use std::sync::Arc;

use reqwest::blocking::{Client, ClientBuilder};

/// The blocking client's own settings for HTTPS: the platform's certificates, ring's cryptography.
pub(super) fn secure_client() -> ClientBuilder {
    // reqwest takes the process's provider; a program that has chosen one already keeps it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}

/// For loopback: it looks for no certificates and asks no proxy.
pub(super) fn plain_client() -> ClientBuilder {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = Client::builder().no_proxy();
    match rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
        Ok(tls) => builder.tls_backend_preconfigured(
            tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
        ),
        Err(_) => builder,
    }
}
