//! What a soak run found, as Markdown.

use super::ledger::{FaultRow, Ledger, Row};
use super::origin::Told;
use super::process::{Look, Series};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

pub struct Report<'a> {
    pub took: Duration,
    pub start: Look,
    pub warm: Look,
    pub end: Look,
    pub series: Series,
    pub ledger: &'a Ledger,
    pub origin: Told,
    pub token_requests: usize,
}

impl Report<'_> {
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).expect("a string takes everything");
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{} s of load and faults.\n", self.took.as_secs())?;
        writeln!(out, "| requests | sent | served | one of two backends | 502 or 504 | cut | unexplained |")?;
        writeln!(out, "|---|---:|---:|---:|---:|---:|---:|")?;
        for (kind, row) in self.ledger.rows() {
            let Row { sent, served, partial, refused, cut, unexplained } = row;
            writeln!(out, "| {kind} | {sent} | {served} | {partial} | {refused} | {cut} | {unexplained} |")?;
        }
        writeln!(
            out,
            "\n| fault of one upstream at a time | times | served meanwhile | failed because of it | most, because of one |"
        )?;
        writeln!(out, "|---|---:|---:|---:|---:|")?;
        for (name, row) in self.ledger.fault_rows() {
            let FaultRow { times, served, failed, most_failed } = row;
            writeln!(out, "| {name} | {times} | {served} | {failed} | {most_failed} |")?;
        }
        let told = self.origin;
        writeln!(
            out,
            "\nThe upstreams saw {} requests, {} of them POST; twice: {}; without their token: {}; malformed: {}.\n",
            told.requests, told.posts, told.twice, told.without_token, told.malformed
        )?;
        let list = |counts: BTreeMap<String, usize>| {
            counts.iter().map(|(what, count)| format!("{what}: {count}")).collect::<Vec<_>>().join("; ")
        };
        writeln!(out, "Beside them: {}; token requests: {}.\n", list(self.ledger.hostiles()), self.token_requests)?;
        writeln!(out, "| the process | resident memory, KiB | open files | threads |\n|---|---:|---:|---:|")?;
        let mut line =
            |what: &str, look: Look| writeln!(out, "| {what} | {} | {} | {} |", look.rss_kib, look.fds, look.threads);
        line("before the load", self.start)?;
        line("after the warm-up, idle", self.warm)?;
        for (at, look) in self.series.thinned(8).into_iter().enumerate() {
            line(&format!("under load, {}/8", at + 1), look)?;
        }
        line("the most under load", self.series.peak())?;
        line("at the end, idle", self.end)?;
        if !self.ledger.wrong().is_empty() {
            writeln!(out, "\nWrong:\n\n{}", self.ledger.wrong().join("\n"))?;
        }
        Ok(())
    }
}
