//! The two ways to speak TLS with an agent, and when to change from one to the other.
//!
//! Windows Server 2012 and 2012 R2 offer, with the usual RSA certificate, only suites that rustls leaves out on purpose:
//! CBC with ECDHE, or static RSA and DHE (`contract/hyperv-wire.md` 1.4). The system's OpenSSL still has them. Neither
//! backend judges certificates: that is the work of [`super::pin`].

use std::error::Error;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, SignatureScheme};

/// Which TLS backends may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsChoice {
    /// rustls first; OpenSSL for hosts that have no suite in common with rustls.
    #[default]
    Auto,
    /// rustls only.
    Rustls,
    /// The system's OpenSSL only.
    OpenSsl,
}

impl FromStr for TlsChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "rustls" => Ok(Self::Rustls),
            "openssl" => Ok(Self::OpenSsl),
            other => Err(format!("the TLS backend for agents is auto, rustls or openssl, not {other:?}")),
        }
    }
}

/// One of the backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Backend {
    /// rustls with ring.
    Rustls,
    /// The system's OpenSSL through `native-tls`.
    OpenSsl,
}

/// Takes any certificate, but wants proof that the other end has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // Whether it is the right one is asked after the handshake, where asking may wait.
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

/// Settings of rustls: TLS 1.2 and 1.3, any certificate.
pub(super) fn rustls_config() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.enable_sni = false;
    Ok(config)
}

/// Settings of OpenSSL: TLS 1.2 and later, any certificate.
pub(super) fn openssl_connector() -> native_tls::Result<native_tls::TlsConnector> {
    native_tls::TlsConnector::builder()
        .min_protocol_version(Some(native_tls::Protocol::Tlsv12))
        .disable_built_in_roots(true)
        .danger_accept_invalid_certs(true)
        .danger_accept_invalid_hostnames(true)
        .use_sni(false)
        .build()
}

/// What a failed attempt to connect was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectFailure {
    /// The TCP connection failed.
    Network,
    /// The handshake failed in a way that another backend may not fail.
    NoCommonSuite,
    /// The handshake failed otherwise.
    Handshake,
}

/// An error and everything behind it. An I/O error hides what it wraps from `source`, so it is unwrapped here.
pub(super) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| behind(*error))
}

fn behind<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Classifies a failed attempt to connect by the errors behind it.
pub(super) fn classify(error: &(dyn Error + 'static)) -> ConnectFailure {
    for cause in causes(error) {
        if let Some(failure) = cause.downcast_ref::<rustls::Error>() {
            return classify_rustls(failure);
        }
        if cause.is::<native_tls::Error>() {
            return ConnectFailure::Handshake;
        }
        // Windows drops the connection, without an alert, when it finds no suite.
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        if let Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) = kind {
            return ConnectFailure::NoCommonSuite;
        }
    }
    ConnectFailure::Network
}

fn classify_rustls(error: &rustls::Error) -> ConnectFailure {
    match error {
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity
            | AlertDescription::ProtocolVersion,
        ) => ConnectFailure::NoCommonSuite,
        _ => ConnectFailure::Handshake,
    }
}
