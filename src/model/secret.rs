//! Texts that must not be shown.

use std::fmt;

/// A text that proves who somebody is. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for those who have to use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// Words in the names of parameters and settings whose values nobody is to read.
const SECRET_WORDS: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "accesskey", "privatekey", "sessionkey", "userdata", "codefor2fa"];

/// Whether a parameter or setting of this name holds something that nobody is to read. Letter case does not matter.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    after_secret_word(&name.to_ascii_lowercase()).is_some()
}

/// Whether a text says something of the form `password=x` or `"secretkey": "x"`, as addresses of shares do.
#[must_use]
pub fn tells_secret(text: &str) -> bool {
    after_secret_word(&text.to_ascii_lowercase()).is_some_and(|rest| rest.contains(['=', ':']))
}

/// What stands behind the first of the words in a lower-case text.
fn after_secret_word(text: &str) -> Option<&str> {
    let ends = SECRET_WORDS.iter().filter_map(|word| text.find(word).map(|at| at + word.len()));
    ends.min().map(|end| &text[end..])
}

/// Random bytes that nobody can guess, from the operating system.
///
/// # Panics
/// When the system has none, which no supported system does once it is up: there is nothing to go on with then.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in ["password", "currentPassword", "details[0].secretkey", "sessionkey", "userData", "codefor2fa"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["apikey", "command", "keyword", "name", ""] {
            assert!(!is_secret_name(name), "{name}");
        }
        assert!(tells_secret("cifs://host/share?user=u&Password=p"));
        assert!(!tells_secret("resetPasswordForVirtualMachine"));
    }

    #[test]
    fn it_does_not_show() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!((format!("{secret:?}").as_str(), secret.expose()), ("Secret", "hunter2"));
    }
}
