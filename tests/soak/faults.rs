//! The faults, one after the other: at most one upstream at a time, so that there is always one that can serve; the
//! authorization server on its own, because its troubles must harm nobody.

use super::Bell;
use super::ledger::{Harm, Ledger};
use super::site::Site;
use crate::support::fault_proxy::{Fault, Way};
use std::time::Duration;

/// How long each lasts, and the calm after it.
const LASTS: Duration = Duration::from_millis(1500);
const CALM: Duration = Duration::from_millis(1200);

const OF_UPSTREAMS: [(&str, Fault, Harm); 9] = [
    ("killed and restarted", Fault::Refuse, Harm::Beginning),
    ("late by 200 ms", Fault::Latency(Duration::from_millis(200)), Harm::Nobody),
    ("reset in the body", Fault::Reset(Way::Down, 20_000), Harm::All),
    ("ended in the body", Fault::Close(Way::Down, 20_000), Harm::All),
    ("slow, 100 kB/s", Fault::Rate(100_000), Harm::Nobody),
    ("reset before the answer", Fault::Reset(Way::Up, 0), Harm::All),
    ("silent in the body", Fault::Stall(Way::Down, 20_000), Harm::All),
    ("takes connections, says nothing", Fault::Blackhole, Harm::All),
    ("garbage", Fault::Garbage, Harm::All),
];

pub fn of_upstreams(site: &Site, ledger: &Ledger, bell: &Bell) {
    for turn in 0.. {
        let upstream = &site.upstreams[turn / OF_UPSTREAMS.len() % 2];
        let (name, fault, harm) = OF_UPSTREAMS[turn % OF_UPSTREAMS.len()];
        ledger.begins(name.to_owned(), harm);
        upstream.set(fault);
        let over = bell.wait(LASTS);
        upstream.set(Fault::None);
        ledger.ended();
        if over || bell.wait(CALM) {
            return;
        }
    }
}

const OF_AUTHORIZATION_SERVER: [Fault; 5] = [
    Fault::Refuse,
    Fault::Blackhole,
    Fault::Reset(Way::Down, 0),
    Fault::Garbage,
    Fault::Latency(Duration::from_secs(1)),
];

/// Away for longer than it is there, but never for as long as is left of a token when it is to be renewed.
pub fn of_authorization_server(site: &Site, ledger: &Ledger, bell: &Bell) {
    for turn in 0.. {
        site.authorization_server.set(OF_AUTHORIZATION_SERVER[turn % OF_AUTHORIZATION_SERVER.len()]);
        let over = bell.wait(Duration::from_secs(8));
        site.authorization_server.set(Fault::None);
        ledger.hostile("outages of the authorization server".to_owned());
        if over || bell.wait(Duration::from_secs(6)) {
            return;
        }
    }
}
