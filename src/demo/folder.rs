//! The folder of a demonstration: what it keeps between two starts, and the files that clients read keys from.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::store::KeyPair;

/// What is remembered of a demonstration. Its presence marks the folder as one.
const MEMORY_FILE: &str = "demo.json";

/// A folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system refused.
    #[error("cannot use {path}; check that it may be written to")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The folder holds something else.
    #[error(
        "{0} is not empty and holds no demonstration that was set up completely; nothing was touched; choose an empty or new \
         folder, or one that an earlier `stackmotion demo --data-dir` made"
    )]
    Foreign(PathBuf),
    /// The memory cannot be read.
    #[error("{path} cannot be read ({reason}); it was made by another version or is damaged; choose another folder")]
    Memory {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What is the same at every start in a folder.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    /// Port of the gateway.
    pub(super) port: u16,
    /// Port of the hosts; it stands in the database.
    pub(super) agent_port: u16,
    pub(super) api_key: String,
    pub(super) secret_key: String,
}

/// The folder. A temporary one is removed at the end.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    /// The named folder, made when it is not there, or a temporary one; with what it remembers.
    pub(super) fn open(named: Option<&Path>) -> Result<(Self, Option<Memory>), FolderError> {
        let temporary = named.is_none();
        let place = named.map_or_else(
            || std::env::temp_dir().join(format!("stackmotion-demo-{}", uuid::Uuid::new_v4().simple())),
            Path::to_path_buf,
        );
        let io = |cause| FolderError::Io { path: place.clone(), cause };
        // It will hold keys.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&place).map_err(io)?;
        let path = fs::canonicalize(&place).map_err(io)?;
        let memory_file = path.join(MEMORY_FILE);
        let memory = match fs::read(&memory_file) {
            Ok(bytes) => Some(
                serde_json::from_slice(&bytes)
                    .map_err(|error| FolderError::Memory { path: memory_file, reason: error.to_string() })?,
            ),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                if fs::read_dir(&path).map_err(io)?.next().is_some() {
                    return Err(FolderError::Foreign(path));
                }
                None
            }
            Err(cause) => return Err(FolderError::Io { path: memory_file, cause }),
        };
        Ok((Self { path, temporary }, memory))
    }

    /// Whether it is removed at the end.
    pub(super) fn is_temporary(&self) -> bool {
        self.temporary
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The gateway's data.
    pub(super) fn gateway(&self) -> PathBuf {
        self.path.join("gateway")
    }

    /// The hosts' world.
    pub(super) fn hosts(&self) -> PathBuf {
        self.path.join("hosts")
    }

    /// Variables for a shell: address and keys under the names that `stackmotion call` and `cs` read.
    pub(super) fn shell_file(&self) -> PathBuf {
        self.path.join("env.sh")
    }

    /// A configuration of cloudmonkey, which `stackmotion call --cmk-config` reads as well.
    pub(super) fn cmk_file(&self) -> PathBuf {
        self.path.join("cmk.config")
    }

    /// Writes the memory and the two files for clients; only the owner can read them.
    pub(super) fn remember(&self, memory: &Memory) -> Result<(), FolderError> {
        let url = url(memory.port);
        let (key, secret) = (&memory.api_key, &memory.secret_key);
        let shell = format!(
            "export CLOUDSTACK_ENDPOINT={url}\nexport CLOUDSTACK_KEY={key}\nexport CLOUDSTACK_SECRET={secret}\n"
        );
        write_private(&self.shell_file(), shell.as_bytes())?;
        let cmk = format!(
            "prompt = stackmotion\nasyncblock = true\ntimeout = 1800\noutput = json\nverifycert = true\nprofile = demo\n\n\
             [demo]\nurl = {url}\nusername = \npassword = \ndomain = /\napikey = {key}\nsecretkey = {secret}\n"
        );
        write_private(&self.cmk_file(), cmk.as_bytes())?;
        let path = self.path.join(MEMORY_FILE);
        let text = serde_json::to_vec_pretty(memory)
            .map_err(|error| FolderError::Memory { path: path.clone(), reason: error.to_string() })?;
        write_private(&path, &text)
    }
}

impl Memory {
    /// A new installation's.
    pub(super) fn new(agent_port: u16, keys: KeyPair) -> Self {
        Self { port: 0, agent_port, api_key: keys.api_key, secret_key: keys.secret_key.expose().to_owned() }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            // Whatever cannot be removed is left to the system, which clears its folder for temporary files.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Address of the API on a port of this machine.
pub(super) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/client/api")
}

/// Replaces a file as a whole; nobody but the owner can read it.
pub(super) fn write_private(path: &Path, content: &[u8]) -> Result<(), FolderError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| fs::rename(&fresh, path));
    written.map_err(|cause| FolderError::Io { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn memory() -> Memory {
        Memory::new(1, KeyPair { api_key: "k".into(), secret_key: Secret::new("s".into()) })
    }

    #[test]
    fn a_foreign_folder_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("precious"), "x").unwrap();
        assert!(matches!(Folder::open(Some(folder.path())), Err(FolderError::Foreign(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_remembers_and_a_temporary_one_goes() {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("a/b");
        let (folder, known) = Folder::open(Some(&place)).unwrap();
        assert!(known.is_none());
        folder.remember(&memory()).unwrap();
        drop(folder);
        let (_, known) = Folder::open(Some(&place)).unwrap();
        assert_eq!(known.unwrap().secret_key, "s");
        fs::write(place.join(MEMORY_FILE), "{").unwrap();
        assert!(matches!(Folder::open(Some(&place)), Err(FolderError::Memory { .. })));

        let (folder, _) = Folder::open(None).unwrap();
        let path = folder.path().to_owned();
        folder.remember(&memory()).unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
