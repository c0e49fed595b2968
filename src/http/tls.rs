//! The certificate of the HTTPS listener, which may be replaced while the gateway runs.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::HttpError;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Certificate and key of an HTTPS listener, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What stands in the two files.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl TlsFiles {
    fn read(&self) -> Result<Contents, HttpError> {
        let read = |path: &PathBuf| std::fs::read(path).map_err(|cause| unusable(path, cause.to_string()));
        Ok(Contents { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    fn parse(&self, contents: &Contents) -> Result<CertifiedKey, HttpError> {
        let chain = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|cause| unusable(&self.certificate, cause.to_string()))?;
        if chain.is_empty() {
            return Err(unusable(&self.certificate, "there is no certificate in it".to_owned()));
        }
        let key =
            PrivateKeyDer::from_pem_slice(&contents.key).map_err(|cause| unusable(&self.key, cause.to_string()))?;
        // Fails as well when the key is not the certificate's.
        CertifiedKey::from_der(chain, key, &ring::default_provider())
            .map_err(|cause| unusable(&self.certificate, cause.to_string()))
    }
}

fn unusable(path: &std::path::Path, reason: String) -> HttpError {
    HttpError::Tls { path: path.to_owned(), reason }
}

/// The certificate that new connections are shown.
pub(super) struct Certificates {
    files: TlsFiles,
    shown: RwLock<Arc<CertifiedKey>>,
    seen: RwLock<Contents>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// When they are missing, are no PEM or do not belong together.
    pub fn load(files: &TlsFiles) -> Result<Arc<Self>, HttpError> {
        let contents = files.read()?;
        let shown = RwLock::new(Arc::new(files.parse(&contents)?));
        Ok(Arc::new(Self { files: files.clone(), shown, seen: RwLock::new(contents) }))
    }

    /// The settings of a listener that shows this certificate. TLS 1.2 and 1.3, nothing older.
    ///
    /// # Errors
    /// When the cryptography cannot do that.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, HttpError> {
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map(|builder| builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as _))
            .map_err(|cause| unusable(&self.files.certificate, cause.to_string()))
    }

    /// Looks at the files for ever, and shows new connections what is new in them. What cannot be used is logged once; the
    /// old certificate stays.
    pub async fn watch(self: Arc<Self>) {
        let mut rounds = tokio::time::interval(LOOK_EVERY);
        loop {
            rounds.tick().await;
            let me = Arc::clone(&self);
            // Files may lie on a network's disk.
            let looked = tokio::task::spawn_blocking(move || me.look_again()).await;
            if let Ok(Err(error)) = looked {
                tracing::error!(reason = %error, "the new certificate cannot be used; the old one stays");
            }
        }
    }

    /// Compares contents, not times: a copy may keep its time, and a link may point elsewhere.
    fn look_again(&self) -> Result<(), HttpError> {
        let Ok(contents) = self.files.read() else {
            // Files that are being replaced may be missing for a moment; what stays away is told at the next start.
            return Ok(());
        };
        if *self.seen.read().unwrap_or_else(PoisonError::into_inner) == contents {
            return Ok(());
        }
        let parsed = self.files.parse(&contents);
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = contents;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(parsed?);
        tracing::info!(file = %self.files.certificate.display(), "new connections are shown the new certificate");
        Ok(())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(files: &TlsFiles) -> Vec<u8> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&files.certificate, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().to_vec()
    }

    fn shown(certificates: &Certificates) -> Vec<u8> {
        certificates.shown.read().unwrap().cert[0].to_vec()
    }

    #[test]
    fn a_new_certificate_is_shown_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let first = write(&files);
        let certificates = Certificates::load(&files).unwrap();
        assert_eq!(shown(&certificates), first);
        let second = write(&files);
        certificates.look_again().unwrap();
        assert_eq!(shown(&certificates), second);
        let key = std::fs::read(&files.key).unwrap();
        write(&files);
        std::fs::write(&files.key, key).unwrap();
        assert!(certificates.look_again().is_err(), "a key of another certificate");
        assert_eq!(shown(&certificates), second);
        assert!(certificates.look_again().is_ok(), "told once");
        std::fs::remove_file(&files.key).unwrap();
        assert!(certificates.look_again().is_ok(), "missing for a moment");
        assert_eq!(shown(&certificates), second);
        let third = write(&files);
        certificates.look_again().unwrap();
        assert_eq!(shown(&certificates), third);
    }
}
