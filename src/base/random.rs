//! Random numbers from the operating system's generator, by way of the TLS provider that is linked anyway.

use aws_lc_rs::rand;

/// `N` random bytes. Should the generator fail, which on a running system it does not, they are zero: callers that make
/// secrets of them must use [`try_bytes`].
fn bytes<const N: usize>() -> [u8; N] {
    try_bytes().unwrap_or([0; N])
}

/// `N` random bytes, or `None` when the system's generator fails.
#[must_use]
pub fn try_bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// A number in `0.0..1.0`, for jitter.
#[must_use]
pub fn fraction() -> f64 {
    // 53 bits are what an f64 holds exactly.
    let bits = u64::from_le_bytes(bytes()) >> 11;
    #[expect(clippy::cast_precision_loss, reason = "both numbers are exact in 53 bits")]
    let fraction = bits as f64 / (1_u64 << 53) as f64;
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_in_range_and_differ() {
        let drawn: Vec<f64> = (0..64).map(|_| fraction()).collect();
        assert!(drawn.iter().all(|x| (0.0..1.0).contains(x)));
        assert!(drawn.windows(2).any(|pair| pair[0] < pair[1]));
    }
}
