//! `porteur token`: one credential's token, fetched now and shown to whoever asked.

use crate::base::clock::SystemClock;
use crate::base::{Moment, duration};
use crate::cli::load::Configuration;
use crate::cli::{FAILED, failed, print};
use crate::token::answer::{Grant, Lifetime};
use crate::token::error::FetchError;
use crate::token::exchange::{Exchange, Fetch, Fetched};
use crate::token::jwt;
use crate::token::lifecycle::assumed_lifetime;
use crate::token::table::{Binding, Entry, TokenTable};
use clap::Args;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(flatten)]
    configuration: Configuration,
    /// Which credential; only needed when there are several. `porteur routes` shows their names.
    #[arg(long)]
    name: Option<String>,
    /// Print the token itself. Whoever sees it can use it.
    #[arg(long)]
    reveal: bool,
}

impl Token {
    pub(super) fn execute(self) -> ExitCode {
        let (_, table) = match self.configuration.model_with_tokens() {
            Ok(read) => read,
            Err(code) => return code,
        };
        let entry = match self.entry(&table) {
            Ok(entry) => entry,
            Err(reason) => return failed(reason),
        };
        match fetch(entry) {
            Ok(fetched) => {
                describe(entry, &fetched).iter().for_each(print::line);
                claims(&fetched.grant).iter().for_each(print::line);
                let token = fetched.grant.access_token;
                let shown = if self.reveal { token.expose() } else { "hidden; --reveal shows it" };
                print::line(format_args!("token       {shown}"));
                ExitCode::SUCCESS
            }
            Err(error) => failed(format_args!("no token for `{}`: {error}", entry.slot.name)),
        }
    }

    fn entry<'t>(&self, table: &'t TokenTable) -> Result<&'t Entry, String> {
        let names = || table.slots().map(|slot| format!("`{}`", slot.name)).collect::<Vec<_>>().join(", ");
        let mut entries = table.entries();
        match (&self.name, entries.next(), entries.next()) {
            (_, None, _) => Err("the configuration has no credential".to_owned()),
            (Some(name), ..) => {
                table.named(name).ok_or_else(|| format!("there is no credential `{name}`; there are {}", names()))
            }
            (None, Some(only), None) => Ok(only),
            (None, Some(_), Some(_)) => Err(format!("there are several credentials; choose with --name: {}", names())),
        }
    }
}

/// One token for each credential, for `check --tokens`: the lines to print, and whether every fetch worked.
pub(super) fn try_all(table: &TokenTable) -> (Vec<String>, ExitCode) {
    let mut lines = Vec::new();
    let mut failures = 0;
    for entry in table.entries() {
        match fetch(entry) {
            Ok(fetched) => lines.extend(describe(entry, &fetched)),
            Err(error) => {
                lines.push(format!("credential  {}", entry.slot.name));
                lines.push(format!("failed      {error}"));
                failures += 1;
            }
        }
        lines.push(String::new());
    }
    let count = table.entries().count();
    lines.push(format!("tokens: {} of {count} fetched", count - failures));
    (lines, if failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn fetch(entry: &Entry) -> Result<Fetched, FetchError> {
    Exchange::new(entry.credential.clone(), entry.slot.dpop.clone(), Arc::new(SystemClock)).fetch()
}

fn describe(entry: &Entry, fetched: &Fetched) -> Vec<String> {
    let grant = &fetched.grant;
    let credential = &entry.credential;
    let asked = credential.scopes.join(" ");
    let lifetime = match grant.lifetime {
        Lifetime::Given(lifetime) => duration::format_seconds(lifetime),
        Lifetime::Over => "none: `expires_in` is 0 or less".to_owned(),
        Lifetime::Missing => format!(
            "not said; {} is assumed",
            assumed_lifetime(grant, credential.default_ttl, fetched.requested_at.wall)
                .map_or_else(|| "no end".to_owned(), duration::format_seconds)
        ),
    };
    let scopes = match &grant.scope {
        Some(granted) => granted.clone(),
        // RFC 6749 §5.1: a server that grants what was asked for need not say so.
        None if asked.is_empty() => "-".to_owned(),
        None => format!("{asked} (as asked)"),
    };
    let bound = match entry.binding() {
        Some(Binding::Key) => ", bound to a key",
        Some(Binding::Certificate) => ", bound to the client certificate",
        None => "",
    };
    let mut lines = vec![
        format!("credential  {}", entry.slot.name),
        format!("server      {}", credential.endpoint.url().host_str().unwrap_or_default()),
        format!("client_auth {}", fetched.method),
        format!("type        {}{bound}", grant.token_type.scheme()),
        format!("lifetime    {lifetime}"),
        format!("scopes      {scopes}"),
    ];
    let missing: Vec<&str> = grant.not_granted(&credential.scopes).collect();
    if !missing.is_empty() {
        lines.push(format!("missing     {} (asked for, not granted)", missing.join(" ")));
    }
    lines
}

/// What a JWT says of itself. Not verified: it is for the upstream.
fn claims(grant: &Grant) -> Vec<String> {
    let Some(claims) = jwt::claims(grant.access_token.expose()) else {
        return vec!["claims      none: the token is opaque".to_owned()];
    };
    let now = Moment::now().wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let shown = serde_json::to_string_pretty(&claims).unwrap_or_default();
    let mut lines = vec![format!("claims      {}", shown.replace('\n', "\n            "))];
    if claims.get("nbf").and_then(serde_json::Value::as_f64).is_some_and(|nbf| nbf > now) {
        lines.push("warning     the token is not valid yet (`nbf`): the clocks differ".to_owned());
    }
    lines
}
