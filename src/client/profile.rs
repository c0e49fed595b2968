//! Where the client finds address and keys: flags, then the environment, then a profile of cloudmonkey.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Address and keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// The address of the API.
    pub url: String,
    /// The public half of the key pair.
    pub api_key: String,
    /// The secret half.
    pub secret_key: String,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("url", &self.url).field("api_key", &self.api_key).finish_non_exhaustive()
    }
}

/// Flags that say where to call and as whom.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AccessArgs {
    /// The address of the API, such as http://127.0.0.1:8080/client/api.
    #[arg(long)]
    pub url: Option<String>,
    /// The API key.
    #[arg(long, allow_hyphen_values = true)]
    pub api_key: Option<String>,
    /// The secret key. Prefer the environment or a profile: other users of the machine can see flags.
    #[arg(long, allow_hyphen_values = true)]
    pub secret_key: Option<String>,
    /// The profile of cloudmonkey's configuration to use.
    #[arg(long, short, env = "STACKMOTION_PROFILE")]
    pub profile: Option<String>,
    /// For HTTPS: trust only the certificates in this file (PEM) instead of the system's.
    #[arg(long, value_name = "FILE", env = "STACKMOTION_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Cloudmonkey's configuration; ~/.cmk/config when not given.
    #[arg(long, value_name = "FILE")]
    pub cmk_config: Option<PathBuf>,
}

/// Address or keys cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file that was named cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The profile that was named does not exist.
    #[error("there is no profile `{name}` in {path}")]
    NoProfile {
        /// The profile.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// Something is missing.
    #[error("{what} is not known; give {flag}, set {variable}, or add it to a profile in ~/.cmk/config")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// The flag for it.
        flag: &'static str,
        /// The variable for it.
        variable: &'static str,
    },
}

type Section = BTreeMap<String, String>;

/// What of a key pair is known.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// The public half.
    pub api_key: Option<String>,
    /// The secret half.
    pub secret_key: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("api_key", &self.api_key).finish_non_exhaustive()
    }
}

impl Access {
    /// Finds address and keys. `env` looks up a variable, `home` is the user's folder.
    ///
    /// # Errors
    /// When something is missing, or a file or profile that was named does not exist.
    pub fn find(
        args: &AccessArgs,
        env: impl Fn(&str) -> Option<String>,
        home: Option<&Path>,
    ) -> Result<Self, ProfileError> {
        let section = profile(args, home)?;
        let missing = |what, flag, variable| ProfileError::Missing { what, flag, variable };
        let keys = Keys::of(args, &env, &section);
        Ok(Self {
            url: pick(args.url.as_ref(), &env, ["STACKMOTION_URL", "CLOUDSTACK_ENDPOINT"], &section, "url")
                .ok_or_else(|| missing("the address of the API", "--url", "STACKMOTION_URL"))?,
            api_key: keys.api_key.ok_or_else(|| missing("the API key", "--api-key", "STACKMOTION_APIKEY"))?,
            secret_key: keys
                .secret_key
                .ok_or_else(|| missing("the secret key", "--secret-key", "STACKMOTION_SECRETKEY"))?,
        })
    }
}

impl Keys {
    /// Finds what is known of the key pair where [`Access::find`] looks for it; nothing has to be known.
    ///
    /// # Errors
    /// When a file or profile that was named does not exist.
    pub fn find(
        args: &AccessArgs,
        env: impl Fn(&str) -> Option<String>,
        home: Option<&Path>,
    ) -> Result<Self, ProfileError> {
        Ok(Self::of(args, &env, &profile(args, home)?))
    }

    fn of(args: &AccessArgs, env: &impl Fn(&str) -> Option<String>, section: &Section) -> Self {
        let pick = |flag: &Option<String>, variables, key| pick(flag.as_ref(), env, variables, section, key);
        Self {
            api_key: pick(&args.api_key, ["STACKMOTION_APIKEY", "CLOUDSTACK_KEY"], "apikey"),
            secret_key: pick(&args.secret_key, ["STACKMOTION_SECRETKEY", "CLOUDSTACK_SECRET"], "secretkey"),
        }
    }
}

/// The flag, else the first variable that says something, else the profile.
fn pick(
    flag: Option<&String>,
    env: &impl Fn(&str) -> Option<String>,
    variables: [&str; 2],
    section: &Section,
    key: &str,
) -> Option<String> {
    flag.cloned()
        .or_else(|| variables.iter().find_map(|name| env(name).filter(|value| !value.is_empty())))
        .or_else(|| section.get(key).cloned().filter(|value| !value.is_empty()))
}

fn profile(args: &AccessArgs, home: Option<&Path>) -> Result<Section, ProfileError> {
    let path = match (&args.cmk_config, home) {
        (Some(path), _) => path.clone(),
        (None, Some(home)) => home.join(".cmk/config"),
        (None, None) => return Ok(Section::new()),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) if args.cmk_config.is_none() && args.profile.is_none() => return Ok(Section::new()),
        Err(cause) => return Err(ProfileError::Read { path, cause }),
    };
    let mut sections = parse(&text);
    let chosen = sections.get("").and_then(|top| top.get("profile")).cloned();
    match (&args.profile, chosen) {
        (Some(name), _) => sections.remove(name).ok_or_else(|| ProfileError::NoProfile { name: name.clone(), path }),
        (None, Some(name)) => Ok(sections.remove(&name).unwrap_or_default()),
        (None, None) => Ok(sections.remove("localcloud").unwrap_or_default()),
    }
}

/// The sections of an INI file by name; what stands before the first has the name "".
fn parse(text: &str) -> BTreeMap<String, Section> {
    let mut sections = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = name.trim().to_owned();
            sections.entry(current.clone()).or_default();
        } else if let Some((key, value)) = line.split_once('=') {
            let section: &mut Section = sections.entry(current.clone()).or_default();
            section.insert(key.trim().to_lowercase(), value.trim().trim_matches('"').to_owned());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "# made by cmk\nprompt = x\nprofile = lab\n\n[lab]\nurl = http://lab/client/api\napikey = K1\nsecretkey = a=b\n[other]\nurl=http://other/\napikey=K2\nsecretkey=S2\n";

    fn find(args: &AccessArgs, env: &[(&str, &str)]) -> Result<Access, ProfileError> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".cmk")).unwrap();
        std::fs::write(home.path().join(".cmk/config"), CONFIG).unwrap();
        let lookup = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Access::find(args, lookup, Some(home.path()))
    }

    #[test]
    fn the_profile_that_the_file_names_is_used() {
        let access = find(&AccessArgs::default(), &[]).unwrap();
        assert_eq!(
            (access.url.as_str(), access.api_key.as_str(), access.secret_key.as_str()),
            ("http://lab/client/api", "K1", "a=b")
        );
    }

    #[test]
    fn flags_beat_environment_beats_profile() {
        let args =
            AccessArgs { profile: Some("other".into()), url: Some("http://flag/".into()), ..AccessArgs::default() };
        let env = [
            ("STACKMOTION_APIKEY", "E1"),
            ("CLOUDSTACK_KEY", "E2"),
            ("CLOUDSTACK_SECRET", "E3"),
            ("STACKMOTION_URL", "x"),
        ];
        let access = find(&args, &env).unwrap();
        assert_eq!(
            (access.url.as_str(), access.api_key.as_str(), access.secret_key.as_str()),
            ("http://flag/", "E1", "E3")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let args = AccessArgs { profile: Some("nowhere".into()), ..AccessArgs::default() };
        assert!(matches!(find(&args, &[]), Err(ProfileError::NoProfile { .. })));
        let error = Access::find(&AccessArgs::default(), |_| None, None).unwrap_err();
        assert!(error.to_string().contains("--url"), "{error}");
    }

    #[test]
    fn keys_need_not_be_known() {
        assert_eq!(Keys::find(&AccessArgs::default(), |_| None, None).unwrap(), Keys::default());
        let args = AccessArgs { secret_key: Some("S".into()), ..AccessArgs::default() };
        let keys = Keys::find(&args, |name| (name == "CLOUDSTACK_KEY").then(|| "K".to_owned()), None).unwrap();
        assert_eq!((keys.api_key.as_deref(), keys.secret_key.as_deref()), (Some("K"), Some("S")));
    }

    #[test]
    fn secrets_are_not_printed() {
        assert!(!format!("{:?}", find(&AccessArgs::default(), &[]).unwrap()).contains("a=b"));
        let keys = Keys { api_key: Some("K".into()), secret_key: Some("a=b".into()) };
        assert!(!format!("{keys:?}").contains("a=b"));
    }
}
