//! The table of all settings. Loading, printing and the documentation read it.

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text. An empty one means "not set".
    Text,
    /// The path of a file or folder.
    Path,
    /// A whole number between two bounds, both included.
    Number {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Names with values: a table in the file, `a=1,b=2` elsewhere.
    Map,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The name with dots, such as `database.url`.
    pub key: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The value when nobody says otherwise.
    pub default: &'static str,
    /// Whether it must not be shown.
    pub is_secret: bool,
    /// What it does.
    pub description: &'static str,
}

impl Setting {
    const fn new(key: &'static str, kind: Kind, default: &'static str, description: &'static str) -> Self {
        Self { key, kind, default, is_secret: false, description }
    }

    const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// The name in the environment: `database.url` is `STACKMOTION_DATABASE_URL`.
    pub fn env_name(&self) -> String {
        format!("{}{}", ENV_PREFIX, self.key.replace('.', "_").to_uppercase())
    }

    /// The setting with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

/// What names of settings in the environment begin with.
pub const ENV_PREFIX: &str = "STACKMOTION_";

const PORT: Kind = Kind::Number { min: 0, max: 65_535 };

/// All settings, in the order they are printed.
pub static SETTINGS: &[Setting] = &[
    Setting::new("listen", Kind::Text, "127.0.0.1", "The address the API listens on. 0.0.0.0 or [::] means every address of the machine."),
    Setting::new("port", PORT, "8080", "The port of the API. 0 takes any free one."),
    Setting::new("data_dir", Kind::Path, "data", "The folder for the embedded database and everything else that is written."),
    Setting::new("database.url", Kind::Text, "", "Where the database is: `sqlite://<file>` or `mysql://user:password@host/name`. Empty: `stackmotion.db` in the data folder.").secret(),
    Setting::new("database.attach", Kind::Text, "", "The `cloud` database of a CloudStack 4.18 to 4.23 that is used in place, as `mysql://user:password@host/cloud`, instead of one of stackmotion's own: see `docs/attached.md`. Not together with `database.url`.").secret(),
    Setting::new("database.lock_wait_s", Kind::Number { min: 1, max: 3600 }, "50", "How long a statement on an attached database waits for a lock that somebody else has on a row or table, in seconds."),
    Setting::new("secrets.key_file", Kind::Path, "", "The file with the keys that secrets in the database are sealed with, made at the first start; `docs/secrets.md` says what to do with it. Empty: `secrets.key` in the data folder."),
    Setting::new("cloudstack.db_key", Kind::Text, "", "The key that CloudStack encrypts its database with, for reading one: `db.cloud.encrypt.secret` of its `db.properties`, decrypted.").secret(),
    Setting::new("cloudstack.db_key_file", Kind::Path, "", "A file whose first line is that key, instead of `cloudstack.db_key`."),
    Setting::new("cloudstack.encryptor", Kind::Choice(&["auto", "V1", "V2"]), "auto", "The form of the encrypted values: `db.cloud.encryptor.version` of `db.properties`. `auto`: V2 is tried, then V1."),
    Setting::new("https.enabled", Kind::Switch, "false", "Whether the API listens for HTTPS as well."),
    Setting::new("https.port", PORT, "8443", "The port for HTTPS."),
    Setting::new("https.certificate", Kind::Path, "", "The certificate for HTTPS, PEM, followed by those that vouch for it."),
    Setting::new("https.key", Kind::Path, "", "The private key of that certificate, PEM."),
    Setting::new("http.workers", Kind::Number { min: 0, max: 512 }, "0", "Threads that answer requests. 0 means one per processor."),
    Setting::new("http.drain_s", Kind::Number { min: 0, max: 3600 }, "30", "How long requests may run on after the gateway was told to stop, in seconds."),
    Setting::new("http.connections", Kind::Number { min: 1, max: 10_000_000 }, "20000", "Connections that may be open at the same time; further ones are turned away with 503. Never more than the limit of open files leaves room for."),
    Setting::new("http.connections_per_address", Kind::Number { min: 0, max: 10_000_000 }, "0", "Connections that may be open from one address. 0 means no limit of its own, which suits clients behind a shared address. Proxies in `http.trusted_proxies` are not limited by it."),
    Setting::new("http.trusted_proxies", Kind::Text, "", "Networks or addresses of the proxies and load balancers in front of the gateway, with commas between them. Only they are believed about the address of a client; see `docs/operating.md`. Empty: nobody is."),
    Setting::new("http.proxy_header", Kind::Text, "X-Forwarded-For", "The header in which these proxies write the address that they were asked from, behind those that stand there."),
    Setting::new("http.requests", Kind::Number { min: 1, max: 1_000_000 }, "500", "Calls that are worked on at the same time. The others wait for their turn, up to 30 seconds, then get 503."),
    Setting::new("http.streams", Kind::Number { min: 0, max: 1_000_000 }, "200", "Clients that may listen to `streamEvents` at the same time; further ones get 503. Each takes a connection."),
    Setting::new("http.streams_per_account", Kind::Number { min: 0, max: 1_000_000 }, "20", "Clients of one account among them; further ones get 429."),
    Setting::new("http.head_s", Kind::Number { min: 1, max: 3600 }, "10", "How long the head of a request, or a TLS handshake, may take to arrive, in seconds."),
    Setting::new("http.keep_alive_s", Kind::Number { min: 1, max: 3600 }, "30", "How long a connection may be quiet between two requests, in seconds."),
    Setting::new("http.grace_s", Kind::Number { min: 1, max: 3600 }, "10", "How long a client may take to send a form, or to take an answer, before `http.min_rate` is asked of it, in seconds."),
    Setting::new("http.min_rate", Kind::Number { min: 1, max: 1_000_000_000 }, "1024", "Bytes a second that a client has to send of its form, or take of its answer, or it is cut off."),
    Setting::new("http.form_memory_mib", Kind::Number { min: 1, max: 1_000_000 }, "256", "What all forms together may take, in MiB; ordinary calls (up to 16 KiB) are not counted. Further ones get 503."),
    Setting::new("ui.dir", Kind::Path, "", "The folder with CloudStack's web UI (the one with `index.html`), served at `/client/`. Empty: no UI."),
    Setting::new("api.default_page_size", Kind::Number { min: 1, max: 1_000_000 }, "500", "Entries on a page when a list asks for no size, and the most it may ask for."),
    Setting::new("api.enforce_post", Kind::Switch, "false", "Whether commands that change something need POST, and every call `signatureVersion=3` with an `expires` at most 15 minutes ahead."),
    Setting::new("api.throttle.enabled", Kind::Switch, "false", "Whether the calls of an account are counted and limited. Root administrators are not limited."),
    Setting::new("api.throttle.interval_s", Kind::Number { min: 1, max: 86_400 }, "1", "How long calls are counted together, in seconds."),
    Setting::new("api.throttle.max", Kind::Number { min: 1, max: 1_000_000_000 }, "25", "Calls that an account may make in that time. A signed call counts as two."),
    Setting::new("session.timeout_s", Kind::Number { min: 60, max: 31_536_000 }, "1800", "After how long without a call a session has ended, in seconds."),
    Setting::new("session.key_check", Kind::Choice(&["CookieAndParameter", "ParameterOnly", "CookieOrParameter"]), "CookieAndParameter", "Where the key of a session has to stand. Anything but the default lets other web sites act for people who are logged in."),
    Setting::new("session.same_site", Kind::Choice(&["Lax", "Strict", "NoneAndSecure", "Null"]), "Lax", "What the cookie with the session's key says about requests that other web sites cause."),
    Setting::new("session.secure_cookie", Kind::Switch, "false", "Whether the cookies of sessions are for HTTPS only, because a proxy in front of the gateway speaks HTTPS. Over the gateway's own HTTPS they always are."),
    Setting::new("login.failures_allowed", Kind::Number { min: 0, max: 1_000_000 }, "5", "Failed logins in a row after which a user is disabled; 0 means never. Root administrators are only slowed down."),
    Setting::new("api.cloudstack_version", Kind::Text, "4.23.0.0-SNAPSHOT", "The CloudStack version that clients are told."),
    Setting::new("upstream.url", Kind::Text, "", "A management server that gets the commands that are not served here, such as `http://mgmt:8080/client/api`. Empty: there is none."),
    Setting::new("upstream.ca", Kind::Path, "", "The certificates that vouch for a management server with HTTPS, PEM. Empty: those that the system trusts."),
    Setting::new("upstream.connect_timeout_ms", Kind::Number { min: 1, max: 600_000 }, "5000", "How long connecting to the management server may take, in milliseconds."),
    Setting::new("upstream.idle_timeout_s", Kind::Number { min: 1, max: 86_400 }, "600", "How long the management server may stay silent, before its answer and between any two pieces of it, and how long a client may take nothing of it, in seconds. The whole has no limit."),
    Setting::new("upstream.max_requests", Kind::Number { min: 1, max: 100_000 }, "128", "Requests that may be with the management server at the same time. One address gets half of them."),
    Setting::new("node.name", Kind::Text, "", "The name of this gateway among those on the same database. Empty: the name of the machine. A gateway that starts under the name of another one takes its place."),
    Setting::new("node.lease_s", Kind::Number { min: 3, max: 3600 }, "15", "How long after its last sign of life a gateway is taken for dead by the others on the same database, which then take its jobs over, in seconds by the database's clock."),
    Setting::new("jobs.workers", Kind::Number { min: 1, max: 100_000 }, "64", "How many jobs run at the same time. The others wait; those that wait for another job are not counted."),
    Setting::new("log.format", Kind::Choice(&["text", "json"]), "text", "How log lines look: `text` for people, `json` for machines."),
    Setting::new("log.level", Kind::Text, "info", "What is logged: error, warn, info, debug, trace, or a filter such as `info,stackmotion=debug`."),
    Setting::new("agent.port", Kind::Number { min: 1, max: 65_535 }, "8250", "The port of the agents on the hosts."),
    Setting::new("agent.tls", Kind::Choice(&["auto", "rustls", "openssl"]), "auto", "The TLS library for agents: `rustls`, the system's `openssl` for hosts with old ciphers, or `auto`: rustls first."),
    Setting::new("agent.connect_timeout_ms", Kind::Number { min: 1, max: 600_000 }, "10000", "How long connecting to an agent may take, in milliseconds. A question has to be answered within 60 seconds; a command that moves or changes something has no limit."),
    Setting::new("agent.ping_interval_s", Kind::Number { min: 1, max: 86_400 }, "60", "How often each agent is asked whether it is there, in seconds."),
    Setting::new("agent.pin_on_first_use", Kind::Switch, "true", "Whether the certificate an agent shows first is remembered and demanded ever after. Off: no further one is; hosts in `agent.pins`, and those whose certificates were remembered before, are talked to."),
    Setting::new("motion.poll_ms", Kind::Number { min: 10, max: 600_000 }, "1000", "How often a host is asked how far a motion is, in milliseconds."),
    Setting::new("motion.unreachable_s", Kind::Number { min: 1, max: 604_800 }, "300", "How long a host that does not answer is asked again before the outcome of a motion is called unknown, in seconds. A copy that goes on is never ended by a clock."),
    Setting::new("motion.late_answer_ms", Kind::Number { min: 10, max: 600_000 }, "5000", "How long an agent's answer may be late after the agent has said that the motion is over, and how long a request may lie unread in an agent that has not heard of the motion, in milliseconds."),
    Setting::new("motion.stall_s", Kind::Number { min: 1, max: 604_800 }, "600", "How long a motion may stand still before the host is told to stop it, in seconds: nothing more is copied although something is left to copy. One that moves may take days."),
    Setting::new("motion.open_commands", Kind::Number { min: 0, max: 1_000_000 }, "100", "How many motions at once wait for their hosts' answers on open connections. Of more than these, those whose agents can tell how far they are close theirs once the agent is at work, and the agent is asked for the end: an open file and 40 KiB less for each. Agents that cannot tell are always waited for."),
    Setting::new("motion.unseen_s", Kind::Number { min: 0, max: 604_800 }, "14400", "How long a motion goes on of which neither the agent nor the size of its files tells whether it moves, before an alert says so, in seconds. Nothing is stopped. 0: no alert."),
    Setting::new("maintenance.attempts", Kind::Number { min: 1, max: 1000 }, "3", "How often it is tried to move something away from a host or pool that is being emptied, before that is given up."),
    Setting::new("maintenance.again_s", Kind::Number { min: 1, max: 86_400 }, "60", "Between two attempts to move the same thing away, in seconds."),
    Setting::new("maintenance.moves_at_once", Kind::Number { min: 1, max: 1024 }, "2", "The most moves away from one host or pool at the same time."),
    Setting::new("drift.interval_s", Kind::Number { min: 0, max: 604_800 }, "3600", "Over which time the comparison of database and hosts is spread: every machine, and every disk that belongs to none, is looked at once in it, in seconds. 0 switches it off."),
    Setting::new("drift.looks_per_s", Kind::Number { min: 1, max: 1000 }, "20", "The most machines and disks that are looked at in a second for that comparison. Where there are too many for `drift.interval_s`, a round takes longer."),
    Setting::new("drift.hosts_at_once", Kind::Number { min: 1, max: 1024 }, "4", "The most hosts that are asked at the same time for that comparison."),
    Setting::new("agent.pins", Kind::Map, "", "SHA-256 fingerprints of agents' certificates by address: `10.0.0.5=ab12...`."),
];
