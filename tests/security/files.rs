//! The web UI's folder: what is given out of it, and what is not.

use std::os::unix::fs::symlink;

use stackmotion::commands::Policy;
use stackmotion::http::{Limits, Ui};

use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::{World, signed};

const SECRET: &str = "nobody is to read this";

struct Site {
    world: World,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        // Not a hidden folder, as temporary ones usually are: what is hidden is refused for that alone.
        let folder = tempfile::Builder::new().prefix("site").tempdir().unwrap();
        let root = folder.path().join("ui");
        for name in ["js", "locales", "api", ".git"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        std::fs::write(folder.path().join("secret.txt"), SECRET).unwrap();
        for (name, text) in [
            ("index.html", "<html>the UI</html>"),
            ("config.json", "{}"),
            ("js/app.0f3c2a1b.js", "let app = 1;"),
            ("locales/en.json", "{}"),
            ("api/index.html", SECRET),
            ("api/hidden.txt", SECRET),
            (".env", SECRET),
            (".git/config", SECRET),
        ] {
            std::fs::write(root.join(name), text).unwrap();
        }
        symlink(folder.path().join("secret.txt"), root.join("link.txt")).unwrap();
        symlink(folder.path(), root.join("up")).unwrap();
        symlink(root.join(".env"), root.join("env.txt")).unwrap();
        symlink(root.join("config.json"), root.join("also.json")).unwrap();
        let ui = Ui::in_folder(&root).unwrap();
        let world = World::with_everything(Policy::default(), None, Limits::default(), Some(ui)).await;
        Self { world, _folder: folder }
    }

    async fn get(&self, path: &str) -> RawResponse {
        RawRequest::get(path).send(self.world.address).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ui_is_served_beside_the_api() {
    let site = Site::start().await;
    for path in ["/client/", "/client/index.html"] {
        let index = site.get(path).await;
        assert_eq!((index.status, index.body.as_str()), (200, "<html>the UI</html>"), "{path}");
        assert_eq!(index.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(index.header("cache-control"), Some("no-cache"));
        assert_eq!(index.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(index.header("x-frame-options"), Some("SAMEORIGIN"));
        assert!(index.header("etag").is_some() && index.header("last-modified").is_some());
    }
    assert_eq!(site.get("/client/config.json").await.header("cache-control"), Some("no-cache"));
    let script = site.get("/client/js/app.0f3c2a1b.js").await;
    assert_eq!(script.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(site.get("/client/also.json").await.status, 200, "links inside lead somewhere");
    for (from, status, to) in [
        ("/client", 302, "/client/"),
        ("/", 301, "/client/"),
        ("/anything/else", 301, "/client/anything/else"),
        ("//elsewhere.example/x", 301, "/client/elsewhere.example/x"),
    ] {
        let answer = site.get(from).await;
        assert_eq!((answer.status, answer.header("location")), (status, Some(to)), "{from}");
    }
    for path in ["/client/api", "/client/api/", "/client/api/hidden.txt", "/client/api/index.html"] {
        let query = escape_pairs(&signed("admin", &[("command", "listZones"), ("response", "json")]));
        let answer = site.get(&format!("{path}?{query}")).await;
        assert!(answer.body.starts_with(r#"{"listzonesresponse""#), "{path}: {}", answer.body);
    }
    assert_eq!(site.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_and_unchanged_files_of_the_ui() {
    let site = Site::start().await;
    let with = async |name: &str, value: &str| {
        let mut request = RawRequest::get("/client/js/app.0f3c2a1b.js");
        request.headers.push((name.into(), value.into()));
        request.send(site.world.address).await
    };
    let part = with("Range", "bytes=4-6").await;
    assert_eq!((part.status, part.body.as_str()), (206, "app"));
    assert_eq!(with("Range", "bytes=900-").await.status, 416);
    let etag = site.get("/client/js/app.0f3c2a1b.js").await.header("etag").unwrap().to_owned();
    assert_eq!(with("If-None-Match", &etag).await.status, 304);
    let head = RawRequest { method: "HEAD".into(), ..RawRequest::get("/client/") }.send(site.world.address).await;
    assert_eq!((head.status, head.body.as_str(), head.header("content-length")), (200, "", Some("19")));
    let posted = RawRequest::form("/client/", "x=1").send(site.world.address).await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outside_and_nothing_hidden_is_given_out() {
    let site = Site::start().await;
    for path in [
        "/client/../secret.txt",
        "/client/%2e%2e/secret.txt",
        "/client/%2e%2e%2fsecret.txt",
        "/client/js/../../secret.txt",
        "/client/..%5csecret.txt",
        "/client/....//secret.txt",
        "/client/%252e%252e/secret.txt",
        "/client/..;/secret.txt",
        "/client/%00/../secret.txt",
        "/client/index.html%00.txt",
        "/client/link.txt",
        "/client/up/secret.txt",
        "/client/env.txt",
        "/client/.env",
        "/client/%2eenv",
        "/client/.git/config",
        "/client/js/",
        "/client/js",
        "/client/locales",
        "/client/%61pi/hidden.txt",
        "/client//api/hidden.txt",
        "/client/api%2fhidden.txt",
        "/client/missing.html",
        "/clientele",
        "/client2/",
    ] {
        let answer = site.get(path).await;
        assert!(matches!(answer.status, 404 | 400), "{path}: {} {}", answer.status, answer.body);
        assert!(!answer.body.contains(SECRET), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_without_an_index_is_no_ui() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Ui::in_folder(folder.path()).is_err());
    assert!(Ui::in_folder(&folder.path().join("missing")).is_err());
}
