//! Certificates of hosts: self-signed, one per host, kept in the world's folder so that a restart does
//! not change them.

use std::fs;
use std::path::Path;

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};

use super::build::make_folder;
use super::image::hex;
use super::world::WorldError;

/// Name in every agent's certificate (`contract/hyperv-wire.md` 1.4).
const SUBJECT: &str = "apachecloudstack";
const RSA_BITS: u32 = 2048;

/// A host's certificate with its key.
#[derive(Debug)]
pub struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Identity {
    /// Reads the certificate in a folder, or makes one: with an RSA key of 2048 bits, or on P-256.
    ///
    /// # Errors
    /// [`WorldError::Certificate`] or [`WorldError::Io`].
    pub fn open(host: &str, rsa: bool, folder: &Path) -> Result<Self, WorldError> {
        make_folder(folder)?;
        let (certificate, key) = (folder.join("agent.cert.der"), folder.join("agent.key.der"));
        if let (Ok(certificate), Ok(key)) = (fs::read(&certificate), fs::read(&key)) {
            return Ok(Self { certificate, key });
        }
        let failed = |reason: String| WorldError::Certificate { host: host.to_owned(), reason };
        let made = Self::make(rsa).map_err(failed)?;
        fs::write(&key, &made.key).map_err(|error| failed(error.to_string()))?;
        fs::write(&certificate, &made.certificate).map_err(|error| failed(error.to_string()))?;
        Ok(made)
    }

    fn make(rsa: bool) -> Result<Self, String> {
        let key = if rsa { rsa_key()? } else { curve_key()? };
        let mut params = CertificateParams::new(vec![SUBJECT.to_owned()]).map_err(|error| error.to_string())?;
        params.distinguished_name.push(DnType::CommonName, SUBJECT);
        let certificate = params.self_signed(&key).map_err(|error| error.to_string())?;
        Ok(Self { certificate: certificate.der().to_vec(), key: key.serialize_der() })
    }

    /// SHA-256 of the certificate, 64 hexadecimal digits: what a client pins.
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(&self.certificate))
    }

    /// Settings of a listener with this certificate: TLS 1.2 and 1.3, no client certificates.
    ///
    /// # Errors
    /// [`WorldError::Certificate`] when certificate and key do not belong together.
    pub fn server_config(&self, host: &str) -> Result<ServerConfig, WorldError> {
        let chain = vec![CertificateDer::from(self.certificate.clone())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(chain, key))
            .map_err(|error| WorldError::Certificate { host: host.to_owned(), reason: error.to_string() })
    }
}

fn curve_key() -> Result<KeyPair, String> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| error.to_string())
}

/// The library that signs cannot make RSA keys; OpenSSL can.
fn rsa_key() -> Result<KeyPair, String> {
    let key = Rsa::generate(RSA_BITS)
        .and_then(PKey::from_rsa)
        .and_then(|key| key.private_key_to_pkcs8())
        .map_err(|error| error.to_string())?;
    let key = PrivatePkcs8KeyDer::from(key);
    KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_RSA_SHA256).map_err(|error| error.to_string())
}
