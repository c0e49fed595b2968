//! What may stand in names of files, shares, folders and servers that are sent to an agent.
//!
//! An agent puts them together as they are and opens what comes out (`contract/hyperv-wire.md` 3.1), with the rights of a
//! service account. The rows they come from are written by people, scripts and other servers; a row that leads elsewhere is
//! refused here, before anything is sent.

/// Signs that Windows takes for something else than a letter of a name: wildcards, pipes, drives and streams.
const NOT_IN_NAMES: [char; 7] = ['<', '>', ':', '"', '|', '?', '*'];
/// Names that are devices, with any extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Why a name cannot be that of a file or a folder; `None` when it can.
pub(super) fn wrong_with_name(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let base = lower.split('.').next().unwrap_or_default().trim_end();
    let is_port = base
        .strip_prefix("com")
        .or_else(|| base.strip_prefix("lpt"))
        .is_some_and(|rest| rest.len() == 1 && rest.starts_with(|sign: char| sign.is_ascii_digit() && sign != '0'));
    if name.chars().any(char::is_control) {
        Some("it has a sign in it that cannot be seen")
    } else if name.contains(['/', '\\']) {
        Some("it has a slash in it")
    } else if name.contains(NOT_IN_NAMES) {
        Some("it has one of < > : \" | ? * in it")
    } else if name.chars().all(|sign| matches!(sign, '.' | ' ')) {
        Some("it is no name")
    } else if name.ends_with(['.', ' ']) {
        Some("it ends with a dot or a blank, which Windows drops")
    } else if is_port || DEVICES.contains(&base) {
        Some("it is the name of a device")
    } else {
        None
    }
}

/// Why a path cannot be that of a share, `/share/folder`.
pub(super) fn wrong_with_share(path: &str) -> Option<&'static str> {
    match path.strip_prefix('/') {
        None => Some("it does not begin with a slash"),
        Some(rest) => wrong_with_parts(rest),
    }
}

/// Why a path cannot be that of a folder on a host, `D:\disks`.
pub(super) fn wrong_with_folder(path: &str) -> Option<&'static str> {
    let mut signs = path.chars();
    let is_on_drive = signs.next().is_some_and(|sign| sign.is_ascii_alphabetic()) && signs.next() == Some(':');
    let rest = if is_on_drive { &path[2..] } else { path };
    match rest.strip_prefix(['/', '\\']) {
        None => Some("it does not say from which drive's root it goes"),
        Some(rest) => wrong_with_parts(rest),
    }
}

/// Both kinds of slash part a path; a part that is empty makes the beginning of a path on another server.
fn wrong_with_parts(path: &str) -> Option<&'static str> {
    let path = match path.strip_suffix(['/', '\\']) {
        // What ends with a slash names the same folder.
        Some(rest) if !rest.is_empty() => rest,
        _ => path,
    };
    path.split(['/', '\\']).filter(|_| !path.is_empty()).find_map(|part| match part {
        "" => Some("it has two slashes in a row"),
        ".." | "." => Some("it leads upwards"),
        part => wrong_with_name(part),
    })
}

/// Why a text cannot be the name or address of a server.
pub(super) fn wrong_with_server(host: &str) -> Option<&'static str> {
    let fits = |sign: char| sign.is_alphanumeric() || matches!(sign, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() {
        Some("it is empty")
    } else if !host.chars().all(fits) {
        Some("it has a sign in it that no name and no address has")
    } else if host.starts_with('.') {
        Some("it begins with a dot")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["ROOT-7", "1c4f-aa", "a..b", "disk 1", "Größe", "console", "com10"] {
            assert_eq!(wrong_with_name(good), None, "{good}");
        }
        for bad in [
            "..", ".", "", " ", "a/b", "a\\b", "C:x", "a:stream", "a*", "a\0", "a\n", "nul", "NUL.x", "com1", "a.",
            "a ",
        ] {
            assert!(wrong_with_name(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn shares() {
        for good in ["/share", "/share/a/b", "/share/", "/", "/c$/disks"] {
            assert_eq!(wrong_with_share(good), None, "{good}");
        }
        for bad in
            ["share", "//other/share", "/a/../b", "/a\\..\\b", "/a//b", "/C:/x", "/a\0", "\\\\other\\share", "/a/."]
        {
            assert!(wrong_with_share(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn folders() {
        for good in ["D:\\disks", "c:/disks/a", "D:\\", "/srv/disks"] {
            assert_eq!(wrong_with_folder(good), None, "{good}");
        }
        for bad in [
            "",
            "disks",
            "D:disks",
            "\\\\other\\share",
            "//other/share",
            "\\\\?\\D:\\x",
            "D:\\a\\..\\b",
            "D:\\a:b",
            "D:\\a\0",
        ] {
            assert!(wrong_with_folder(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn servers() {
        for good in ["filer", "filer.example.org", "10.0.0.1", "fd00::1"] {
            assert_eq!(wrong_with_server(good), None, "{good}");
        }
        for bad in ["", "..", "a/b", "a\\b", "a b", "a\0", "a@b", "a\nb"] {
            assert!(wrong_with_server(bad).is_some(), "{bad:?}");
        }
    }
}
