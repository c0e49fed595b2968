//! How hosts, pools and disk files are named between CloudStack and Hyper-V.

use md5::{Digest, Md5};
use uuid::Builder;

/// Suffix of a Hyper-V host's guid (`contract/hyperv-wire.md` 6.1).
pub const GUID_SUFFIX: &str = "-HypervResource";

/// The UUID that CloudStack derives from a text: MD5 of the bytes in version 3 layout, without a
/// namespace (`contract/hyperv-wire.md` 6.1).
pub fn name_uuid(name: &str) -> String {
    let digest: [u8; 16] = Md5::digest(name.as_bytes()).into();
    Builder::from_md5_bytes(digest).into_uuid().to_string()
}

/// Guid of the host whose agent listens at `ip` (an address literal, not a name).
pub fn host_guid(ip: &str) -> String {
    format!("{}{GUID_SUFFIX}", name_uuid(ip))
}

/// Guid of a cluster that has none yet: derived from its id as text.
pub fn cluster_guid(cluster_id: i64) -> String {
    name_uuid(&cluster_id.to_string())
}

/// The part of a pool's path that may travel: everything before the first `?`. The rest holds
/// credentials or nothing (`contract/hyperv-wire.md` 6.3).
pub fn path_without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

/// UNC name of an SMB pool: two backslashes, the host, the path with its slashes turned
/// (`contract/hyperv-wire.md` 2.18 and 3.1). `host` is a name or address, `path` begins with a slash.
pub fn smb_unc(host: &str, path: &str) -> String {
    let path = path_without_query(path).trim_end_matches('/');
    format!("\\\\{}{}", host.to_lowercase(), path.replace('/', "\\"))
}

/// Name of a disk file: the stem and, unless the stem has an extension already, the format in lower
/// case (`contract/hyperv-wire.md` 2.18).
pub fn file_name(stem: &str, format: &str) -> String {
    if has_extension(stem) { stem.to_owned() } else { format!("{stem}.{}", format.to_lowercase()) }
}

/// Full Windows path of a file in a folder.
pub fn join(folder: &str, file: &str) -> String {
    format!("{}\\{file}", folder.trim_end_matches(['\\', '/']))
}

/// The last part of a Windows, UNC or slash-separated path.
pub fn base_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// The folder of a path, without a closing separator. Empty when the path has no folder.
pub fn folder_of(path: &str) -> &str {
    path.rfind(['\\', '/']).map_or("", |at| &path[..at])
}

/// File name without folder and without its last extension: what agents compare with `volumePath`
/// and `t.path`, letter for letter (`contract/hyperv-wire.md` 3.1).
pub fn stem_of(path: &str) -> &str {
    let name = base_name(path);
    name.rfind('.').map_or(name, |at| &name[..at])
}

/// Whether a file name has an extension.
fn has_extension(name: &str) -> bool {
    base_name(name).rfind('.').is_some_and(|at| at > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_follow_the_recorded_vectors() {
        for (ip, guid) in [
            ("192.0.2.21", "0def56b8-85b7-365e-b61d-277ce7a6b2d5-HypervResource"),
            ("192.0.2.22", "06b68ab4-7e77-35a4-a40d-11944bc46d1c-HypervResource"),
            ("127.0.0.4", "588f4773-f220-3d56-9d53-d5c3e2018339-HypervResource"),
        ] {
            assert_eq!(host_guid(ip), guid);
        }
        assert_eq!(cluster_guid(2), "c81e728d-9d4c-3f63-af06-7f89cc14862c");
        assert_eq!(cluster_guid(4), "a87ff679-a2f3-371d-9181-a67b7542122c");
    }

    #[test]
    fn smb_pools_become_unc_names_without_query() {
        assert_eq!(smb_unc("FS2.example.test", "/csprimary2?user=a&password=b"), "\\\\fs2.example.test\\csprimary2");
        assert_eq!(smb_unc("fs", "/a/b/"), "\\\\fs\\a\\b");
        assert_eq!(smb_unc("fs", "/share?"), "\\\\fs\\share");
        assert_eq!(smb_unc("10.1.1.10", "primary2"), "\\\\10.1.1.10primary2");
    }

    #[test]
    fn file_names_get_an_extension_only_when_they_have_none() {
        assert_eq!(file_name("abc", "VHDX"), "abc.vhdx");
        assert_eq!(file_name("abc.vhd", "VHDX"), "abc.vhd");
        assert_eq!(stem_of("\\\\fs\\share\\abc.def.vhdx"), "abc.def");
        assert_eq!(stem_of("D:\\VHDs\\abc"), "abc");
        assert_eq!(folder_of("D:\\VHDs\\abc.vhdx"), "D:\\VHDs");
        assert_eq!(join("D:\\VHDs\\", "a.vhdx"), "D:\\VHDs\\a.vhdx");
    }
}
