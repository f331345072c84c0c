//! `static.Modifier`: a file below a folder, found by the path of a request. Nothing outside of the folder is read.
//!
//! Of ranges (RFC 9110 §14) one at a time is served; several get the whole file, which is always allowed. The file is
//! read whole, so it suits what is small and local.

use super::MartianError;
use crate::base::files;
use crate::config::model::martian::StaticFiles;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// Larger files are not for this.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What of a file goes out.
#[derive(Debug)]
pub(super) struct Served {
    pub status: StatusCode,
    pub content_type: HeaderValue,
    pub content_range: Option<HeaderValue>,
    pub body: Bytes,
}

/// The file for a path, or 404.
pub(super) fn serve(files: &StaticFiles, path: &str, range: Option<&HeaderValue>) -> Result<Served, MartianError> {
    let Some((file, content)) = aside(|| read(files, path))? else {
        return Ok(Served {
            status: StatusCode::NOT_FOUND,
            content_type: HeaderValue::from_static("text/plain; charset=utf-8"),
            content_range: None,
            body: Bytes::new(),
        });
    };
    let whole = Served {
        status: StatusCode::OK,
        content_type: content_type(&file),
        content_range: None,
        body: content.clone(),
    };
    let length = content.len();
    let content_range = |text: String| HeaderValue::from_str(&text).ok();
    Ok(match range.map_or(Asked::Whole, |range| asked(range, length)) {
        Asked::Whole => whole,
        Asked::Part(part) => Served {
            status: StatusCode::PARTIAL_CONTENT,
            content_range: content_range(format!("bytes {}-{}/{length}", part.start, part.end - 1)),
            body: content.slice(part),
            ..whole
        },
        Asked::Nothing => Served {
            status: StatusCode::RANGE_NOT_SATISFIABLE,
            content_range: content_range(format!("bytes */{length}")),
            body: Bytes::new(),
            ..whole
        },
    })
}

/// Waits for the disk without letting other requests of this thread wait, too, where the runtime has threads that take them
/// over. One that has only this thread has none.
fn aside<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(wait),
        _ => wait(),
    }
}

/// The file for a path, and what it holds.
fn read(files: &StaticFiles, path: &str) -> Result<Option<(PathBuf, Bytes)>, MartianError> {
    let Some(file) = find(files, path) else { return Ok(None) };
    let content = files::read(&file, LARGEST).map_err(|_| MartianError::File)?;
    Ok(Some((file, content.into())))
}

/// A regular file below the root, wherever links lead.
fn find(files: &StaticFiles, path: &str) -> Option<PathBuf> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let clean = clean(&path)?;
    let file = match files.explicit.get(&format!("/{clean}")) {
        Some(explicit) => files.root.join(explicit),
        None => files.root.join(clean),
    };
    // The root may be a link too, which a deployment points elsewhere while we run.
    let (root, file) = (fs::canonicalize(&files.root).ok()?, fs::canonicalize(file).ok()?);
    (file.starts_with(root) && file.is_file()).then_some(file)
}

/// A path without dot segments and doubled slashes, and without a slash in front; `None` if it can name no file.
fn clean(path: &str) -> Option<String> {
    if path.contains(['\0', '\\']) {
        return None;
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    Some(segments.join("/"))
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<usize>),
    /// Bytes that are not there.
    Nothing,
}

/// What is not understood asks for the whole (RFC 9110 §14.2).
fn asked(range: &HeaderValue, length: usize) -> Asked {
    let spec = range
        .to_str()
        .ok()
        .and_then(|text| text.split_once('='))
        .filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = spec.and_then(|(_, spec)| spec.trim().split_once('-')) else { return Asked::Whole };
    // `parse` takes a sign.
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<usize>().ok()).flatten();
    let part = match (first, last) {
        ("", last) => number(last).map(|count| length.saturating_sub(count)..length),
        (first, "") => number(first).map(|first| first..length),
        (first, last) => number(first)
            .zip(number(last))
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| first..last.saturating_add(1).min(length)),
    };
    match part {
        None => Asked::Whole,
        Some(part) if part.start >= part.end => Asked::Nothing,
        Some(part) => Asked::Part(part),
    }
}

/// By the ending of the name; what is not listed is bytes.
const TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("json", "application/json"),
    ("xml", "text/xml; charset=utf-8"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("ico", "image/x-icon"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
];

fn content_type(file: &Path) -> HeaderValue {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let found = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    HeaderValue::from_static(found.map_or("application/octet-stream", |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn one_range_is_served_and_what_is_none_asks_for_all() {
        let range = |text: &str| asked(&HeaderValue::from_str(text).unwrap(), 10);
        for (text, expected) in [
            ("bytes=0-3", Asked::Part(0..4)),
            ("Bytes=8-", Asked::Part(8..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-30", Asked::Part(0..10)),
            ("bytes=5-99", Asked::Part(5..10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-4", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("bytes", Asked::Whole),
            ("bytes=0-18446744073709551615", Asked::Part(0..10)),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn other_requests_of_the_thread_do_not_wait_for_the_disk() {
        let (done, read) = std::sync::mpsc::channel();
        let waiting = tokio::spawn(async move {
            // It begins on this very thread, unless another takes it over.
            tokio::spawn(async move { done.send(()).unwrap() });
            aside(|| read.recv_timeout(Duration::from_secs(10)))
        });
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_waits_for_the_disk() {
        assert_eq!(aside(|| 1), 1);
    }

    #[test]
    fn paths_stay_below_the_root() {
        for (path, expected) in
            [("/a//b/./c", "a/b/c"), ("/../../etc/passwd", "etc/passwd"), ("/a/../b", "b"), ("/", "")]
        {
            assert_eq!(clean(path).as_deref(), Some(expected), "{path}");
        }
        assert_eq!(clean("/a\\..\\b"), None);
        assert_eq!(clean("/a\0"), None);
    }
}
