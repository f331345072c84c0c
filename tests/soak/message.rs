//! What a request with this number is answered: client and upstream both know, so that every byte can be compared.

use serde_json::{Value, json};

/// FNV-1a: small, and different for any bytes that are likely to be confused.
pub fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// So many letters that belong to this number (xorshift64).
pub fn filler(number: u64, size: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut letters = Vec::with_capacity(size + 8);
    while letters.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        letters.extend(state.to_le_bytes().map(|byte| b'a' + byte % 26));
    }
    letters.truncate(size);
    letters
}

/// The answer to a request with this body.
pub fn answer(number: u64, method: &str, body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = format!("{number} {method} {:016x} ", checksum(body)).into_bytes();
    bytes.extend(filler(number, size));
    bytes
}

/// What one of two backends knows.
pub fn part(number: u64, size: usize) -> Value {
    json!({ "number": number, "text": String::from_utf8(filler(number, size)).unwrap() })
}
