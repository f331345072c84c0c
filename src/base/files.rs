//! Reading a file that somebody named: a regular one, of a bounded size. Devices never end, and pipes may never begin.

use crate::base::Secret;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// Larger than any secret, key or certificate chain, in bytes.
pub const LARGEST_SECRET: u64 = 1024 * 1024;

/// Why [`read_secret`] refuses bytes that are no text.
pub const NOT_TEXT: &str = "it is not UTF-8";

/// Reads a whole file of at most `max` bytes.
///
/// # Errors
/// In words that go behind "cannot be read: ".
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, String> {
    // Before it is opened: opening a pipe waits for its other end.
    let metadata = std::fs::metadata(path).map_err(|error| reason(&error))?;
    if metadata.is_dir() {
        return Err("it is a directory".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| reason(&error))?;
    file.take(max + 1).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    if bytes.len() as u64 > max {
        return Err(format!("it is larger than {} MiB", max / 1024 / 1024));
    }
    Ok(bytes)
}

/// The text of a file that holds a secret: one line end, which editors and `echo` add, is not part of it.
///
/// # Errors
/// In words that go behind "cannot be read: ".
pub fn read_secret(path: &Path) -> Result<Secret, String> {
    let bytes = Zeroizing::new(read(path, LARGEST_SECRET)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| NOT_TEXT.to_owned())?;
    Ok(Secret::new(without_line_end(text)))
}

/// A text without its last line end.
fn without_line_end(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

/// An input/output error in words, without the operating system's number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_files_that_are_too_large_are_refused() {
        assert_eq!(read(Path::new("/dev/zero"), 10).unwrap_err(), "it is not a regular file");
        assert_eq!(read(Path::new("/"), 10).unwrap_err(), "it is a directory");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'x'; 1024 * 1024 + 1]).unwrap();
        assert_eq!(read(file.path(), 1024 * 1024).unwrap_err(), "it is larger than 1 MiB");
        assert_eq!(read(file.path(), 2 * 1024 * 1024).unwrap().len(), 1024 * 1024 + 1);
    }
}
