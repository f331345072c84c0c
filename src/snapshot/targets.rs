//! Everywhere that a backend's requests may go now: hosts and addresses in one list, in groups by preference, with the turns that
//! their weights give them. It is put together when addresses change, not when a request comes.

use crate::snapshot::health::{AddressState, CheckState};
use crate::snapshot::upstream::UpstreamHost;
use pingora_core::protocols::tls::ALPN;
use pingora_core::upstreams::peer::HttpPeer;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Targets of one backend; a service with more has these.
const MOST: usize = 4096;
/// Turns of one group. Weights that need more are rounded.
const MOST_TURNS: u64 = 1024;
/// How much more often than one of weight 0 a record of weight 1 is asked (RFC 2782: "a very small chance").
const OVER_ZERO: u64 = 64;

/// A host and one of its addresses.
#[derive(Debug)]
pub struct Target {
    /// The host.
    pub host: Arc<UpstreamHost>,
    /// The position in the backend's `host` of the entry it comes from.
    pub index: usize,
    /// Where to connect.
    pub address: SocketAddr,
    /// How requests to it fare.
    pub state: Arc<AddressState>,
    /// What health checks say of it.
    pub check: Option<Arc<CheckState>>,
}

impl Target {
    /// The peer for one attempt, see [`UpstreamHost::peer`].
    #[must_use]
    pub fn peer(&self, left: Duration, timeout: Duration, has_hop_by_hop: bool) -> Box<HttpPeer> {
        let mut peer = self.host.peer(self.address, left, timeout, has_hop_by_hop);
        if self.state.wants_http1() && peer.options.alpn == ALPN::H2H1 {
            peer.options.alpn = ALPN::H1;
        }
        peer
    }

    /// Whether no health check speaks against it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.check.as_ref().is_none_or(|check| check.is_up())
    }
}

/// A target, and what decides its place.
#[derive(Debug)]
pub struct Candidate {
    /// The target.
    pub target: Target,
    /// Those with the lowest come first.
    pub rank: u32,
    /// Its position among the addresses of its host.
    pub place: usize,
    /// The weight of its host.
    pub weight: u16,
    /// How many addresses share this weight.
    pub sharing: usize,
}

/// The list.
#[derive(Debug, Default)]
pub struct Targets {
    all: Box<[Arc<Target>]>,
    groups: Box<[Group]>,
}

/// Targets of one rank: the next group is for when none of them can be used.
#[derive(Debug)]
struct Group {
    range: Range<usize>,
    /// Positions in `all`, each as often as its weight says.
    turns: Box<[u16]>,
}

/// Which targets will do.
#[derive(Debug, Clone, Copy)]
enum Bar {
    /// Those that nothing speaks against.
    Well,
    /// Those that answer health checks, ejected or not.
    Up,
    /// Any: when all are unwell, a request that is sent may be answered, one that is not will not.
    Any,
}

impl Targets {
    /// Puts candidates in order: by rank, and within a rank around the hosts, so that who comes after a target is another host
    /// where there is one.
    #[must_use]
    pub fn new(mut candidates: Vec<Candidate>) -> Self {
        candidates.sort_by_key(|candidate| (candidate.rank, candidate.place));
        candidates.truncate(MOST);
        let mut groups = Vec::new();
        let mut begin = 0;
        for group in candidates.chunk_by(|one, other| one.rank == other.rank) {
            groups.push(Group { range: begin..begin + group.len(), turns: turns(group, begin) });
            begin += group.len();
        }
        let all = candidates.into_iter().map(|candidate| Arc::new(candidate.target)).collect();
        Self { all, groups: groups.into() }
    }

    /// The target at a position.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&Arc<Target>> {
        self.all.get(position)
    }

    /// All of them.
    pub fn all(&self) -> std::slice::Iter<'_, Arc<Target>> {
        self.all.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The target of a turn, without regard to how it is.
    pub(super) fn of_turn(&self, turn: usize) -> Option<usize> {
        let turns = &self.groups.first()?.turns;
        turns.get(turn.checked_rem(turns.len())?).map(|position| usize::from(*position))
    }

    /// How many turns there are until they begin anew.
    pub(super) fn turns(&self) -> usize {
        self.groups.first().map_or(1, |group| group.turns.len()).max(1)
    }

    /// Whether a target will do for a request that has all to choose from.
    pub(super) fn is_well(&self, position: usize, now: Instant) -> bool {
        self.get(position)
            .is_some_and(|target| target.is_up() && (!target.state.is_ejected(now) || !self.heeds_ejections(now)))
    }

    /// Whether one more may be ejected: at most half of them are. One that is alone never is.
    #[must_use]
    pub fn may_eject(&self, now: Instant) -> bool {
        (self.ejected(now) + 1) * 2 <= self.all.len()
    }

    /// How many are ejected, whether that is heeded or not.
    fn ejected(&self, now: Instant) -> usize {
        self.all.iter().filter(|target| target.state.is_ejected(now)).count()
    }

    /// Another backend, with more addresses, may have ejected more than half of these: then it counts for nothing here.
    fn heeds_ejections(&self, now: Instant) -> bool {
        self.ejected(now) * 2 <= self.all.len()
    }

    /// One of those that will do, the next `round` another one: for a turn whose own target will not.
    pub(super) fn substitute(&self, round: usize, now: Instant) -> Option<usize> {
        let heeds = self.heeds_ejections(now);
        [Bar::Well, Bar::Up, Bar::Any].into_iter().find_map(|bar| {
            self.groups.iter().find_map(|group| {
                let fits = |position: &usize| self.passes(*position, bar, heeds, now);
                let nth = round.checked_rem(group.range.clone().filter(fits).count())?;
                group.range.clone().filter(fits).nth(nth)
            })
        })
    }

    /// The one to go on to after `last`, which none of `tried` is; each is tried before one that is less well.
    pub(super) fn after(&self, last: usize, tried: &[u16], now: Instant) -> Option<usize> {
        let heeds = self.heeds_ejections(now);
        let is_new = |position: usize| !tried.iter().any(|tried| usize::from(*tried) == position);
        [Bar::Well, Bar::Up, Bar::Any].into_iter().find_map(|bar| {
            self.groups.iter().find_map(|group| {
                let range = &group.range;
                let begin = if range.contains(&last) { last + 1 } else { range.start };
                (begin..range.end)
                    .chain(range.start..begin)
                    .find(|position| is_new(*position) && self.passes(*position, bar, heeds, now))
            })
        })
    }

    fn passes(&self, position: usize, bar: Bar, heeds: bool, now: Instant) -> bool {
        self.get(position).is_some_and(|target| match bar {
            Bar::Well => target.is_up() && !(heeds && target.state.is_ejected(now)),
            Bar::Up => target.is_up(),
            Bar::Any => true,
        })
    }
}

/// The turns of a group whose first target is at `begin`, spread evenly: the one whose due is largest comes next.
fn turns(group: &[Candidate], begin: usize) -> Box<[u16]> {
    let weights = weights(group);
    let sum: i64 = weights.iter().sum();
    let mut due = vec![0_i64; weights.len()];
    let mut turns = Vec::new();
    for _ in 0..sum {
        for (due, weight) in due.iter_mut().zip(&weights) {
            *due += weight;
        }
        // Of equals the first.
        let next = (0..due.len()).rev().max_by_key(|index| due.get(*index)).unwrap_or_default();
        if let Some(due) = due.get_mut(next) {
            *due -= sum;
        }
        turns.extend(u16::try_from(begin + next));
    }
    turns.into()
}

/// How many turns each has: whole numbers, as small as they can be, and none of them 0.
fn weights(group: &[Candidate]) -> Vec<i64> {
    let any = group.iter().any(|candidate| candidate.weight > 0);
    let zero = group.iter().any(|candidate| candidate.weight == 0);
    let weight = |candidate: &Candidate| match u64::from(candidate.weight) {
        0 => 1,
        weight if any && zero => weight * OVER_ZERO,
        weight => weight,
    };
    let sharing = |candidate: &Candidate| candidate.sharing.max(1) as u64;
    let common = group.iter().map(sharing).fold(1, |all, one| (all / gcd(all, one) * one).min(5040));
    let weights: Vec<u64> = group.iter().map(|one| (weight(one) * common / sharing(one)).max(1)).collect();
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let sum = weights.iter().sum::<u64>() / divisor;
    let bounded = |weight: u64| {
        let weight = weight / divisor;
        if sum > MOST_TURNS { (weight * MOST_TURNS / sum).max(1) } else { weight }
    };
    weights.into_iter().map(|weight| i64::try_from(bounded(weight)).unwrap_or(1)).collect()
}

const fn gcd(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::model::{Host, UpstreamTransport};
    use crate::snapshot::transport::Transport;
    use proptest::prelude::*;

    /// Candidates on `127.0.0.1`, one for each rank, weight and number of addresses that share the weight.
    pub(crate) fn candidates(of: &[(u32, u16, usize)], now: Instant) -> Vec<Candidate> {
        let transport = Arc::new(Transport::compile(&UpstreamTransport::default()).expect("nothing to read"));
        let host = Host { https: false, name: "a.test".into(), port: 80, authority: "a.test".into() };
        let host = Arc::new(UpstreamHost::compile(&host, &transport).expect("a valid name"));
        let candidate = |(index, (rank, weight, sharing)): (usize, &(u32, u16, usize))| {
            let port = u16::try_from(index).expect("few");
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let target =
                Target { host: host.clone(), index, address, state: Arc::new(AddressState::new(now)), check: None };
            Candidate { target, rank: *rank, place: 0, weight: *weight, sharing: *sharing }
        };
        of.iter().enumerate().map(candidate).collect()
    }

    pub(crate) fn equal(count: usize, now: Instant) -> Targets {
        Targets::new(candidates(&vec![(0, 1, 1); count], now))
    }

    fn order(of: &[(u32, u16, usize)]) -> Vec<usize> {
        let targets = Targets::new(candidates(of, Instant::now()));
        (0..targets.turns()).map(|turn| targets.of_turn(turn).expect("a target")).collect()
    }

    #[test]
    fn turns_are_as_many_as_weights_say_and_spread() {
        assert_eq!(order(&[(0, 1, 1); 3]), [0, 1, 2]);
        assert_eq!(order(&[(0, 3, 1), (0, 1, 1)]), [0, 0, 1, 0]);
        assert_eq!(order(&[(0, 20, 1), (0, 10, 1)]), [0, 1, 0]);
        assert_eq!(order(&[(0, 0, 1), (0, 0, 1)]), [0, 1]);
        // A host with two addresses is asked as often as one with a single one.
        assert_eq!(order(&[(0, 1, 2), (0, 1, 2), (0, 1, 1)]), [2, 0, 1, 2]);
        let counts = |of: &[(u32, u16, usize)], target| order(of).iter().filter(|turn| **turn == target).count();
        assert_eq!(counts(&[(0, 0, 1), (0, 1, 1)], 1), 64);
        assert_eq!(counts(&[(0, 65535, 1), (0, 1, 1)], 1), 1);
        assert!(order(&[(0, 65535, 1), (0, 65534, 1)]).len() <= 1024);
    }

    #[test]
    fn a_group_has_its_turn_when_the_one_before_it_is_unwell() {
        let now = Instant::now();
        let targets = Targets::new(candidates(&[(1, 1, 1), (0, 1, 1), (1, 1, 1)], now));
        assert_eq!(targets.turns(), 1);
        let first = targets.of_turn(0).expect("a target");
        assert_eq!(targets.get(first).map(|target| target.index), Some(1));
        targets.get(first).expect("a target").state.eject(now, Duration::from_secs(10));
        assert!(!targets.is_well(first, now));
        let others: Vec<_> = (0..3).map(|round| targets.substitute(round, now)).collect();
        assert_eq!(others, [Some(1), Some(2), Some(1)]);
    }

    #[test]
    fn every_target_is_tried_once_the_unwell_ones_last() {
        let now = Instant::now();
        let targets = Targets::new(candidates(&[(0, 1, 1), (0, 1, 1), (0, 1, 1), (1, 1, 1)], now));
        targets.get(2).expect("a target").state.eject(now, Duration::from_secs(10));
        let mut tried: Vec<u16> = vec![1];
        while let Some(next) = targets.after(usize::from(tried[tried.len() - 1]), &tried, now) {
            tried.push(u16::try_from(next).expect("few"));
        }
        assert_eq!(tried, [1, 0, 3, 2]);
    }

    #[test]
    fn where_all_are_unwell_all_are_used() {
        let now = Instant::now();
        let targets = equal(2, now);
        for target in targets.all() {
            target.state.eject(now, Duration::from_secs(10));
        }
        assert!(targets.is_well(0, now) && targets.is_well(1, now));
        assert_eq!(equal(0, now).substitute(0, now), None);
    }

    proptest! {
        /// Whatever is ejected by whomever, at least half of the targets take requests.
        #[test]
        fn never_more_than_half_are_left_out(ejected in proptest::collection::vec(any::<bool>(), 1..20)) {
            let now = Instant::now();
            let targets = equal(ejected.len(), now);
            for (target, ejected) in targets.all().zip(&ejected) {
                if *ejected {
                    target.state.eject(now, Duration::from_secs(1));
                }
            }
            let well = (0..targets.len()).filter(|position| targets.is_well(*position, now)).count();
            prop_assert!(well * 2 >= targets.len());
        }

        #[test]
        fn every_target_has_a_turn(weights in proptest::collection::vec((any::<u16>(), 1..9_usize), 1..40)) {
            let of: Vec<_> = weights.iter().map(|(weight, sharing)| (0, *weight, *sharing)).collect();
            let mut turns = order(&of);
            turns.sort_unstable();
            turns.dedup();
            prop_assert_eq!(turns.len(), weights.len());
        }
    }
}
