//! CloudStack's web UI, served from a folder at `/client/` (`contract/ui.md`, `contract/api-protocol.md 1.1`).

use std::io;
use std::path::{Path, PathBuf};

use actix_files::NamedFile;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

use super::answer;
use super::params::decode_path;

/// Where the UI is.
const UI_PATH: &str = "/client/";
/// The file that is given for the folder itself.
const INDEX: &str = "index.html";
/// What may be kept, and for how long: names with a hash in them never change their content.
const FOR_A_YEAR: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";
/// Nobody may frame the UI, load plug-ins into it or bend its links. Scripts and styles are not limited: the UI brings
/// inline ones, and plug-ins of the operator may bring others.
const POLICY: &str = "frame-ancestors 'self'; object-src 'none'; base-uri 'self'";

/// The folder of the UI.
#[derive(Debug, Clone)]
pub struct Ui {
    /// Absolute, without links in it.
    root: PathBuf,
}

impl Ui {
    /// The UI in this folder.
    ///
    /// # Errors
    /// When there is no such folder or no `index.html` in it.
    pub fn in_folder(folder: &Path) -> io::Result<Self> {
        let root = folder.canonicalize()?;
        if root.join(INDEX).is_file() {
            Ok(Self { root })
        } else {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no {INDEX} in it")))
        }
    }

    /// Answers a request whose path is none of the API's.
    pub(super) async fn answer(&self, request: &HttpRequest, path: &str) -> HttpResponse {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = answer::bare(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        if path == UI_PATH.trim_end_matches('/') {
            return redirect(StatusCode::FOUND, UI_PATH);
        }
        let Some(tail) = path.strip_prefix(UI_PATH) else {
            // What is not below `/client` is looked for there; the container does the same.
            let is_outside = path.starts_with('/') && !path.starts_with("/client");
            return if is_outside {
                redirect(StatusCode::MOVED_PERMANENTLY, &format!("{UI_PATH}{}", path.trim_start_matches('/')))
            } else {
                not_found()
            };
        };
        let Some(relative) = inside(tail) else { return not_found() };
        let (root, wanted) = (self.root.clone(), relative.clone());
        // Disks may be slow; the threads that answer are not to wait for them.
        let found = actix_web::web::block(move || open(&root, &wanted)).await;
        match found {
            Ok(Ok(file)) => self.send(request, file, &relative),
            _ => not_found(),
        }
    }

    fn send(&self, request: &HttpRequest, file: NamedFile, relative: &Path) -> HttpResponse {
        let mut response = file.disable_content_disposition().prefer_utf8(true).into_response(request);
        let headers = response.headers_mut();
        let keep = if has_hash(relative) { FOR_A_YEAR } else { ASK_AGAIN };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        response
    }
}

fn redirect(status: StatusCode, to: &str) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::LOCATION, to)).finish()
}

fn not_found() -> HttpResponse {
    answer::page(StatusCode::NOT_FOUND, "Not Found")
}

/// The path of a file below the folder, if it can be one: nothing hidden, nothing upwards, nothing that a system reads
/// differently, and nothing that the API answers for under another spelling.
fn inside(tail: &str) -> Option<PathBuf> {
    let text = decode_path(tail)?;
    let mut path = PathBuf::new();
    for part in text.split('/').filter(|part| !part.is_empty()) {
        let is_odd = part.starts_with('.') || part.contains(['\\', ':', '\0']) || part.chars().any(char::is_control);
        if is_odd {
            return None;
        }
        path.push(part);
    }
    if path.starts_with("api") {
        return None;
    }
    if text.is_empty() {
        path.push(INDEX);
    }
    Some(path)
}

/// Opens a plain file below the root. A link that leads out of it leads nowhere.
fn open(root: &Path, relative: &Path) -> io::Result<NamedFile> {
    let path = root.join(relative).canonicalize()?;
    let is_hidden = |part: std::path::Component<'_>| part.as_os_str().to_string_lossy().starts_with('.');
    let below = path.strip_prefix(root).map_err(|_| io::ErrorKind::NotFound)?;
    if !path.is_file() || below.components().any(is_hidden) {
        return Err(io::ErrorKind::NotFound.into());
    }
    NamedFile::open(path)
}

/// Whether a name has a hash in it, as the UI's build gives its scripts and styles: `app.0f3c2a1b.js`, `chunk-vendors.1a2b3c4d.css`.
fn has_hash(relative: &Path) -> bool {
    let name = relative.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_hash = |part: &str| {
        part.len() >= 8
            && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            && part.bytes().any(|byte| byte.is_ascii_digit())
    };
    name.split(['.', '-']).any(is_hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_inside_and_paths_that_are_none() {
        assert_eq!(inside("").unwrap(), Path::new(INDEX));
        assert_eq!(inside("js/app.js").unwrap(), Path::new("js/app.js"));
        assert_eq!(inside("a%20b//c").unwrap(), Path::new("a b/c"));
        for odd in [
            "../x",
            "%2e%2e/x",
            "a/%2E./x",
            ".git/config",
            "a/.env",
            "a%5cb",
            "c:x",
            "a%00",
            "%ff",
            "%zz",
            "%61pi/x",
            "api",
        ] {
            assert_eq!(inside(odd), None, "{odd}");
        }
    }

    #[test]
    fn names_with_a_hash() {
        for name in ["js/app.0f3c2a1b.js", "css/chunk-vendors.1a2b3c4d.css", "assets/logo-12ab34cd.svg"] {
            assert!(has_hash(Path::new(name)), "{name}");
        }
        for name in ["index.html", "config.json", "locales/en.json", "js/deadbeef.js", "a.1a2b.js"] {
            assert!(!has_hash(Path::new(name)), "{name}");
        }
    }
}
