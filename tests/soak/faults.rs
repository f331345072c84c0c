//! The faults, one after the other: at most one upstream at a time, so that there is always one that can serve; the
//! authorization server on its own, because its troubles must harm nobody.

use super::Bell;
use super::ledger::{Harm, Ledger};
use super::site::{Site, TIMEOUT};
use crate::support::fault_proxy::{Fault, Way};
use std::time::Duration;

/// How long each lasts, and the calm after it: longer than an address is left out.
const LASTS: Duration = Duration::from_millis(1500);
const CALM: Duration = Duration::from_millis(1500);
/// Who says nothing must do so for longer than is waited for.
const SILENCE: Duration = TIMEOUT.saturating_add(Duration::from_secs(1));

const CUT: Harm = Harm::While { status: 502, within_answers: true, is_left_out: false };
const BROKEN: Harm = Harm::While { status: 502, within_answers: true, is_left_out: true };
const RESET: Harm = Harm::While { status: 502, within_answers: false, is_left_out: true };
const SILENT: Harm = Harm::While { status: 504, within_answers: true, is_left_out: true };

const OF_UPSTREAMS: [(&str, Fault, Duration, Harm); 9] = [
    ("killed and restarted", Fault::Refuse, LASTS, Harm::Beginning),
    ("late by 200 ms", Fault::Latency(Duration::from_millis(200)), LASTS, Harm::Nobody),
    ("reset in the body", Fault::Reset(Way::Down, 20_000), LASTS, CUT),
    ("ended in the body", Fault::Close(Way::Down, 20_000), LASTS, CUT),
    ("slow, 200 kB/s", Fault::Rate(200_000), LASTS, Harm::Nobody),
    ("reset before the answer", Fault::Reset(Way::Up, 0), LASTS, RESET),
    ("silent in the body", Fault::Stall(Way::Down, 20_000), SILENCE, SILENT),
    ("takes connections, says nothing", Fault::Blackhole, SILENCE, SILENT),
    ("garbage", Fault::Garbage, LASTS, BROKEN),
];

pub fn of_upstreams(site: &Site, ledger: &Ledger, bell: &Bell) {
    for turn in 0.. {
        let upstream = &site.upstreams[turn / OF_UPSTREAMS.len() % 2];
        let (name, fault, lasts, harm) = OF_UPSTREAMS[turn % OF_UPSTREAMS.len()];
        ledger.begins(name, harm, upstream.addr());
        upstream.set(fault);
        let over = bell.wait(lasts);
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

/// Away for longer than it is there, but not for as long as is left of a token when it is to be renewed.
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
