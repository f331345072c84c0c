//! A soak run: the built program under load for as long as `SOAK_SECONDS` says, while its upstreams and its authorization
//! server fail in turn. Every answer is checked byte for byte, every request is accounted for, and at the end the process
//! must hold no more than after its warm-up. `make soak` runs it; it takes minutes and is no part of `make test`.

mod faults;
mod hostile;
mod ledger;
mod load;
mod log;
mod message;
mod origin;
mod process;
mod report;
mod site;

use ledger::Ledger;
use process::Series;
use site::Site;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What memory may grow by between two looks without load: what allocators keep. A leak of 64 bytes for each request is more in
/// ten minutes.
const SPARE_KIB: u64 = 8 * 1024;

/// Told once that the load ends.
#[derive(Default)]
struct Bell(Mutex<bool>, Condvar);

impl Bell {
    fn ring(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    /// Waits so long; true when the load ends.
    fn wait(&self, time: Duration) -> bool {
        *self.1.wait_timeout_while(self.0.lock().unwrap(), time, |rung| !*rung).unwrap().0
    }
}

fn seconds() -> u64 {
    let text = std::env::var("SOAK_SECONDS").unwrap_or_else(|_| "600".to_owned());
    text.parse::<u64>().expect("SOAK_SECONDS is a number").clamp(10, 24 * 3600)
}

#[test]
#[ignore = "takes minutes: make soak"]
fn soak() {
    let total = Duration::from_secs(seconds());
    // Long enough that each fault came once and tokens were renewed, if there is the time.
    let warm_up = (total / 4).clamp(Duration::from_secs(3), Duration::from_secs(90));
    let (site, ledger, series) = (Site::start(), Ledger::default(), Series::default());
    let began = Instant::now();
    let start = site.process.look();
    run(&site, &ledger, &series, warm_up);
    let warm = site.settle(&start);
    run(&site, &ledger, &series, total.saturating_sub(began.elapsed()));
    let end = site.settle(&start);
    let origin = site.told();

    let token_requests = site.token_requests();
    let report =
        report::Report { took: began.elapsed(), token_requests, start, warm, end, series, ledger: &ledger, origin };
    let text = report.text();
    println!("{text}");
    if let Ok(path) = std::env::var("SOAK_REPORT") {
        std::fs::write(path, &text).expect("the report is written");
    }
    let mut wrong = ledger.wrong();
    if end.rss_kib > warm.rss_kib + warm.rss_kib / 8 + SPARE_KIB {
        wrong.push(format!("memory grew from {} to {} KiB", warm.rss_kib, end.rss_kib));
    }
    for (when, look) in [("the warm-up", warm), ("the load", end)] {
        if look.fds > start.fds {
            wrong.push(format!("open files grew from {} to {} after {when}", start.fds, look.fds));
        }
        if look.threads > start.threads {
            wrong.push(format!("threads grew from {} to {} after {when}", start.threads, look.threads));
        }
    }
    wrong.extend(origin.wrong());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Load and faults for so long.
fn run(site: &Site, ledger: &Ledger, series: &Series, time: Duration) {
    let bell = &Bell::default();
    thread::scope(|scope| {
        for (kind, clients) in load::CLIENTS {
            for _ in 0..clients {
                scope.spawn(move || load::client(kind, site, ledger, bell));
            }
        }
        scope.spawn(|| hostile::client(site, ledger, bell));
        scope.spawn(|| faults::of_upstreams(site, ledger, bell));
        scope.spawn(|| faults::of_authorization_server(site, ledger, bell));
        scope.spawn(|| {
            while !bell.wait(Duration::from_secs(1)) {
                series.add(site.process.look());
            }
        });
        bell.wait(time);
        bell.ring();
    });
    ledger.close(&site.log);
}
