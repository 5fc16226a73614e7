//! TLS for those who come over the network.
//!
//! Whoever may speak to the engine is root on this machine; so over the network only those are let in
//! who show a certificate that `--tlscacert` has signed (`--tlsverify`). Flags and meaning are dockerd's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::client::tls::{authorities, certificates, private_key};

/// How long a client may take to greet. One that says nothing holds no more than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// The flags.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// TLS on tcp://, whoever it is that comes
    #[arg(long)]
    tls: bool,
    /// TLS on tcp://, and only for those whose certificate --tlscacert has signed
    #[arg(long)]
    tlsverify: bool,
    /// Who signs the certificates of clients
    #[arg(long, value_name = "FILE")]
    tlscacert: Option<PathBuf>,
    /// The engine's own certificate
    #[arg(long, value_name = "FILE")]
    tlscert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE")]
    tlskey: Option<PathBuf>,
}

/// How far those are trusted who come by TCP.
#[derive(Clone)]
pub enum Security {
    /// All of them: for this machine's own addresses only.
    None,
    /// In TLS.
    Tls {
        /// Greets them.
        acceptor: TlsAcceptor,
        /// Whether they must show a certificate.
        verifies: bool,
    },
}

impl Flags {
    /// Reads the files.
    ///
    /// # Errors
    /// A flag that is missing; a file that is missing or holds something else.
    pub fn security(&self) -> Result<Security> {
        if !self.tls && !self.tlsverify {
            if self.tlscacert.is_some() || self.tlscert.is_some() || self.tlskey.is_some() {
                bail!("--tlscacert, --tlscert, --tlskey: they do nothing without --tlsverify: add it");
            }
            return Ok(Security::None);
        }
        let (Some(certificate), Some(key)) = (&self.tlscert, &self.tlskey) else {
            bail!("--tlsverify: the engine's own certificate is missing: --tlscert FILE --tlskey FILE");
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .context("setting TLS up")?;
        let builder = match (self.tlsverify, &self.tlscacert) {
            (false, _) => builder.with_no_client_auth(),
            (true, None) => {
                bail!("--tlsverify: who signs the clients' certificates is missing: --tlscacert FILE")
            }
            (true, Some(file)) => {
                let roots = Arc::new(authorities(file).map_err(|error| anyhow!(error))?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(
                    verifier.with_context(|| format!("--tlscacert {}", file.display()))?,
                )
            }
        };
        let chain = certificates(certificate).map_err(|error| anyhow!(error))?;
        let secret = private_key(key).map_err(|error| anyhow!(error))?;
        let mut config = builder.with_single_cert(chain, secret).with_context(|| {
            format!("TLS certificate {} with key {}", certificate.display(), key.display())
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Security::Tls { acceptor: TlsAcceptor::from(Arc::new(config)), verifies: self.tlsverify })
    }
}

/// Greets one client; `None` when nothing comes of it.
pub async fn greet(acceptor: &TlsAcceptor, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    let greeted = tokio::time::timeout(PATIENCE, async {
        let mut first = [0];
        // A TLS record begins with its type, 22 for a greeting (RFC 8446); HTTP with a letter.
        match stream.peek(&mut first).await {
            Ok(1) if first[0].is_ascii_alphabetic() => {
                refuse_plain(stream).await;
                None
            }
            _ => match acceptor.accept(stream).await {
                Ok(stream) => Some(stream),
                Err(error) => {
                    tracing::warn!("a client was not let in: TLS: {error}");
                    None
                }
            },
        }
    });
    greeted.await.ok().flatten()
}

/// Somebody speaks HTTP without TLS: an answer that he can read, in the words of dockerd (Go's).
async fn refuse_plain(mut stream: TcpStream) {
    let answer = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
                  Connection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    // The request is read first: closing with bytes unread would take the answer away again.
    let mut request = [0; 4096];
    let _ = stream.readable().await;
    let _ = stream.try_read(&mut request);
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
