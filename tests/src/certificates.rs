//! Certificates for TLS, made for one case: an authority, and what it signs.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Who signs. Its folder holds `ca.pem`.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, whose files go into `folder`.
    ///
    /// # Panics
    /// If the folder can't be written.
    pub fn new(folder: &Path) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        let certificate = params.self_signed(&key).expect("it signs itself");
        fs::create_dir_all(folder).expect("the lab's own folder is writable");
        fs::write(folder.join("ca.pem"), certificate.pem()).expect("the lab's own folder is writable");
        Authority { folder: folder.to_owned(), issuer: Issuer::new(params, key) }
    }

    /// Its own certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Signs a certificate for those names and addresses: `FOLDER/NAME/{ca,cert,key}.pem`. Returns that
    /// folder, as `DOCKER_CERT_PATH` wants it.
    ///
    /// # Panics
    /// If the folder can't be written.
    pub fn signs(&self, name: &str, names: &[&str]) -> PathBuf {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("good names");
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).expect("it is signed");
        let folder = self.folder.join(name);
        let write = |file: &str, text: String| {
            fs::write(folder.join(file), text).expect("the lab's own folder is writable");
        };
        fs::create_dir_all(&folder).expect("the lab's own folder is writable");
        fs::copy(self.file(), folder.join("ca.pem")).expect("the lab's own folder is writable");
        write("cert.pem", certificate.pem());
        write("key.pem", key.serialize_pem());
        folder
    }
}
