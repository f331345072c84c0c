//! One request's way through the targets of its backend: which it begins with, and which comes next when one fails.
//!
//! Nothing here takes a lock or allocates: a round is a reference to the list of targets, a number, and the few positions that
//! were tried. (A request that is tried at more than four remembers the others on the heap.)

use crate::config::model::Policy;
use crate::snapshot::targets::{Target, Targets};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Instant;

/// The round of one request. Dropped, it is no longer under way.
#[derive(Debug)]
pub struct Round {
    targets: Arc<Targets>,
    policy: Policy,
    turn: usize,
    at: Option<usize>,
    tried: SmallVec<[u16; 4]>,
    retries: u8,
    awaits: bool,
}

impl Round {
    /// The round of the request that has this turn.
    pub(super) fn new(targets: Arc<Targets>, policy: Policy, turn: usize) -> Self {
        Self { targets, policy, turn, at: None, tried: SmallVec::new(), retries: 0, awaits: false }
    }

    /// The round of a request of this turn that is for some targets alone: the others count as tried.
    pub(super) fn among(
        targets: &Arc<Targets>,
        policy: Policy,
        turn: usize,
        now: Instant,
        is_for: impl Fn(&Target) -> bool,
    ) -> Self {
        let others = targets.all().zip(0_u16..).filter(|(target, _)| !is_for(target)).map(|(_, position)| position);
        let mut round = Self::new(targets.clone(), policy, turn);
        round.tried = others.collect();
        let before = scatter(turn).checked_rem(targets.len());
        let first = before.and_then(|before| targets.after(before, &round.tried, now));
        if let Some(first) = first {
            round.go(first);
        }
        round
    }

    /// The targets that it goes through.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Where it is; `None` before the first attempt.
    #[must_use]
    pub fn target(&self) -> Option<&Arc<Target>> {
        self.targets.get(self.at?)
    }

    /// Where the next attempt goes: the first time a target is chosen. `None`: there is none.
    pub fn begin(&mut self, now: Instant) -> Option<&Arc<Target>> {
        if self.at.is_none() {
            let first = self.has_another().then(|| self.first(now))??;
            self.go(first);
        }
        self.target()
    }

    /// Whether there is a target that was not tried.
    #[must_use]
    pub fn has_another(&self) -> bool {
        self.tried.len() < self.targets.len()
    }

    /// Goes on to another target, if there is one that was not tried.
    pub fn go_on(&mut self, now: Instant) -> bool {
        let next = self.at.and_then(|at| self.targets.after(at, &self.tried, now));
        next.inspect(|next| self.go(*next)).is_some()
    }

    /// Whether its target has been asked and has not answered yet.
    pub fn awaits(&mut self, awaits: bool) {
        self.awaits = awaits;
    }

    /// The target that has not answered.
    #[must_use]
    pub fn awaited(&self) -> Option<&Arc<Target>> {
        self.target().filter(|_| self.awaits)
    }

    /// How often the request was sent again.
    #[must_use]
    pub const fn retries(&self) -> u8 {
        self.retries
    }

    /// It is sent again once more.
    pub(super) fn retry(&mut self) {
        self.retries = self.retries.saturating_add(1);
    }

    fn first(&self, now: Instant) -> Option<usize> {
        let chosen = match self.policy {
            Policy::RoundRobin => {
                self.targets.of_turn(self.turn).filter(|position| self.targets.is_well(*position, now))
            }
            Policy::LeastRequest => self.less_busy(now),
        };
        // Divided, so that the turns of one unwell target are shared by all others and not given to the next one alone.
        chosen.or_else(|| self.targets.substitute(self.turn / self.targets.turns(), now))
    }

    /// Of two at random the one with fewer requests under way: nearly as even as comparing all, and no crowd runs to the one that
    /// is idle (Mitzenmacher, "The Power of Two Choices").
    fn less_busy(&self, now: Instant) -> Option<usize> {
        let drawn = scatter(self.turn);
        let one = self.targets.of_turn(drawn)?;
        let turns = self.targets.turns();
        // Another turn than the first, if there is one.
        let apart = if turns > 1 { 1 + (drawn >> 32) % (turns - 1) } else { 0 };
        let other = self.targets.of_turn((drawn % turns) + apart)?;
        let busy = |position: usize| self.targets.get(position).map_or(u32::MAX, |target| target.state.in_flight());
        match (self.targets.is_well(one, now), self.targets.is_well(other, now)) {
            (true, true) if busy(other) < busy(one) => Some(other),
            (true, _) => Some(one),
            (false, true) => Some(other),
            (false, false) => None,
        }
    }

    fn go(&mut self, position: usize) {
        self.leave();
        self.at = Some(position);
        if let Ok(position) = u16::try_from(position) {
            self.tried.push(position);
        }
        if let Some(target) = self.counted() {
            target.state.enter();
        }
    }

    fn leave(&self) {
        if let Some(target) = self.counted() {
            target.state.leave();
        }
    }

    /// The target where this request counts as being under way. Only who looks at the number pays for it.
    fn counted(&self) -> Option<&Arc<Target>> {
        self.target().filter(|_| self.policy == Policy::LeastRequest)
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Numbers in a row, made to look drawn (the finalizer of `SplitMix64`).
const fn scatter(number: usize) -> usize {
    let mut mixed = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    let mixed = (mixed ^ (mixed >> 31)) as usize;
    mixed
}

#[cfg(test)]
mod tests {
    use super::super::targets::tests::equal;
    use super::*;
    use std::time::Duration;

    fn begin(targets: &Arc<Targets>, policy: Policy, turn: usize) -> (Round, usize) {
        let mut round = Round::new(targets.clone(), policy, turn);
        let index = round.begin(Instant::now()).expect("a target").index;
        (round, index)
    }

    fn counts(targets: &Arc<Targets>, policy: Policy, requests: usize) -> Vec<usize> {
        let mut counts = vec![0; targets.len()];
        (0..requests).for_each(|turn| counts[begin(targets, policy, turn).1] += 1);
        counts
    }

    #[test]
    fn requests_go_around_and_those_of_an_unwell_target_to_all_others() {
        let now = Instant::now();
        let targets = Arc::new(equal(4, now));
        assert_eq!(counts(&targets, Policy::RoundRobin, 12), [3, 3, 3, 3]);
        targets.get(1).expect("a target").state.eject(now, Duration::from_secs(60));
        assert_eq!(counts(&targets, Policy::RoundRobin, 12), [4, 0, 4, 4]);
    }

    #[test]
    fn of_two_the_less_busy_one_is_chosen() {
        let now = Instant::now();
        let targets = Arc::new(equal(2, now));
        let busy: Vec<Round> = (0..10).map(|turn| begin(&targets, Policy::LeastRequest, turn).0).collect();
        let in_flight = || targets.all().map(|target| target.state.in_flight()).collect::<Vec<_>>();
        assert_eq!(in_flight(), [5, 5], "with two, both are always looked at");
        targets.get(0).expect("a target").state.enter();
        assert_eq!(begin(&targets, Policy::LeastRequest, 0).1, 1);
        assert_eq!(begin(&targets, Policy::LeastRequest, 1).1, 1);
        drop(busy);
        assert_eq!(in_flight(), [1, 0]);
        targets.get(1).expect("a target").state.eject(now, Duration::from_secs(60));
        assert_eq!(begin(&targets, Policy::LeastRequest, 1).1, 0);
        let many = Arc::new(equal(10, now));
        assert!(counts(&many, Policy::LeastRequest, 1000).iter().all(|count| (50..200).contains(count)));
    }

    #[test]
    fn a_round_ends_when_every_target_was_tried() {
        let now = Instant::now();
        let targets = Arc::new(equal(3, now));
        let (mut round, first) = begin(&targets, Policy::LeastRequest, 5);
        let mut tried = vec![first];
        while round.go_on(now) {
            tried.push(round.target().expect("a target").index);
            assert_eq!(targets.all().map(|target| target.state.in_flight()).sum::<u32>(), 1);
        }
        assert!(!round.has_another());
        tried.sort_unstable();
        assert_eq!(tried, [0, 1, 2]);
        drop(round);
        assert_eq!(targets.all().map(|target| target.state.in_flight()).sum::<u32>(), 0);
    }

    #[test]
    fn a_round_for_some_targets_goes_through_no_others() {
        let now = Instant::now();
        let targets = Arc::new(equal(6, now));
        let among = |turn| Round::among(&targets, Policy::LeastRequest, turn, now, |target| target.index % 2 == 1);
        let mut begun = vec![0; 6];
        for turn in 0..600 {
            let mut round = among(turn);
            begun[round.begin(now).expect("a target").index] += 1;
            let mut others = 0;
            while round.has_another() && round.go_on(now) {
                others += 1;
                assert_eq!(round.target().expect("a target").index % 2, 1);
            }
            assert_eq!(others, 2);
        }
        assert!([1, 3, 5].into_iter().all(|index| begun[index] > 100), "{begun:?}");
        targets.get(1).expect("a target").state.eject(now, Duration::from_secs(60));
        assert!((0..60).all(|turn| among(turn).begin(now).expect("a target").index != 1));
        let mut none = Round::among(&targets, Policy::RoundRobin, 0, now, |_| false);
        assert!(none.begin(now).is_none() && !none.has_another());
        assert_eq!(targets.all().map(|target| target.state.in_flight()).sum::<u32>(), 0);
    }

    #[test]
    fn without_targets_there_is_no_attempt() {
        let mut round = Round::new(Arc::new(Targets::default()), Policy::LeastRequest, 0);
        assert!(round.begin(Instant::now()).is_none() && !round.has_another() && !round.go_on(Instant::now()));
    }
}
