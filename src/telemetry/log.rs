//! The process's log: `log` records to lines, with a level for our own targets and a cap for everybody else's.
//!
//! The cap is a matter of secrecy, not of taste: at `debug` Pingora prints whole upstream requests and at `trace` raw
//! bytes from the wire (`pingora-proxy/src/proxy_h1.rs`, `pingora-core/src/protocols/http/v1/client.rs`), h2 prints
//! frames and ureq requests. No level that a user can choose lets those out.

use crate::telemetry::lines::Lines;
use chrono::{DateTime, SecondsFormat, Utc};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::time::SystemTime;

/// The environment variable that sets the level: `error`, `warn`, `info` (the default), `debug` or `trace`.
pub const LEVEL_VARIABLE: &str = "PORTEUR_LOG";

/// The level named by [`LEVEL_VARIABLE`]; `info` when it is unset or no level.
#[must_use]
pub fn level_from_environment() -> LevelFilter {
    std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::Info)
}

/// Sends the process's log records to `lines`. Only the first call has an effect: the log belongs to the process.
pub fn install(lines: Lines, level: LevelFilter) {
    if log::set_boxed_logger(Box::new(Logger { lines, level })).is_ok() {
        log::set_max_level(level);
    }
}

struct Logger {
    lines: Lines,
    level: LevelFilter,
}

/// The most that a target may say, whatever the user's level.
fn cap(target: &str, level: LevelFilter) -> LevelFilter {
    let root = target.split("::").next().unwrap_or(target);
    match root {
        "porteur" => level,
        // An error line for each malformed request or lost client would let a scanner write our log; the access log and
        // the metrics have them. They show from `debug` on.
        // What the services themselves have to say (no more file descriptors) is for everybody.
        "pingora_core" if target.starts_with("pingora_core::services") => level.min(LevelFilter::Warn),
        "pingora_proxy" | "pingora_core" if level < LevelFilter::Debug => LevelFilter::Off,
        // A client can make it warn, by asking to renegotiate for one.
        "rustls" if level < LevelFilter::Debug => level.min(LevelFilter::Error),
        root if root.starts_with("pingora") => level.min(LevelFilter::Info),
        _ => level.min(LevelFilter::Warn),
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= cap(metadata.target(), self.level)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.lines.text(line(record));
        }
    }

    fn flush(&self) {}
}

fn line(record: &Record<'_>) -> String {
    let now = DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Millis, true);
    let level = match record.level() {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    // A line is a line: whatever a message quotes must not begin another.
    let message = record.args().to_string().replace(['\n', '\r'], " ");
    format!("{now} {level} {}: {message}", record.target())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_lets_wire_dumps_out() {
        for target in ["pingora_proxy::proxy_h1", "pingora_core::protocols::http::v1::client", "pingora_pool"] {
            assert!(cap(target, LevelFilter::Trace) <= LevelFilter::Info, "{target}");
        }
        for target in ["h2::codec", "rustls::client", "ureq::run", "ureq_proto", "hyper", "tokio"] {
            assert!(cap(target, LevelFilter::Trace) <= LevelFilter::Warn, "{target}");
        }
        assert_eq!(cap("porteur::token::keeper", LevelFilter::Trace), LevelFilter::Trace);
    }

    #[test]
    fn a_quiet_level_is_quiet_for_everybody() {
        assert_eq!(cap("h2", LevelFilter::Error), LevelFilter::Error);
        assert_eq!(cap("pingora_proxy", LevelFilter::Info), LevelFilter::Off);
        assert_eq!(cap("rustls::common_state", LevelFilter::Info), LevelFilter::Error);
        assert_eq!(cap("pingora_core::services::listening", LevelFilter::Info), LevelFilter::Warn);
    }
}
