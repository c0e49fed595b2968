//! Reading the sources of settings and laying them over each other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::table::{ENV_PREFIX, Kind, SETTINGS, Setting};

/// Names in the environment that begin alike but are not settings of the gateway: the client's, and the file itself.
const NOT_SETTINGS: &[&str] = &[
    "STACKMOTION_CONFIG",
    "STACKMOTION_URL",
    "STACKMOTION_APIKEY",
    "STACKMOTION_SECRETKEY",
    "STACKMOTION_PROFILE",
    "STACKMOTION_CA_FILE",
    "STACKMOTION_IMPORT_URL",
];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The settings file.
    File(PathBuf),
    /// A variable of the environment.
    Env(String),
    /// A flag on the command line.
    Flag(String),
    /// This setting of an attached database of CloudStack's.
    Database(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Database(name) => write!(f, "database {name}"),
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the settings file {path} is not valid TOML")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// Nobody knows this name.
    #[error("there is no setting `{key}` ({origin}){}", hint.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// The name.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// A name that looks alike.
        hint: Option<&'static str>,
    },
    /// The value does not fit.
    #[error("`{key}` cannot be `{value}` ({origin}): {expected}")]
    Value {
        /// The setting.
        key: &'static str,
        /// The value; of a secret only its kind.
        value: String,
        /// Where it stands.
        origin: Origin,
        /// What would fit.
        expected: String,
    },
    /// A flag is not `name=value`.
    #[error("`--set {0}` is not understood; write --set name=value, such as --set jobs.workers=8")]
    Flag(String),
}

/// Flags that every command which needs settings takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SettingsArgs {
    /// The settings file (TOML).
    #[arg(long, value_name = "FILE", env = "STACKMOTION_CONFIG")]
    pub config: Option<PathBuf>,
    /// The address the API listens on.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// The port of the API; 0 takes any free one.
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// The folder for everything that is written.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Where the database is: sqlite://... or mysql://...
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// The `cloud` database of a CloudStack that is used in place: mysql://...
    #[arg(long, value_name = "URL")]
    pub attach: Option<String>,
    /// The folder with CloudStack's web UI, served at /client/.
    #[arg(long, value_name = "DIR")]
    pub ui: Option<String>,
    /// What is logged: error, warn, info, debug, trace or a filter.
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// How log lines look: text or json.
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Any other setting, by its name: `--set jobs.workers=8`.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

impl SettingsArgs {
    /// The flags given, as name of the setting, name of the flag, value.
    fn given(&self) -> Result<Vec<(String, String, String)>, SettingsError> {
        let named = [
            ("listen", "--listen", &self.listen),
            ("port", "--port", &self.port),
            ("data_dir", "--data-dir", &self.data_dir),
            ("database.url", "--database-url", &self.database_url),
            ("database.attach", "--attach", &self.attach),
            ("ui.dir", "--ui", &self.ui),
            ("log.level", "--log-level", &self.log_level),
            ("log.format", "--log-format", &self.log_format),
        ];
        let mut given: Vec<_> = named
            .into_iter()
            .filter_map(|(key, flag, value)| Some((key.to_owned(), flag.to_owned(), value.clone()?)))
            .collect();
        for text in &self.set {
            let (key, value) = text.split_once('=').ok_or_else(|| SettingsError::Flag(text.clone()))?;
            given.push((key.trim().to_owned(), "--set".to_owned(), value.to_owned()));
        }
        Ok(given)
    }
}

/// Where settings are read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The environment, as name and value.
    pub env: Vec<(String, String)>,
    /// The flags.
    pub flags: SettingsArgs,
}

impl Sources {
    /// The environment of this process and these flags.
    pub fn of_process(flags: SettingsArgs) -> Self {
        Self { env: std::env::vars().collect(), flags }
    }
}

/// The value of every setting with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Effective {
    /// Lays the sources over each other: defaults, file, environment, flags.
    ///
    /// # Errors
    /// When a source cannot be read, a name is unknown or a value does not fit.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        let mut values = SETTINGS
            .iter()
            .map(|setting| (setting.key, (setting.default.to_owned(), Origin::Default)))
            .collect::<BTreeMap<_, _>>();
        if let Some(path) = &sources.flags.config {
            for (key, value) in read_file(path)? {
                put(&mut values, &key, value, Origin::File(path.clone()))?;
            }
        }
        for (name, value) in &sources.env {
            if name.starts_with(ENV_PREFIX) && !NOT_SETTINGS.contains(&name.as_str()) {
                let known = SETTINGS.iter().find(|setting| setting.env_name() == *name);
                let key = known.map_or(name.as_str(), |setting| setting.key);
                put(&mut values, key, value.clone(), Origin::Env(name.clone()))?;
            }
        }
        for (key, flag, value) in sources.flags.given()? {
            put(&mut values, &key, value, Origin::Flag(flag))?;
        }
        Ok(Self { values })
    }

    /// The text of a setting and where it came from. Every key of the table has one.
    pub fn get(&self, key: &str) -> (&str, &Origin) {
        match self.values.get(key) {
            Some((value, origin)) => (value, origin),
            None => ("", &Origin::Default),
        }
    }

    /// Lays one more value over what is there.
    ///
    /// # Errors
    /// When the value does not fit.
    pub(super) fn lay(&mut self, key: &str, value: String, origin: Origin) -> Result<(), SettingsError> {
        put(&mut self.values, key, value, origin)
    }

    /// All values with their origins, secrets hidden, as TOML with comments.
    pub fn print(&self) -> String {
        let mut text = String::new();
        for setting in SETTINGS {
            let (value, origin) = self.get(setting.key);
            let shown = match setting.kind {
                Kind::Number { .. } | Kind::Switch => value.to_owned(),
                _ => toml::Value::String(redacted(setting, value)).to_string(),
            };
            text.push_str(&format!("{} = {shown}  # {origin}\n", setting.key));
        }
        text
    }
}

fn put(
    values: &mut BTreeMap<&'static str, (String, Origin)>,
    key: &str,
    value: String,
    origin: Origin,
) -> Result<(), SettingsError> {
    let Some(setting) = Setting::find(key) else {
        return Err(SettingsError::Unknown { key: key.to_owned(), hint: nearest(key), origin });
    };
    if let Err(expected) = fits(setting.kind, &value) {
        return Err(SettingsError::Value { key: setting.key, value: redacted(setting, &value), origin, expected });
    }
    values.insert(setting.key, (value, origin));
    Ok(())
}

fn fits(kind: Kind, value: &str) -> Result<(), String> {
    match kind {
        Kind::Text | Kind::Path => Ok(()),
        Kind::Number { min, max } => match value.trim().parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(()),
            _ => Err(format!("a whole number from {min} to {max} is needed")),
        },
        Kind::Switch if matches!(value, "true" | "false") => Ok(()),
        Kind::Switch => Err("true or false is needed".to_owned()),
        Kind::Choice(words) if words.contains(&value) => Ok(()),
        Kind::Choice(words) => Err(format!("one of {} is needed", words.join(", "))),
        Kind::Map if value.split(',').filter(|item| !item.is_empty()).all(|item| item.contains('=')) => Ok(()),
        Kind::Map => Err("name=value, separated by commas, is needed".to_owned()),
    }
}

/// What may be shown of a value: of a URL everything but the password, of another secret nothing.
fn redacted(setting: &Setting, value: &str) -> String {
    if !setting.is_secret || value.is_empty() {
        return value.to_owned();
    }
    let Some((scheme, rest)) = value.split_once("://") else {
        return "***".to_owned();
    };
    // Parameters after `?` may carry a password too.
    let rest = rest.split('?').next().unwrap_or_default();
    match rest.rsplit_once('@') {
        None => format!("{scheme}://{rest}"),
        Some((login, place)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{place}")
        }
    }
}

fn read_file(path: &PathBuf) -> Result<Vec<(String, String)>, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|cause| SettingsError::Read { path: path.clone(), cause })?;
    let table: toml::Table =
        text.parse().map_err(|cause| SettingsError::Toml { path: path.clone(), cause: Box::new(cause) })?;
    let mut values = Vec::new();
    flatten("", &table, &mut values);
    Ok(values)
}

fn flatten(prefix: &str, table: &toml::Table, values: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let is_map = Setting::find(&key).is_some_and(|setting| setting.kind == Kind::Map);
        match value {
            toml::Value::Table(inner) if is_map => {
                let items: Vec<_> = inner.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
                values.push((key, items.join(",")));
            }
            toml::Value::Table(inner) => flatten(&key, inner, values),
            other => values.push((key, plain(other))),
        }
    }
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The known name with the same letters in another order or case, or the same last part.
fn nearest(key: &str) -> Option<&'static str> {
    let bare = |name: &str| name.to_lowercase().replace(['_', '-', '.'], "");
    let wanted = bare(key.strip_prefix(ENV_PREFIX).unwrap_or(key));
    SETTINGS.iter().map(|setting| setting.key).find(|known| {
        let known = bare(known);
        known == wanted || known.ends_with(&wanted) || wanted.ends_with(&known)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: Option<&str>, env: &[(&str, &str)], set: &[&str]) -> Result<Effective, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stackmotion.toml");
        let config = file.map(|text| {
            std::fs::write(&path, text).unwrap();
            path
        });
        Effective::load(&Sources {
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            flags: SettingsArgs {
                config,
                set: set.iter().map(|text| (*text).to_owned()).collect(),
                ..SettingsArgs::default()
            },
        })
    }

    #[test]
    fn later_sources_win_and_are_named() {
        let file = "port = 1\n[jobs]\nworkers = 2\n[agent.pins]\n\"10.0.0.5\" = \"ab\"\n";
        let env =
            [("STACKMOTION_PORT", "2"), ("STACKMOTION_AGENT_TLS", "openssl"), ("HOME", "x"), ("STACKMOTION_URL", "x")];
        let effective = load(Some(file), &env, &["port=3"]).unwrap();
        assert_eq!(effective.get("port"), ("3", &Origin::Flag("--set".into())));
        assert_eq!(effective.get("agent.tls"), ("openssl", &Origin::Env("STACKMOTION_AGENT_TLS".into())));
        assert!(matches!(effective.get("jobs.workers"), ("2", Origin::File(_))));
        assert_eq!(effective.get("agent.pins").0, "10.0.0.5=ab");
        assert_eq!(effective.get("log.level"), ("info", &Origin::Default));
    }

    #[test]
    fn unknown_names_are_refused_everywhere() {
        for refused in [
            load(Some("prot = 1"), &[], &[]),
            load(Some("[job]\nworkers = 1"), &[], &[]),
            load(None, &[("STACKMOTION_PROT", "1")], &[]),
            load(None, &[], &["prot=1"]),
        ] {
            assert!(matches!(refused, Err(SettingsError::Unknown { .. })), "{refused:?}");
        }
        let text = load(None, &[("STACKMOTION_DATABASEURL", "1")], &[]).unwrap_err().to_string();
        assert!(text.contains("did you mean `database.url`?"), "{text}");
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        for set in ["port=70000", "port=x", "log.format=xml", "https.enabled=yes", "agent.pins=abc"] {
            assert!(matches!(load(None, &[], &[set]), Err(SettingsError::Value { .. })), "{set}");
        }
        assert!(matches!(load(None, &[], &["port"]), Err(SettingsError::Flag(_))));
        assert!(matches!(load(Some("= 1"), &[], &[]), Err(SettingsError::Toml { .. })));
    }

    #[test]
    fn secrets_are_not_shown() {
        let effective = load(None, &[], &["database.url=mysql://root:p@ss:word@db:3306/cloud?password=x"]).unwrap();
        let text = effective.print();
        assert!(text.contains("database.url = \"mysql://root:***@db:3306/cloud\"  # flag --set"), "{text}");
        assert!(!text.contains("word"), "{text}");
        for line in text.lines() {
            assert!(line.contains("  # "), "{line}");
        }
    }
}
