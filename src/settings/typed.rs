//! The settings as the other rooms use them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::load::{Effective, SettingsError};
use super::table::Setting;
use crate::auth::limit::Throttle;
use crate::auth::proxies::{BadProxies, Proxies};
use crate::auth::session::{KeyCheck, SameSite};
use crate::commands::{Policy, SessionPolicy};
use crate::feed::FeedLimits;
use crate::hypervisors::hyperv::TlsChoice;
use crate::model::Secret;
use crate::store::{CloudCipher, CloudForm};
use crate::telemetry::LogFormat;
use crate::upstream::UpstreamSettings;

/// How agents are talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// Their port.
    pub port: u16,
    /// The TLS library.
    pub tls: TlsChoice,
    /// How long connecting may take.
    pub connect_timeout_ms: u64,
    /// How often each is asked whether it is there.
    pub ping_interval_s: u64,
    /// Between two questions to a host about a motion.
    pub poll_ms: u64,
    /// How long a host that does not answer is asked again before the outcome of a motion is called unknown.
    pub unreachable: (u64, String),
    /// How long an answer may be late after the host has said that the motion is over.
    pub late_answer_ms: u64,
    /// How long a motion may stand still, in seconds, and where that was said.
    pub stall: (u64, String),
    /// How long a motion of which nothing can be seen goes on before an operator is told; none: nobody is.
    pub unseen: Option<Duration>,
    /// How many commands at once wait for their answers on the connections that they were sent on.
    pub open_commands: usize,
    /// Whether the first certificate of an agent is trusted and remembered.
    pub pin_on_first_use: bool,
    /// SHA-256 fingerprints by address.
    pub pins: BTreeMap<String, String>,
}

/// How hosts and pools are emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaintenanceSettings {
    /// How often it is tried to move something away.
    pub attempts: u32,
    /// Between two attempts.
    pub again_after: Duration,
    /// The most moves away from one host or pool at the same time.
    pub moves_at_once: usize,
}

/// How database and hosts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriftSettings {
    /// The time of one round; none when nothing is compared.
    pub interval: Option<Duration>,
    /// Hosts that are asked at the same time.
    pub hosts_at_once: usize,
    /// Between the beginnings of two looks, at the least.
    pub pause: Duration,
}

/// What opens the encrypted values of a CloudStack database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudKeySettings {
    /// The database key itself.
    pub key: Option<Secret>,
    /// A file whose first line is the database key.
    pub key_file: Option<PathBuf>,
    /// The form of the values.
    pub form: CloudForm,
}

impl CloudKeySettings {
    /// The cipher with this key; `None` when none is given. The key itself wins over the file.
    ///
    /// # Errors
    /// [`SettingsError::Read`] when the file cannot be read.
    pub fn cipher(&self) -> Result<Option<CloudCipher>, SettingsError> {
        let key = match (&self.key, &self.key_file) {
            (Some(key), _) => key.clone(),
            (None, Some(path)) => {
                let read = std::fs::read_to_string(path);
                let text = read.map_err(|cause| SettingsError::Read { path: path.clone(), cause })?;
                Secret::new(text.lines().next().unwrap_or_default().to_owned())
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(CloudCipher::new(key, self.form)))
    }
}

/// A database of CloudStack's that is used in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachSettings {
    /// Where it is. Never print it: it holds a password.
    pub url: String,
    /// How long a statement waits for a lock that somebody else has.
    pub lock_wait: Duration,
}

/// The HTTPS listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsSettings {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// How much of the gateway its clients may use, and the web UI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Threads that answer requests.
    pub workers: usize,
    /// How long requests may run on after the stop.
    pub drain_s: u64,
    /// Connections that may be open.
    pub connections: usize,
    /// Connections that may be open from one address; 0 means any.
    pub connections_per_address: usize,
    /// Calls that are worked on at the same time.
    pub requests: usize,
    /// How long a head or a handshake may take.
    pub head_s: u64,
    /// How long a connection may be quiet.
    pub keep_alive_s: u64,
    /// How long a form or an answer may take whatever its size.
    pub grace_s: u64,
    /// Bytes a second beyond that.
    pub min_rate: u64,
    /// What all forms together may take.
    pub form_memory_mib: usize,
    /// The proxies that are believed about the address of a client.
    pub proxies: Proxies,
    /// The folder of the web UI.
    pub ui_dir: Option<PathBuf>,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// The level or filter.
    pub level: String,
}

/// This gateway among others on the same database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSettings {
    /// Its name; none means that of the machine.
    pub name: Option<String>,
    /// How long it counts as alive after its last sign of life.
    pub lease: Duration,
}

/// Everything the operator decides, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the API listens.
    pub address: SocketAddr,
    /// The folder for everything that is written.
    pub data_dir: PathBuf,
    /// Where the database is. Never print it: it may hold a password.
    pub database_url: String,
    /// The file with the keys of the secrets in the database.
    pub secrets_key_file: PathBuf,
    /// What opens encrypted values of a CloudStack database.
    pub cloud_key: CloudKeySettings,
    /// CloudStack's database that is used in place of one of our own.
    pub attach: Option<AttachSettings>,
    /// The HTTPS listener, if there is one.
    pub https: Option<HttpsSettings>,
    /// What clients may use, and the web UI.
    pub http: HttpSettings,
    /// What answers say about the installation.
    pub policy: Policy,
    /// The management server behind the gateway, if there is one.
    pub upstream: Option<UpstreamSettings>,
    /// This gateway among others.
    pub node: NodeSettings,
    /// How many jobs run at the same time.
    pub job_workers: usize,
    /// What is logged.
    pub log: LogSettings,
    /// How agents are talked to.
    pub agent: AgentSettings,
    /// How database and hosts are compared.
    pub drift: DriftSettings,
    /// How hosts and pools are emptied.
    pub maintenance: MaintenanceSettings,
    /// What all of this was read from. Never print it: there are secrets in it.
    pub(super) effective: Effective,
}

impl Settings {
    /// Reads the values of all settings.
    ///
    /// # Errors
    /// When an address cannot be read or HTTPS is on without certificate or key.
    pub fn from_effective(effective: &Effective) -> Result<Self, SettingsError> {
        let reader = Reader(effective);
        let ip = reader.address("listen")?;
        let data_dir = PathBuf::from(reader.text("data_dir"));
        let database_url = match reader.text("database.url") {
            "" => format!("sqlite://{}", data_dir.join("stackmotion.db").display()),
            url => url.to_owned(),
        };
        let secrets_key_file = match reader.text("secrets.key_file") {
            "" => data_dir.join("secrets.key"),
            path => path.into(),
        };
        Ok(Self {
            secrets_key_file,
            cloud_key: reader.cloud_key(),
            address: SocketAddr::new(ip, reader.number("port")),
            data_dir,
            database_url,
            attach: reader.attach()?,
            https: reader.https(ip)?,
            http: reader.http()?,
            policy: reader.policy(),
            upstream: reader.upstream()?,
            node: NodeSettings {
                name: Some(reader.text("node.name")).filter(|name| !name.is_empty()).map(str::to_owned),
                lease: Duration::from_secs(reader.number("node.lease_s")),
            },
            job_workers: reader.number("jobs.workers"),
            log: LogSettings {
                format: if reader.text("log.format") == "json" { LogFormat::Json } else { LogFormat::Text },
                level: reader.text("log.level").to_owned(),
            },
            agent: reader.agent(),
            drift: reader.drift(),
            maintenance: reader.maintenance(),
            effective: effective.clone(),
        })
    }
}

/// Reads values that were checked against the table when they were loaded.
pub(super) struct Reader<'a>(pub(super) &'a Effective);

impl Reader<'_> {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).0
    }

    fn switch(&self, key: &str) -> bool {
        self.text(key) == "true"
    }

    fn number<T: std::str::FromStr + Default>(&self, key: &str) -> T {
        self.text(key).trim().parse().unwrap_or_default()
    }

    fn refuse(&self, key: &str, expected: &str) -> SettingsError {
        let (value, origin) = self.0.get(key);
        SettingsError::Value {
            key: Setting::find(key).map_or("", |setting| setting.key),
            value: value.to_owned(),
            origin: origin.clone(),
            expected: expected.to_owned(),
        }
    }

    fn address(&self, key: &str) -> Result<IpAddr, SettingsError> {
        let text = self.text(key).trim_start_matches('[').trim_end_matches(']');
        text.parse().map_err(|_| self.refuse(key, "an IP address is needed, such as 127.0.0.1 or [::1]"))
    }

    /// What is decided about answers, calls and sessions.
    pub(super) fn policy(&self) -> Policy {
        Policy {
            cloudstack_version: self.text("api.cloudstack_version").to_owned(),
            default_page_size: self.number("api.default_page_size"),
            enforce_post: self.switch("api.enforce_post"),
            throttle: Throttle {
                enabled: self.switch("api.throttle.enabled"),
                interval: Duration::from_secs(self.number("api.throttle.interval_s")),
                max: self.number("api.throttle.max"),
            },
            session: self.session(),
            feed: FeedLimits {
                listeners: self.number("http.streams"),
                of_account: self.number("http.streams_per_account"),
            },
        }
    }

    fn cloud_key(&self) -> CloudKeySettings {
        let given = |key| Some(self.text(key)).filter(|text| !text.is_empty());
        CloudKeySettings {
            key: given("cloudstack.db_key").map(|text| Secret::new(text.to_owned())),
            key_file: given("cloudstack.db_key_file").map(PathBuf::from),
            form: match self.text("cloudstack.encryptor") {
                "V1" => CloudForm::V1,
                "V2" => CloudForm::V2,
                _ => CloudForm::Either,
            },
        }
    }

    fn attach(&self) -> Result<Option<AttachSettings>, SettingsError> {
        let url = self.text("database.attach");
        if url.is_empty() {
            return Ok(None);
        }
        // The refused value is not shown: it holds a password.
        let refuse = |expected: &str| match self.refuse("database.attach", expected) {
            SettingsError::Value { key, origin, expected, .. } => {
                SettingsError::Value { key, value: "***".to_owned(), origin, expected }
            }
            other => other,
        };
        if !self.text("database.url").is_empty() {
            return Err(refuse("database.url is set too, and only one database can be served; leave one of them out"));
        }
        if !url.starts_with("mysql://") && !url.starts_with("mariadb://") {
            return Err(refuse("CloudStack's database is on MySQL or MariaDB: mysql://user:password@host:3306/cloud"));
        }
        Ok(Some(AttachSettings {
            url: url.to_owned(),
            lock_wait: Duration::from_secs(self.number("database.lock_wait_s")),
        }))
    }

    fn https(&self, ip: IpAddr) -> Result<Option<HttpsSettings>, SettingsError> {
        if !self.switch("https.enabled") {
            return Ok(None);
        }
        for key in ["https.certificate", "https.key"] {
            if self.text(key).is_empty() {
                return Err(self.refuse(key, "HTTPS is on, so the path of a PEM file is needed"));
            }
        }
        Ok(Some(HttpsSettings {
            address: SocketAddr::new(ip, self.number("https.port")),
            certificate: self.text("https.certificate").into(),
            key: self.text("https.key").into(),
        }))
    }

    fn upstream(&self) -> Result<Option<UpstreamSettings>, SettingsError> {
        let (url, ca) = (self.text("upstream.url"), self.text("upstream.ca"));
        if url.is_empty() {
            return Ok(None);
        }
        Ok(Some(UpstreamSettings {
            target: url.parse().map_err(|error| self.refuse("upstream.url", &format!("{error}")))?,
            ca: (!ca.is_empty()).then(|| ca.into()),
            connect_timeout: Duration::from_millis(self.number("upstream.connect_timeout_ms")),
            idle_timeout: Duration::from_secs(self.number("upstream.idle_timeout_s")),
            max_requests: self.number("upstream.max_requests"),
        }))
    }

    fn http(&self) -> Result<HttpSettings, SettingsError> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(HttpSettings {
            workers: match self.number("http.workers") {
                0 => processors,
                threads => threads,
            },
            drain_s: self.number("http.drain_s"),
            connections: self.number("http.connections"),
            connections_per_address: self.number("http.connections_per_address"),
            requests: self.number("http.requests"),
            head_s: self.number("http.head_s"),
            keep_alive_s: self.number("http.keep_alive_s"),
            grace_s: self.number("http.grace_s"),
            min_rate: self.number("http.min_rate"),
            form_memory_mib: self.number("http.form_memory_mib"),
            proxies: self.proxies()?,
            ui_dir: Some(self.text("ui.dir")).filter(|path| !path.is_empty()).map(PathBuf::from),
        })
    }

    fn proxies(&self) -> Result<Proxies, SettingsError> {
        let read = Proxies::read(self.text("http.trusted_proxies"), self.text("http.proxy_header"));
        read.map_err(|error| {
            let key = if error == BadProxies::Header { "http.proxy_header" } else { "http.trusted_proxies" };
            self.refuse(key, &error.to_string())
        })
    }

    fn session(&self) -> SessionPolicy {
        SessionPolicy {
            idle_timeout: Duration::from_secs(self.number("session.timeout_s")),
            key_check: match self.text("session.key_check") {
                "ParameterOnly" => KeyCheck::ParameterOnly,
                "CookieOrParameter" => KeyCheck::CookieOrParameter,
                _ => KeyCheck::CookieAndParameter,
            },
            same_site: match self.text("session.same_site") {
                "Strict" => SameSite::Strict,
                "NoneAndSecure" => SameSite::NoneAndSecure,
                "Null" => SameSite::Unsaid,
                _ => SameSite::Lax,
            },
            secure_cookie: self.switch("session.secure_cookie"),
            failed_logins_allowed: self.number("login.failures_allowed"),
        }
    }

    /// How database and hosts are compared.
    fn maintenance(&self) -> MaintenanceSettings {
        MaintenanceSettings {
            attempts: self.number("maintenance.attempts"),
            again_after: Duration::from_secs(self.number("maintenance.again_s")),
            moves_at_once: self.number("maintenance.moves_at_once"),
        }
    }

    fn drift(&self) -> DriftSettings {
        let interval = Duration::from_secs(self.number("drift.interval_s"));
        DriftSettings {
            interval: Some(interval).filter(|interval| !interval.is_zero()),
            hosts_at_once: self.number("drift.hosts_at_once"),
            pause: Duration::from_secs(1) / self.number::<u32>("drift.looks_per_s").max(1),
        }
    }

    /// A number, and where it stands.
    fn with_origin(&self, name: &'static str) -> (u64, String) {
        (self.number(name), self.0.get(name).1.to_string())
    }

    fn agent(&self) -> AgentSettings {
        let pins = self.text("agent.pins").split(',').filter_map(|item| item.split_once('='));
        AgentSettings {
            port: self.number("agent.port"),
            tls: self.text("agent.tls").parse().unwrap_or_default(),
            connect_timeout_ms: self.number("agent.connect_timeout_ms"),
            ping_interval_s: self.number("agent.ping_interval_s"),
            poll_ms: self.number("motion.poll_ms"),
            unreachable: self.with_origin("motion.unreachable_s"),
            late_answer_ms: self.number("motion.late_answer_ms"),
            stall: self.with_origin("motion.stall_s"),
            unseen: Some(Duration::from_secs(self.number("motion.unseen_s"))).filter(|time| !time.is_zero()),
            open_commands: self.number("motion.open_commands"),
            pin_on_first_use: self.switch("agent.pin_on_first_use"),
            pins: pins.map(|(name, pin)| (name.trim().to_owned(), pin.trim().to_owned())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::{SettingsArgs, Sources};
    use super::*;

    fn settings(set: &[&str]) -> Result<Settings, SettingsError> {
        let flags =
            SettingsArgs { set: set.iter().map(|text| (*text).to_owned()).collect(), ..SettingsArgs::default() };
        Settings::from_effective(&Effective::load(&Sources { env: Vec::new(), flags })?)
    }

    #[test]
    fn defaults() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.address.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.database_url, "sqlite://data/stackmotion.db");
        assert_eq!(settings.policy, Policy::default());
        assert_eq!(settings.https, None);
        assert!(settings.http.workers > 0);
        assert_eq!((settings.agent.port, settings.agent.tls), (8250, TlsChoice::Auto));
    }

    #[test]
    fn values_are_typed() {
        let settings =
            settings(&["listen=[::1]", "port=0", "data_dir=/x", "agent.pins=10.0.0.5=ab, 10.0.0.6=cd"]).unwrap();
        assert_eq!(settings.address.to_string(), "[::1]:0");
        assert_eq!(settings.database_url, "sqlite:///x/stackmotion.db");
        assert_eq!(settings.agent.pins.len(), 2);
        assert_eq!(settings.agent.pins["10.0.0.6"], "cd");
    }

    #[test]
    fn one_database_is_served() {
        assert_eq!(settings(&[]).unwrap().attach, None);
        let url = "mysql://cloud:hidden@db/cloud";
        let attach = settings(&[&format!("database.attach={url}")]).unwrap().attach.unwrap();
        assert_eq!((attach.url.as_str(), attach.lock_wait.as_secs()), (url, 50));
        for set in [
            &["database.attach=mysql://cloud:hidden@db/cloud", "database.url=sqlite://x"][..],
            &["database.attach=sqlite://hidden"],
        ] {
            let refused = settings(set).unwrap_err().to_string();
            assert!(refused.contains("database.attach") && !refused.contains("hidden"), "{refused}");
        }
    }

    #[test]
    fn an_upstream_is_an_address() {
        assert_eq!(settings(&[]).unwrap().upstream, None);
        let upstream =
            settings(&["upstream.url=http://mgmt:8080/client/api", "upstream.ca="]).unwrap().upstream.unwrap();
        assert_eq!((upstream.target.address(), upstream.ca), ("mgmt:8080", None));
        assert_eq!((upstream.idle_timeout.as_secs(), upstream.max_requests), (600, 128));
        let refused = settings(&["upstream.url=mgmt:8080"]).unwrap_err().to_string();
        assert!(refused.contains("upstream.url") && refused.contains("http://mgmt:8080/client/api"), "{refused}");
    }

    #[test]
    fn proxies_are_named_and_nobody_is_one_without() {
        assert_eq!(settings(&[]).unwrap().http.proxies, Proxies::default());
        let proxies =
            settings(&["http.trusted_proxies=10.0.0.5,fd00::/8", "http.proxy_header=X-Real-IP"]).unwrap().http.proxies;
        assert_eq!(proxies, Proxies::read("10.0.0.5, fd00::/8", "x-real-ip").unwrap());
        for (set, key) in [
            ("http.trusted_proxies=everyone", "http.trusted_proxies"),
            ("http.trusted_proxies=0.0.0.0/0", "http.trusted_proxies"),
            ("http.proxy_header=a b", "http.proxy_header"),
        ] {
            let refused = settings(&[set]).unwrap_err().to_string();
            assert!(refused.contains(key), "{refused}");
        }
    }

    #[test]
    fn https_needs_its_files() {
        assert!(settings(&["https.enabled=true"]).is_err());
        assert!(settings(&["listen=everywhere"]).is_err());
        assert!(settings(&["https.enabled=true", "https.certificate=a", "https.key=b"]).unwrap().https.is_some());
    }
}
