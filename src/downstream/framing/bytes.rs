//! Classes of bytes, and how a run of one class is taken off the front of what was read.

/// RFC 9110 §5.6.2, `tchar`.
pub(super) const TOKEN: u8 = 1;
/// Visible ASCII without `#`, since none of the four forms of a target (RFC 9112 §3.2) has a fragment, and without `"`, `<`
/// and `>`, which are in no URI: Pingora takes them for encoded in one place and refuses them in another.
pub(super) const TARGET: u8 = 1 << 1;
/// RFC 3986 §3.2.2, what a registered name holds besides percent-encoding. Without the comma: a field that arrives twice
/// may be joined with one on the way, and then one host would be two.
pub(super) const REG_NAME: u8 = 1 << 2;

const CLASSES: [u8; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would say so")]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte: u8 = 0x21;
    while byte < 0x7f {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let mut class = if is_one_of(byte, b"#\"<>") { 0 } else { TARGET };
        if alphanumeric || is_one_of(byte, b"!#$%&'*+-.^_`|~") {
            class |= TOKEN;
        }
        if alphanumeric || is_one_of(byte, b"-._~!$&'()*+;=") {
            class |= REG_NAME;
        }
        classes[byte as usize] = class;
        byte += 1;
    }
    classes
}

const fn is_one_of(byte: u8, mut set: &[u8]) -> bool {
    while let [first, rest @ ..] = set {
        if *first == byte {
            return true;
        }
        set = rest;
    }
    false
}

pub(super) fn is(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|of| of & class != 0)
}

/// RFC 9110 §5.5: visible bytes, blanks, and what is not ASCII.
pub(super) const fn is_value(byte: u8) -> bool {
    (byte >= b' ' && byte != 0x7f) || byte == b'\t'
}

/// Takes the next byte.
pub(super) fn next(input: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = input.split_first()?;
    *input = rest;
    Some(first)
}

/// Takes the longest run of bytes of a class. It may be empty.
pub(super) fn run<'a>(input: &mut &'a [u8], class: u8) -> &'a [u8] {
    let length = input.iter().position(|byte| !is(*byte, class)).unwrap_or(input.len());
    take(input, length)
}

/// The same for what a field's value may hold. Most of a head is values, so they are looked at in blocks, without a branch
/// for each byte: the compiler makes vector instructions of it.
pub(super) fn value_run<'a>(input: &mut &'a [u8]) -> &'a [u8] {
    let (blocks, _) = input.as_chunks::<16>();
    let whole = blocks.iter().take_while(|block| block.iter().fold(true, |all, byte| all & is_value(*byte))).count();
    let (_, rest) = input.split_at_checked(whole * 16).unwrap_or((input, &[]));
    let tail = rest.iter().position(|byte| !is_value(*byte)).unwrap_or(rest.len());
    take(input, whole * 16 + tail)
}

/// Takes so many bytes, or all there are.
pub(super) fn take<'a>(input: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at_checked(length).unwrap_or((input, &[]));
    *input = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_are_those_of_the_grammar() {
        for byte in 0..=255_u8 {
            let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is(byte, TOKEN), token, "{byte:#x}");
            assert_eq!(is(byte, TARGET), byte.is_ascii_graphic() && !b"#\"<>".contains(&byte), "{byte:#x}");
            let reg_name = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte);
            assert_eq!(is(byte, REG_NAME), reg_name, "{byte:#x}");
            assert_eq!(is_value(byte), byte == b'\t' || !byte.is_ascii_control(), "{byte:#x}");
        }
    }

    #[test]
    fn a_run_of_a_value_ends_at_the_first_byte_that_is_none() {
        for length in 0..70 {
            let mut text = vec![b'v'; length];
            for stop in [b'\r', b'\n', 0, 0x7f] {
                text.push(stop);
                text.extend([b'v'; 20]);
                let mut input = &text[..];
                assert_eq!((value_run(&mut input).len(), input.len()), (length, 21), "{stop:#x}");
                text.truncate(length);
            }
            let mut input = &text[..];
            assert_eq!((value_run(&mut input).len(), input.len()), (length, 0));
        }
    }
}
