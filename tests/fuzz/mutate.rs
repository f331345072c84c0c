//! Inputs near the seeds: bytes changed, cut, doubled, or taken from another seed. It knows nothing of what it changes, and
//! makes the same inputs every time.

/// No longer than seeds with a few pieces added: most mistakes need no more.
const LONGEST: usize = 64 * 1024;

/// Bytes that mean something somewhere.
const TELLING: &[u8] = b"\0\t\n\r \"#%&'*+,-./:;<=>?@[\\]^_`{|}~\x7f\x80\xff0129aAzZ";

pub struct Mutator<'s> {
    seeds: &'s [Vec<u8>],
    state: u64,
}

impl<'s> Mutator<'s> {
    pub fn new(seeds: &'s [Vec<u8>]) -> Self {
        Self { seeds, state: 0x9E37_79B9_7F4A_7C15 }
    }

    pub fn next(&mut self) -> Vec<u8> {
        let seeds = self.seeds;
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        match self.below(6) {
            0 => bytes.insert(at, self.telling()),
            1 if at < bytes.len() => bytes[at] = self.telling(),
            2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            3 => drop(bytes.drain(at..self.end(at, bytes.len()))),
            4 => {
                let piece = bytes[at..self.end(at, bytes.len())].to_vec();
                let to = self.below(bytes.len() + 1);
                drop(bytes.splice(to..to, piece));
            }
            _ => {
                let other = &self.seeds[self.below(self.seeds.len())];
                let from = self.below(other.len() + 1);
                let piece = other[from..self.end(from, other.len())].iter().copied();
                drop(bytes.splice(at..at, piece));
            }
        }
    }

    fn telling(&mut self) -> u8 {
        TELLING[self.below(TELLING.len())]
    }

    /// The end of a piece from `at`: most are short.
    fn end(&mut self, at: usize, length: usize) -> usize {
        let size = if self.below(4) == 0 { self.below(length + 1) } else { 1 + self.below(12) };
        (at + size).min(length)
    }

    /// xorshift64* (Vigna 2016): enough, and no dependency.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap_or(0) % bound.max(1)
    }
}
