//! TLS to an engine: who it is, and who we are.
//!
//! As Docker has it ("Protect the Docker daemon socket"): with `--tlsverify` the engine must show a
//! certificate that is signed by `ca.pem` and made out to the address that we asked for; `cert.pem` and
//! `key.pem` are ours, for an engine that lets in only those whom it knows. With `--tls` alone what is
//! said is encrypted, and nobody knows to whom it was said.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, InvalidMessage, RootCertStore,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Who signs engines' certificates; `None`: whoever answers is taken for the engine.
    pub authority: Option<PathBuf>,
    /// Our own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Reads the files.
///
/// # Errors
/// A sentence about the file that is missing or holds something else.
pub fn connector(tls: &Tls) -> Result<TlsConnector, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("setting TLS up: {error}"))?;
    let builder = match &tls.authority {
        Some(file) => builder.with_root_certificates(authorities(file)?),
        None => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
    };
    let config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let pair = (certificates(certificate)?, private_key(key)?);
            builder.with_client_auth_cert(pair.0, pair.1).map_err(|error| {
                format!("TLS certificate {} with key {}: {error}", certificate.display(), key.display())
            })?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The certificates in a PEM file (RFC 7468).
///
/// # Errors
/// It can't be read, or there is none in it.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("TLS certificate {}: {why}", file.display());
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found.map_err(|error| wrong(&words(error)))? {
        none if none.is_empty() => Err(wrong(&"no certificate is in it (PEM, \"BEGIN CERTIFICATE\")")),
        some => Ok(some),
    }
}

/// The private key in a PEM file.
///
/// # Errors
/// It can't be read, or there is none in it.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| format!("TLS key {}: {}", file.display(), words(error)))
}

/// The certificates in a file, as those whose signature counts.
///
/// # Errors
/// As [`certificates`]; or one of them isn't a certificate.
pub fn authorities(file: &Path) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(file)? {
        store.add(certificate).map_err(|error| format!("TLS authority {}: {error}", file.display()))?;
    }
    Ok(store)
}

fn words(error: rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "nothing of the kind is in it (PEM)".to_owned(),
        other => other.to_string(),
    }
}

/// Greets the engine at `host:port`.
///
/// # Errors
/// What TLS finds: see [`advice`].
pub async fn handshake(
    connector: &TlsConnector,
    address: &str,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
    connector.connect(name, stream).await
}

/// The way out of an error of TLS, to be put behind it; empty for any other.
pub fn advice(error: &(dyn std::error::Error + 'static)) -> &'static str {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) else { return "" };
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => ": the engine's certificate is signed by nobody in --tlscacert: somebody else may be answering",
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => ": the engine's certificate is made out to another name: connect to that one",
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            ": it doesn't speak TLS there: leave the --tls flags and CANOA_TLS_VERIFY out"
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            ": the engine wants to know who you are: give --tlscert and --tlskey"
        }
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::DecryptError,
        ) => ": the engine doesn't accept --tlscert: it must be signed by the engine's --tlscacert",
        _ => "",
    }
}

/// `--tls` without `--tlsverify`: any certificate will do, as long as whoever shows it has its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
