//! The signed client: what `stackmotion call` uses, and what programs in this package use to speak to a gateway.

mod adopt;
mod command;
mod doctor;
mod job;
mod profile;

use std::time::Duration;

use serde_json::Value;

use crate::auth::signature;
use crate::model::Timestamp;

pub use adopt::{AdoptArgs, adopt};
pub use command::{CallArgs, Outcome, run};
pub use doctor::{DoctorCommand, SignatureArgs, doctor};
pub use job::{Pace, Progress};
pub use profile::{Access, AccessArgs, Keys, ProfileError};

/// How long a signature is good for, in seconds.
const SIGNATURE_LIFE_S: i64 = 600;
/// How long an answer may take. Submitting and asking are short; the work is done by jobs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// A call that brought no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The gateway refused it, or the job failed.
    #[error("({code}{}) {text}", cs_code.map(|code| format!(", {code}")).unwrap_or_default())]
    Api {
        /// `errorcode`.
        code: i64,
        /// `cserrorcode`, where there is one.
        cs_code: Option<i64>,
        /// `errortext`.
        text: String,
        /// The error as it came.
        body: Value,
    },
    /// There was no answer. Whether the call had an effect is not known.
    #[error("no answer from {url}; whether the call had an effect is not known")]
    Transport {
        /// The address without parameters.
        url: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// The answer is not one of this API.
    #[error("the answer of {url} (HTTP status {status}) is not one of a CloudStack API; is the address right?")]
    NotTheApi {
        /// The address without parameters.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The client could not be set up.
    #[error("the HTTP client could not be set up")]
    Setup(#[source] reqwest::Error),
}

/// A client with one key pair.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    api_key: String,
    secret_key: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the API at `url` (such as `http://127.0.0.1:8080/client/api`).
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(
        url: impl Into<String>,
        api_key: impl Into<String>,
        secret_key: impl Into<String>,
    ) -> Result<Self, ClientError> {
        Self::build(builder(), url.into(), api_key.into(), secret_key.into())
    }

    /// The same, trusting only the certificates in `pem` and not the system's.
    ///
    /// # Errors
    /// When `pem` holds no certificates or the HTTP client cannot be set up.
    pub fn trusting(
        pem: &[u8],
        url: impl Into<String>,
        api_key: impl Into<String>,
        secret_key: impl Into<String>,
    ) -> Result<Self, ClientError> {
        let trusted = reqwest::Certificate::from_pem_bundle(pem).map_err(ClientError::Setup)?;
        Self::build(builder().tls_certs_only(trusted), url.into(), api_key.into(), secret_key.into())
    }

    fn build(
        builder: reqwest::ClientBuilder,
        url: String,
        api_key: String,
        secret_key: String,
    ) -> Result<Self, ClientError> {
        // Fails when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = builder.build().map_err(ClientError::Setup)?;
        Ok(Self { http, url, api_key, secret_key })
    }

    /// Makes a call. `params` holds the command's parameters without key and signature; the result is what stands in
    /// the envelope.
    ///
    /// # Errors
    /// When the gateway refuses the call or does not answer.
    pub async fn call(&self, command: &str, params: &[(&str, &str)]) -> Result<Value, ClientError> {
        let form = self.signed_form(command, params, Timestamp::now());
        let request = if reads_only(command) {
            self.http.get(format!("{}?{form}", self.url))
        } else {
            self.http
                .post(&self.url)
                .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form)
        };
        // The address in an error of the HTTP library carries key and signature.
        let lost = |cause: reqwest::Error| ClientError::Transport { url: self.url.clone(), cause: cause.without_url() };
        let response = request.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(lost)?;
        self.unwrap_envelope(status, &body)
    }

    fn signed_form(&self, command: &str, params: &[(&str, &str)], now: Timestamp) -> String {
        let expires = Timestamp::from_unix(now.unix() + SIGNATURE_LIFE_S).unwrap_or(now).wire();
        let mut pairs = vec![("command", command)];
        pairs.extend_from_slice(params);
        pairs.extend([
            ("response", "json"),
            ("apiKey", &*self.api_key),
            ("signatureVersion", "3"),
            ("expires", &*expires),
        ]);
        let signature = signature::sign(&self.secret_key, &signature::string_to_sign(pairs.iter().copied()));
        pairs.push(("signature", &signature));
        encode(&pairs)
    }

    fn unwrap_envelope(&self, status: u16, body: &[u8]) -> Result<Value, ClientError> {
        let foreign = || ClientError::NotTheApi { url: self.url.clone(), status };
        let parsed: Value = serde_json::from_slice(body).map_err(|_| foreign())?;
        let Value::Object(envelope) = parsed else { return Err(foreign()) };
        let mut members = envelope.into_iter();
        let (Some((_, inside)), None) = (members.next(), members.next()) else { return Err(foreign()) };
        match inside.get("errorcode").and_then(Value::as_i64) {
            Some(code) if status != 200 => Err(api_error(code, inside)),
            _ if status == 200 => Ok(inside),
            _ => Err(foreign()),
        }
    }
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().tls_backend_rustls().timeout(ANSWER_DEADLINE).redirect(reqwest::redirect::Policy::none())
}

fn api_error(code: i64, body: Value) -> ClientError {
    ClientError::Api {
        code,
        cs_code: body.get("cserrorcode").and_then(Value::as_i64),
        text: body.get("errortext").and_then(Value::as_str).unwrap_or_default().to_owned(),
        body,
    }
}

/// Whether a command only reads and is sent with GET.
fn reads_only(command: &str) -> bool {
    ["list", "get", "find", "query"].iter().any(|verb| command.starts_with(verb))
}

fn encode(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            text.push('&');
        }
        percent(name, &mut text);
        text.push('=');
        percent(value, &mut text);
    }
    text
}

fn percent(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client::new("http://127.0.0.1:1/client/api", "key", "secret").unwrap()
    }

    #[test]
    fn forms_are_signed_as_the_gateway_checks() {
        let now = Timestamp::from_unix(1_900_000_000).unwrap();
        let form = client().signed_form("migrateVirtualMachineWithVolume", &[("migrateto[0].volume", "ä ~+*")], now);
        let pairs = crate::http::parse_pairs(form.as_bytes()).unwrap();
        let borrowed = || pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let find = |wanted: &str| borrowed().find(|(name, _)| *name == wanted).map(|(_, value)| value).unwrap();
        assert!(crate::auth::dialect::verify("secret", borrowed(), find("signature")).is_some());
        assert_eq!(find("migrateto[0].volume"), "ä ~+*");
        assert_eq!(find("expires"), "2030-03-17T17:56:40+0000");
    }

    #[test]
    fn envelopes() {
        let client = client();
        assert_eq!(client.unwrap_envelope(200, br#"{"xresponse":{"count":1}}"#).unwrap()["count"], 1);
        let refused = br#"{"xresponse":{"uuidList":[],"errorcode":431,"cserrorcode":4350,"errortext":"no"}}"#;
        match client.unwrap_envelope(431, refused) {
            Err(error @ ClientError::Api { code: 431, cs_code: Some(4350), .. }) => {
                assert_eq!(error.to_string(), "(431, 4350) no");
            }
            other => panic!("{other:?}"),
        }
        for (status, body) in [(200, "<html>"), (200, "{}"), (404, r#"{"a":{}}"#), (200, r#"{"a":1,"b":2}"#)] {
            assert!(
                matches!(client.unwrap_envelope(status, body.as_bytes()), Err(ClientError::NotTheApi { .. })),
                "{body}"
            );
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        assert!(!format!("{:?}", client()).contains("secret"));
    }
}
