//! Where the upstream is.

use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, InvalidUri, Parts, PathAndQuery, Scheme};

/// The address of the upstream's API, such as `http://mgmt:8080/client/api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    authority: Authority,
    path: String,
}

/// A text is not the address of an API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an address such as http://mgmt:8080/client/api is needed: http or https, a host, a path, and nothing behind it"
)]
pub struct TargetError;

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let uri: Uri = text.parse().map_err(|_| TargetError)?;
        let Parts { scheme: Some(scheme), authority: Some(authority), path_and_query: Some(path), .. } =
            uri.into_parts()
        else {
            return Err(TargetError);
        };
        let is_http = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        // A password in the address would end up in logs; CloudStack's API wants none.
        let is_bare = path.query().is_none() && !text.contains('#') && !authority.as_str().contains('@');
        let path = path.path().trim_end_matches('/');
        if !is_http || !is_bare || path.is_empty() || authority.host().is_empty() {
            return Err(TargetError);
        }
        Ok(Self { path: path.to_owned(), scheme, authority })
    }
}

impl Target {
    /// Host and port, for messages.
    pub fn address(&self) -> &str {
        self.authority.as_str()
    }

    /// Whether it is talked to over TLS.
    pub fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The URI for a request: our path, the client's query as it came.
    ///
    /// Of the client's path only the session id is kept. Whatever else follows `/client/api` means nothing to CloudStack
    /// (`contract/api-protocol.md 1.1`), and `..` in it would lead out of the API.
    ///
    /// # Errors
    /// When the query holds what no request line may have.
    pub fn uri(&self, session_in_path: Option<&str>, query: Option<&str>) -> Result<Uri, InvalidUri> {
        let mut target = self.path.clone();
        let is_id = |id: &&str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if let Some(id) = session_in_path.filter(is_id) {
            target.push_str(";jsessionid=");
            target.push_str(id);
        }
        if let Some(query) = query {
            target.push('?');
            target.push_str(query);
        }
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(target)?);
        Ok(Uri::from_parts(parts).expect("scheme, authority and path make an address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["http://mgmt:8080/client/api", "https://10.0.0.1/client/api/", "http://[::1]:8080/x"] {
            assert!(good.parse::<Target>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "mgmt:8080",
            "/client/api",
            "http://mgmt",
            "http://mgmt/",
            "ftp://m/x",
            "http://m/x?y",
            "http://m/x#y",
            "http://u:p@m/x",
        ] {
            assert_eq!(bad.parse::<Target>(), Err(TargetError), "{bad}");
        }
    }

    #[test]
    fn the_query_stays_as_it_came() {
        let target: Target = "http://m:1/client/api/".parse().unwrap();
        let query = "a=%7e~%2b+&b[0].c='{}|^`\\&&=x&a=%c3%b6&command=Ab";
        assert_eq!(
            target.uri(None, Some(query)).unwrap().path_and_query().unwrap().as_str(),
            format!("/client/api?{query}")
        );
        assert_eq!(target.uri(None, None).unwrap().to_string(), "http://m:1/client/api");
        assert!(target.uri(None, Some("a b\r\nx: y")).is_err());
    }

    #[test]
    fn only_an_id_is_taken_from_the_path() {
        let target: Target = "http://m/client/api".parse().unwrap();
        let with = |id| target.uri(Some(id), None).unwrap().path().to_owned();
        assert_eq!(with("node0a.node0"), "/client/api;jsessionid=node0a.node0");
        assert_eq!(with("x/../../console"), "/client/api");
        assert_eq!(with("%2e%2e"), "/client/api");
    }
}
