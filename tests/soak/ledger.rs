//! What became of every request, and whether a fault excuses it.

use super::load::Kind;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// An upstream that is cut needs a moment, and so does what it leaves behind: connections of which one end knows it later.
const AFTERMATH: Duration = Duration::from_millis(500);

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With the right bytes.
    Served,
    /// With the right bytes of one of two backends, and said so.
    Partial,
    /// With a status of porteur's own that says that an upstream failed.
    Refused(u16),
    /// In the middle of its body, so that the client knows.
    Cut(String),
    /// Otherwise.
    Wrong(String),
}

/// Whom a fault of an upstream can harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Nobody: everything is slower.
    Nobody,
    /// Whoever is under way when it begins; afterwards the other upstream serves all who may go there.
    Beginning,
    /// Whoever meets it.
    All,
}

struct Fault {
    name: String,
    harm: Harm,
    from: Instant,
    until: Option<Instant>,
}

/// One kind of request, counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Row {
    pub sent: usize,
    pub served: usize,
    pub partial: usize,
    pub refused: usize,
    pub cut: usize,
    pub unexcused: usize,
}

#[derive(Default)]
pub struct Ledger {
    rows: Mutex<BTreeMap<&'static str, Row>>,
    faults: Mutex<Vec<Fault>>,
    wrong: Mutex<Vec<String>>,
    hostile: Mutex<BTreeMap<String, usize>>,
}

impl Ledger {
    /// A fault of an upstream begins.
    pub fn begins(&self, name: String, harm: Harm) {
        self.faults.lock().unwrap().push(Fault { name, harm, from: Instant::now(), until: None });
    }

    /// The last one has ended.
    pub fn ended(&self) {
        if let Some(fault) = self.faults.lock().unwrap().iter_mut().rfind(|fault| fault.until.is_none()) {
            fault.until = Some(Instant::now());
        }
    }

    pub fn record(&self, kind: Kind, number: u64, began: Instant, outcome: Outcome) {
        let excused = self.excuses(kind, began, Instant::now());
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry(kind.name()).or_default();
        row.sent += 1;
        match &outcome {
            Outcome::Served => row.served += 1,
            Outcome::Partial if excused => row.partial += 1,
            Outcome::Refused(_) if excused => row.refused += 1,
            Outcome::Cut(_) if excused => row.cut += 1,
            _ => {
                row.unexcused += 1;
                let faults = self.faults.lock().unwrap();
                let last = faults.last().map_or("none yet", |fault| &fault.name);
                let ago = faults.last().map_or(Duration::ZERO, |fault| fault.from.elapsed());
                let took = began.elapsed();
                let what =
                    format!("{} {number}: {outcome:?} after {took:.1?}; {last} began {ago:.1?} ago", kind.name());
                self.wrong.lock().unwrap().push(what);
            }
        }
    }

    /// Whether a fault met the time of a request so that it may have failed.
    fn excuses(&self, kind: Kind, began: Instant, ended: Instant) -> bool {
        let faults = self.faults.lock().unwrap();
        // Faults follow one another, and no request lives through more than a few.
        faults.iter().rev().take(8).any(|fault| {
            let until = match fault.harm {
                Harm::Nobody => return false,
                Harm::Beginning if kind.has_another_upstream() => fault.from + AFTERMATH,
                Harm::Beginning | Harm::All => fault.until.unwrap_or(ended) + AFTERMATH,
            };
            fault.from <= ended && began <= until
        })
    }

    pub fn hostile(&self, what: String) {
        *self.hostile.lock().unwrap().entry(what).or_default() += 1;
    }

    /// What must not happen, told.
    pub fn note(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    pub fn rows(&self) -> BTreeMap<&'static str, Row> {
        self.rows.lock().unwrap().clone()
    }

    pub fn hostiles(&self) -> BTreeMap<String, usize> {
        self.hostile.lock().unwrap().clone()
    }

    /// How often each fault came.
    pub fn faults(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for fault in self.faults.lock().unwrap().iter() {
            *counts.entry(fault.name.clone()).or_default() += 1;
        }
        counts
    }

    /// The first of what must not have happened, and how often it did.
    pub fn wrong(&self) -> Vec<String> {
        let all = self.wrong.lock().unwrap();
        let mut told: Vec<_> = all.iter().take(30).cloned().collect();
        if all.len() > told.len() {
            told.push(format!("and {} more", all.len() - told.len()));
        }
        told
    }
}
