//! A configuration file in a folder of its own, gone when dropped.

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct ConfigFile {
    dir: TempDir,
    path: PathBuf,
}

impl ConfigFile {
    pub fn json(text: impl AsRef<str>) -> Self {
        Self::named("porteur.json", text)
    }

    pub fn yaml(text: impl AsRef<str>) -> Self {
        Self::named("porteur.yaml", text)
    }

    pub fn named(name: &str, text: impl AsRef<str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, text.as_ref()).unwrap();
        Self { dir, path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another file beside it: a secret, a key, a certificate.
    pub fn beside(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Puts a new text in its place at once, so that no reader sees half of it.
    pub fn replace(&self, text: impl AsRef<str>) {
        let draft = self.beside(".next", text.as_ref());
        fs::rename(draft, &self.path).unwrap();
    }
}
