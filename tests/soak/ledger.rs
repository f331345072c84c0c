//! What became of every request, and which fault explains it. A request that failed is explained only by a fault of the very
//! upstream that it was sent to, of a kind that ends requests in this way, at that time; and a fault explains no more failures
//! than there were requests that it could meet.

use super::load::{self, Kind};
use super::log::Log;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// An upstream that is cut needs a moment, and so does what it leaves behind: connections of which one end knows it later.
const AFTERMATH: Duration = Duration::from_millis(250);

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With the right bytes.
    Served,
    /// With the right bytes of one of two backends, and said so; the other asks this upstream.
    Partial(SocketAddr),
    /// With a status of porteur's own that says that an upstream failed.
    Refused(u16),
    /// In the middle of its body, so that the client knows.
    Cut(String),
    /// With the end of the connection, before a byte of the answer: which is right only for an answer that the gateway had begun
    /// to write and that was cut before it was sent.
    Silent(String),
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
    /// Whoever meets it: with this status, and perhaps within answers that have begun. Nearly all do before an answer, so that
    /// the address is soon left out, or only those with large answers.
    While { status: u16, within_answers: bool, is_left_out: bool },
}

impl Harm {
    /// Whether requests end like this because of it.
    const fn ends(self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Nobody, _) | (_, Outcome::Served | Outcome::Wrong(_)) => false,
            (_, Outcome::Partial(_)) => true,
            (Self::Beginning, Outcome::Refused(this)) => *this == 502,
            (Self::Beginning, Outcome::Cut(_) | Outcome::Silent(_)) => true,
            (Self::While { status, .. }, Outcome::Refused(this)) => status == *this,
            (Self::While { within_answers, .. }, Outcome::Cut(_) | Outcome::Silent(_)) => within_answers,
        }
    }
}

struct Fault {
    name: &'static str,
    harm: Harm,
    upstream: SocketAddr,
    from: Instant,
    until: Option<Instant>,
    /// Of the requests that ended while it lasted, those that were served, and of all those that it explains.
    served: usize,
    failed: usize,
}

impl Fault {
    /// Whether it can have ended this request, sent to this upstream.
    fn hits(&self, failure: &Failure, upstream: SocketAddr) -> bool {
        let until = match self.harm {
            Harm::Beginning if failure.kind.has_another_upstream() => self.from,
            _ => self.until.unwrap_or(failure.ended),
        };
        self.upstream == upstream
            && self.harm.ends(&failure.outcome)
            && self.from <= failure.ended
            && failure.began <= until + AFTERMATH
    }

    /// As many failures as it can explain, with so many clients: those under way at its beginning, and when an address that was
    /// left out is tried again; or one of two, where the other upstream serves as many.
    const fn most(&self, clients: usize) -> usize {
        match self.harm {
            Harm::Nobody => 0,
            Harm::Beginning => clients,
            Harm::While { is_left_out: true, .. } => 3 * clients,
            Harm::While { .. } => self.served,
        }
    }
}

/// A request that was not served, until it is explained.
struct Failure {
    kind: Kind,
    number: u64,
    began: Instant,
    ended: Instant,
    outcome: Outcome,
}

/// One kind of request, counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Row {
    pub sent: usize,
    pub served: usize,
    pub partial: usize,
    pub refused: usize,
    pub cut: usize,
    pub unexplained: usize,
}

/// One kind of fault, counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct FaultRow {
    pub times: usize,
    /// Of the requests that ended meanwhile.
    pub served: usize,
    pub failed: usize,
    /// Because of one of them.
    pub most_failed: usize,
}

#[derive(Default)]
pub struct Ledger {
    rows: Mutex<BTreeMap<&'static str, Row>>,
    faults: Mutex<Vec<Fault>>,
    failures: Mutex<Vec<Failure>>,
    wrong: Mutex<Vec<String>>,
    hostile: Mutex<BTreeMap<String, usize>>,
}

impl Ledger {
    /// A fault of an upstream begins.
    pub fn begins(&self, name: &'static str, harm: Harm, upstream: SocketAddr) {
        let from = Instant::now();
        self.faults().push(Fault { name, harm, upstream, from, until: None, served: 0, failed: 0 });
    }

    /// The last one has ended.
    pub fn ended(&self) {
        if let Some(fault) = self.faults().iter_mut().rfind(|fault| fault.until.is_none()) {
            fault.until = Some(Instant::now());
        }
    }

    pub fn record(&self, kind: Kind, number: u64, began: Instant, outcome: Outcome) {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry(kind.name()).or_default();
        row.sent += 1;
        if outcome == Outcome::Served {
            row.served += 1;
            if let Some(fault) = self.faults().last_mut().filter(|fault| fault.until.is_none()) {
                fault.served += 1;
            }
            return;
        }
        self.failures.lock().unwrap().push(Failure { kind, number, began, ended: Instant::now(), outcome });
    }

    /// Explains what failed so far with what the gateway's log says about it.
    pub fn close(&self, log: &Log) {
        let failures = std::mem::take(&mut *self.failures.lock().unwrap());
        let in_log = |failure: &&Failure| !matches!(failure.outcome, Outcome::Partial(_) | Outcome::Wrong(_));
        log.wait_for(&failures.iter().filter(in_log).map(|failure| failure.number).collect::<Vec<_>>());
        for failure in failures {
            let explained = self.explain(&failure, log);
            let mut rows = self.rows.lock().unwrap();
            let row = rows.entry(failure.kind.name()).or_default();
            match failure.outcome {
                Outcome::Partial(_) if explained => row.partial += 1,
                Outcome::Refused(_) if explained => row.refused += 1,
                Outcome::Cut(_) | Outcome::Silent(_) if explained => row.cut += 1,
                _ => {
                    row.unexplained += 1;
                    self.note(self.tell(&failure, log));
                }
            }
        }
    }

    /// Finds the fault, and counts the failure there.
    fn explain(&self, failure: &Failure, log: &Log) -> bool {
        let line = log.failure(failure.number);
        let upstream = match failure.outcome {
            Outcome::Partial(upstream) => Some(upstream),
            // Composed here, so never cut, and only one of two upstreams fails at a time.
            _ if failure.kind == Kind::Merged => None,
            Outcome::Silent(_) => line.filter(|line| line.status == 200).and_then(|line| line.upstream),
            _ => line.and_then(|line| line.upstream),
        };
        let mut faults = self.faults();
        let Some(fault) =
            faults.iter_mut().rfind(|fault| upstream.is_some_and(|upstream| fault.hits(failure, upstream)))
        else {
            return false;
        };
        // Each backend of a composed answer has one upstream only: there was no choice.
        if failure.kind.has_another_upstream() {
            fault.failed += 1;
        }
        true
    }

    fn tell(&self, failure: &Failure, log: &Log) -> String {
        let Failure { kind, number, began, ended, outcome } = failure;
        let faults = self.faults();
        let before = faults.iter().rfind(|fault| fault.from <= *ended);
        let fault = before.map_or_else(
            || "no fault yet".to_owned(),
            |fault| {
                let ago = ended.duration_since(fault.from);
                format!("{} at {} began {ago:.1?} before its end", fault.name, fault.upstream)
            },
        );
        let line = log.failure(*number).map_or_else(|| "not in the log as failed".to_owned(), |line| line.whole);
        format!("{} {number}: {outcome:?} after {:.1?}; {fault}; {line}", kind.name(), ended.duration_since(*began))
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap()
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

    /// What each kind of fault did.
    pub fn fault_rows(&self) -> BTreeMap<&'static str, FaultRow> {
        let mut rows = BTreeMap::<_, FaultRow>::new();
        for fault in self.faults().iter() {
            let row = rows.entry(fault.name).or_default();
            row.times += 1;
            row.served += fault.served;
            row.failed += fault.failed;
            row.most_failed = row.most_failed.max(fault.failed);
        }
        rows
    }

    /// The faults that cost more than they could have.
    fn costly(&self) -> Vec<String> {
        let clients: usize = load::CLIENTS.iter().map(|(_, count)| usize::try_from(*count).unwrap()).sum();
        let faults = self.faults();
        let costly = faults.iter().filter(|fault| fault.failed > fault.most(clients));
        let tell = |fault: &Fault| format!("{}: {} failed, {} were served", fault.name, fault.failed, fault.served);
        costly.map(tell).collect()
    }

    /// The first of what must not have happened, and how often it did.
    pub fn wrong(&self) -> Vec<String> {
        let all = self.wrong.lock().unwrap();
        let mut told: Vec<_> = all.iter().take(30).cloned().collect();
        if all.len() > told.len() {
            told.push(format!("and {} more", all.len() - told.len()));
        }
        told.extend(self.costly());
        told
    }
}

#[test]
fn only_a_fault_of_its_own_upstream_explains_a_failure() {
    const LINES: &[u8] = b"t access method=GET path=/get/1001 status=502 upstream=127.0.0.1:1 cause=ReadError\n\
        t access method=GET path=/get/1002 status=502 upstream=127.0.0.1:2 cause=ReadError\n\
        t access method=GET path=/get/1003 status=200 upstream=127.0.0.1:1 cause=ReadError\n";
    let log = Log::follow(LINES);
    let faulty = SocketAddr::from(([127, 0, 0, 1], 1));
    let explained = |harm, number, began, outcome| {
        let ledger = Ledger::default();
        ledger.begins("a fault", harm, faulty);
        ledger.record(Kind::Get, number, began, outcome);
        ledger.close(&log);
        let row = ledger.rows()[Kind::Get.name()];
        assert_eq!((row.sent, row.refused + row.cut + row.partial + row.unexplained), (1, 1));
        row.unexplained == 0
    };
    let reset = Harm::While { status: 502, within_answers: false, is_left_out: true };
    let cut = Harm::While { status: 502, within_answers: true, is_left_out: false };
    let now = Instant::now();
    let eof = || "end".to_owned();
    assert!(explained(reset, 1001, now, Outcome::Refused(502)));
    assert!(!explained(reset, 1002, now, Outcome::Refused(502)), "the other upstream was well");
    assert!(!explained(reset, 1001, now, Outcome::Refused(504)), "nobody was silent");
    assert!(!explained(reset, 1003, now, Outcome::Cut(eof())), "no answer had begun");
    assert!(explained(cut, 1003, now, Outcome::Cut(eof())) && explained(cut, 1003, now, Outcome::Silent(eof())));
    assert!(!explained(cut, 1001, now, Outcome::Silent(eof())), "the gateway says that it answered 502");
    assert!(!explained(Harm::Nobody, 1001, now, Outcome::Refused(502)));
    assert!(!explained(cut, 1001, now, Outcome::Wrong(eof())));
    assert!(explained(Harm::Beginning, 1001, now, Outcome::Refused(502)));
    let later = now + AFTERMATH * 2;
    assert!(!explained(Harm::Beginning, 1001, later, Outcome::Refused(502)), "the other upstream takes connections");
}

#[test]
fn a_fault_explains_no_more_failures_than_it_can_have_met() {
    let ledger = Ledger::default();
    ledger.begins(
        "a fault",
        Harm::While { status: 502, within_answers: true, is_left_out: false },
        ([127, 0, 0, 1], 1).into(),
    );
    ledger.faults()[0].failed = 1;
    assert_eq!(ledger.wrong().len(), 1);
    ledger.record(Kind::Get, 1001, Instant::now(), Outcome::Served);
    assert!(ledger.wrong().is_empty());
}
