//! Certificates of agents, known by their fingerprints.
//!
//! An agent's certificate is self-signed, names no real host and may have run out (`contract/hyperv-wire.md` 1.4), so
//! neither chain nor name nor date says anything. What counts is that it is the certificate that was seen before. The
//! check runs after the handshake and before the first byte of a request, the same for both TLS backends.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::Connection;
use reqwest::tls::TlsInfo;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tower_layer::Layer;
use tower_service::Service;

/// How long a fingerprint is looked up before the last one known holds. Far less than a connection may take.
const KEEPER_PATIENCE: Duration = Duration::from_secs(1);

/// SHA-256 of a certificate in DER. Printed as OpenSSL prints it: upper case, with colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(formatter, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// A text is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a fingerprint is the SHA-256 of the certificate as 64 hexadecimal digits, with or without colons; \
     `openssl x509 -noout -fingerprint -sha256` prints it"
)]
pub struct BadFingerprint;

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let digits: Vec<u8> =
            text.trim().bytes().filter(|byte| *byte != b':').map(digit_of).collect::<Result<_, _>>()?;
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return Err(BadFingerprint);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(bytes))
    }
}

fn digit_of(byte: u8) -> Result<u8, BadFingerprint> {
    let digit = char::from(byte).to_digit(16).ok_or(BadFingerprint)?;
    u8::try_from(digit).map_err(|_| BadFingerprint)
}

/// Where fingerprints that were seen are kept. Addresses are `ip:port`, IPv6 literals in brackets.
///
/// An error is a text that says what went wrong with the keeping.
pub trait Pins: Send + Sync {
    /// The fingerprint kept for an address.
    fn load<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Option<Fingerprint>, String>>;

    /// Keeps a fingerprint unless the address has one already. Gives back the one that is kept, so that of two
    /// first uses at once only one wins and both see which.
    fn store<'a>(&'a self, address: &'a str, seen: Fingerprint) -> BoxFuture<'a, Result<Fingerprint, String>>;
}

/// Fingerprints in memory: forgotten with the process.
#[derive(Debug, Default)]
pub struct MemoryPins(Mutex<BTreeMap<String, Fingerprint>>);

impl MemoryPins {
    fn set(&self, address: &str, kept: Option<Fingerprint>) {
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept {
            Some(kept) => drop(pins.insert(address.to_owned(), kept)),
            None => drop(pins.remove(address)),
        }
    }
}

impl Pins for MemoryPins {
    fn load<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Option<Fingerprint>, String>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(address).copied();
        Box::pin(async move { Ok(kept) })
    }

    fn store<'a>(&'a self, address: &'a str, seen: Fingerprint) -> BoxFuture<'a, Result<Fingerprint, String>> {
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = *pins.entry(address.to_owned()).or_insert(seen);
        Box::pin(async move { Ok(kept) })
    }
}

/// Kept fingerprints that are known also while their keeper does not answer: what it said last holds until it speaks again.
/// A database that is away must not keep a motion from the host that it was about to be sent to.
pub struct RememberedPins {
    kept: Arc<dyn Pins>,
    last: MemoryPins,
}

impl RememberedPins {
    /// Remembers what `kept` says.
    pub fn of(kept: Arc<dyn Pins>) -> Self {
        Self { kept, last: MemoryPins::default() }
    }
}

impl Pins for RememberedPins {
    fn load<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Option<Fingerprint>, String>> {
        Box::pin(async move {
            let reason = match tokio::time::timeout(KEEPER_PATIENCE, self.kept.load(address)).await {
                Ok(Ok(kept)) => {
                    self.last.set(address, kept);
                    return Ok(kept);
                }
                Ok(Err(reason)) => reason,
                Err(_) => "it does not answer in time".to_owned(),
            };
            let last = self.last.load(address).await?.ok_or_else(|| reason.clone())?;
            tracing::warn!(address, reason, "the kept fingerprint cannot be looked up; the last one known holds");
            Ok(Some(last))
        })
    }

    fn store<'a>(&'a self, address: &'a str, seen: Fingerprint) -> BoxFuture<'a, Result<Fingerprint, String>> {
        self.kept.store(address, seen)
    }
}

/// A certificate may not be trusted. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PinError {
    /// Another certificate than before.
    #[error(
        "the agent at {address} shows another certificate than the one known for it (known {known}, shown {seen}); nothing \
         was sent; if the certificate was renewed on purpose, replace the kept or configured fingerprint by the new one, \
         otherwise find out who answers at that address"
    )]
    Changed {
        /// `ip:port`.
        address: String,
        /// What is pinned.
        known: Fingerprint,
        /// What came.
        seen: Fingerprint,
    },
    /// First use is not trusted and no fingerprint is configured.
    #[error(
        "no fingerprint is known for the agent at {address} and certificates are not trusted on first use; nothing was sent; \
         it shows {seen}: compare that with the host's certificate and put it into the settings"
    )]
    NotPinned {
        /// `ip:port`.
        address: String,
        /// What came.
        seen: Fingerprint,
    },
    /// The handshake gave no certificate.
    #[error("the agent at {address} showed no certificate, so it cannot be told from another; nothing was sent")]
    NoCertificate {
        /// `ip:port`.
        address: String,
    },
    /// The kept fingerprints cannot be read or written.
    #[error("cannot look up the fingerprint kept for the agent at {address}: {reason}; nothing was sent; try again")]
    Keeping {
        /// `ip:port`.
        address: String,
        /// What the keeper said.
        reason: String,
    },
}

/// Which certificates are trusted.
#[derive(Clone)]
pub struct PinPolicy {
    /// Fingerprints from the settings, by `ip:port`. They win over kept ones.
    pub fixed: BTreeMap<String, Fingerprint>,
    /// Whether an address without a fingerprint is trusted at its first use, and its certificate kept from then on.
    pub trust_first_use: bool,
    /// Where certificates seen at first use are kept.
    pub kept: Arc<dyn Pins>,
}

impl PinPolicy {
    /// Trusts what is seen first at an address, and only that from then on.
    pub fn first_use(kept: Arc<dyn Pins>) -> Self {
        Self { fixed: BTreeMap::new(), trust_first_use: true, kept }
    }

    /// Checks what an agent showed against what is known, and keeps it at a first use.
    ///
    /// # Errors
    /// [`PinError`] when it may not be trusted.
    pub async fn check(&self, address: &str, seen: Fingerprint) -> Result<(), PinError> {
        let keeping = |reason| PinError::Keeping { address: address.to_owned(), reason };
        let known = match self.fixed.get(address) {
            Some(fixed) => *fixed,
            None => match self.kept.load(address).await.map_err(keeping)? {
                Some(kept) => kept,
                None if !self.trust_first_use => {
                    return Err(PinError::NotPinned { address: address.to_owned(), seen });
                }
                None => {
                    let kept = self.kept.store(address, seen).await.map_err(keeping)?;
                    tracing::info!(address, fingerprint = %kept, "agent's certificate is trusted from its first use on");
                    kept
                }
            },
        };
        if known == seen {
            return Ok(());
        }
        Err(PinError::Changed { address: address.to_owned(), known, seen })
    }
}

/// Puts the check of the certificate between the handshake and the request.
#[derive(Clone)]
pub(super) struct PinLayer {
    /// What is trusted.
    pub(super) policy: Arc<PinPolicy>,
    /// The one address that the HTTP client with this layer talks to.
    pub(super) address: Arc<str>,
}

impl<S> Layer<S> for PinLayer {
    type Service = PinCheck<S>;

    fn layer(&self, connector: S) -> PinCheck<S> {
        PinCheck { connector, pin: self.clone() }
    }
}

/// A connector whose connections have a trusted certificate.
#[derive(Clone)]
pub(super) struct PinCheck<S> {
    connector: S,
    pin: PinLayer,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S, R> Service<R> for PinCheck<S>
where
    S: Service<R>,
    S::Response: Connection + Send,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.connector.call(request);
        let PinLayer { policy, address } = self.pin.clone();
        Box::pin(async move {
            let connection = connecting.await.map_err(Into::into)?;
            let Some(seen) = shown_by(&connection) else {
                return Err(PinError::NoCertificate { address: address.to_string() }.into());
            };
            policy.check(&address, seen).await?;
            Ok(connection)
        })
    }
}

/// The fingerprint of the certificate that the other end of a connection showed.
fn shown_by<C: Connection>(connection: &C) -> Option<Fingerprint> {
    let mut extras = http::Extensions::new();
    connection.connected().get_extras(&mut extras);
    extras.get::<TlsInfo>()?.peer_certificate().map(Fingerprint::of)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn fingerprints_are_read_as_they_are_printed_and_without_colons() {
        let seen = Fingerprint::of(b"a certificate");
        let text = seen.to_string();
        assert_eq!(text.len(), 95);
        assert_eq!(text.parse(), Ok(seen));
        assert_eq!(text.replace(':', "").to_lowercase().parse(), Ok(seen));
        for bad in ["", "AA", "AA:BB", &text[..94], &format!("{text}:AA"), &text.replace('A', "G")] {
            if bad != text {
                assert_eq!(bad.parse::<Fingerprint>(), Err(BadFingerprint), "{bad}");
            }
        }
    }

    /// A keeper that can be away, in two ways.
    #[derive(Default)]
    struct Moody {
        pins: MemoryPins,
        is_silent: AtomicBool,
        is_broken: AtomicBool,
    }

    impl Pins for Moody {
        fn load<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Option<Fingerprint>, String>> {
            if self.is_silent.load(Ordering::SeqCst) {
                return Box::pin(std::future::pending());
            }
            if self.is_broken.load(Ordering::SeqCst) {
                return Box::pin(std::future::ready(Err("away".to_owned())));
            }
            self.pins.load(address)
        }

        fn store<'a>(&'a self, address: &'a str, seen: Fingerprint) -> BoxFuture<'a, Result<Fingerprint, String>> {
            self.pins.store(address, seen)
        }
    }

    #[tokio::test]
    async fn what_the_keeper_said_last_holds_while_it_is_away() {
        let keeper = Arc::new(Moody::default());
        let policy = PinPolicy::first_use(Arc::new(RememberedPins::of(Arc::clone(&keeper) as _)));
        let (one, two) = (Fingerprint::of(b"one"), Fingerprint::of(b"two"));
        assert_eq!(policy.check("192.0.2.21:8250", one).await, Ok(()), "it is kept");
        assert_eq!(policy.check("192.0.2.21:8250", one).await, Ok(()), "it is read");
        for away in [&keeper.is_broken, &keeper.is_silent] {
            away.store(true, Ordering::SeqCst);
            assert_eq!(policy.check("192.0.2.21:8250", one).await, Ok(()));
            assert!(matches!(policy.check("192.0.2.21:8250", two).await, Err(PinError::Changed { .. })));
            let strange = policy.check("192.0.2.22:8250", two).await;
            assert!(matches!(strange, Err(PinError::Keeping { .. })), "nobody is trusted unknown: {strange:?}");
            away.store(false, Ordering::SeqCst);
        }
        keeper.pins.set("192.0.2.21:8250", Some(two));
        assert!(policy.check("192.0.2.21:8250", one).await.is_err(), "the keeper has another one now");
        keeper.pins.set("192.0.2.21:8250", None);
        assert_eq!(policy.check("192.0.2.21:8250", one).await, Ok(()), "and none: it is the first use");
    }

    #[tokio::test]
    async fn the_first_use_decides_and_the_settings_win() {
        let kept = Arc::new(MemoryPins::default());
        let mut policy = PinPolicy::first_use(kept);
        let (one, two) = (Fingerprint::of(b"one"), Fingerprint::of(b"two"));
        assert_eq!(policy.check("192.0.2.21:8250", one).await, Ok(()));
        assert_eq!(policy.check("192.0.2.21:8250", one).await, Ok(()));
        let changed = policy.check("192.0.2.21:8250", two).await.unwrap_err();
        assert!(matches!(changed, PinError::Changed { known, seen, .. } if known == one && seen == two));
        assert_eq!(policy.check("192.0.2.22:8250", two).await, Ok(()));

        policy.fixed.insert("192.0.2.21:8250".to_owned(), two);
        assert_eq!(policy.check("192.0.2.21:8250", two).await, Ok(()));
        assert!(policy.check("192.0.2.21:8250", one).await.is_err());

        policy.trust_first_use = false;
        assert_eq!(policy.check("192.0.2.22:8250", two).await, Ok(()));
        let unknown = policy.check("192.0.2.23:8250", one).await.unwrap_err();
        assert!(matches!(unknown, PinError::NotPinned { .. }));
    }
}
