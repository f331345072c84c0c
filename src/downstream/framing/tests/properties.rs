//! What holds of any bytes, and of any pieces they come in.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Pieces of requests, good and bad, so that random sequences of them get somewhere.
const PIECES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /a?b HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.0\r\n",
    "GET http://[::1]:80/ HTTP/1.1\r\n",
    "CONNECT ",
    "Host: a\r\n",
    "Host: a.test:80\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encodingx: y\r\n",
    "Upgrade: websocket\r\n",
    "X: y\r\n",
    "Transfer-Encoding : chunked\r\n",
    " folded\r\n",
    "\r\n",
    "\r\n",
    "\r\n",
    "\r",
    "\n",
    "abc",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    "0\r\n",
    "1;x\r\n",
    "\0",
    "é",
    " ",
    ":",
    "HTTP/1.1\r\n",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec(prop::sample::select(PIECES), 0..14).prop_map(|pieces| pieces.concat().into_bytes());
    let request = (request(), vec(prop::sample::select(PIECES), 0..4), any::<prop::sample::Index>()).prop_map(
        |(mut bytes, extra, place)| {
            let place = place.index(bytes.len());
            bytes.splice(place..place, extra.concat().into_bytes());
            bytes
        },
    );
    prop_oneof![pieces, request]
}

/// One request that nobody could misunderstand.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let line = "[A-Z]{1,9} (/[!$-;=?-~]{0,30}|http://[a-z]{1,9}(:[0-9]{1,4})?(/[a-z]{0,5})?) HTTP/1\\.1\r\n"
        .prop_filter("CONNECT", |line| !line.starts_with("CONNECT "));
    let field = "X-[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}:[ \t]{0,2}([ -~]{0,40}|[é-ü]{0,9})[ \t]{0,2}\r\n";
    let fields = (vec(field, 0..6), "(Host|host|HOST): {0,2}[a-z0-9.-]{1,20}\r\n", vec(field, 0..6))
        .prop_map(|(before, host, after)| before.concat() + &host + &after.concat());
    let body = prop_oneof![
        Just((String::new(), Vec::new())),
        vec(any::<u8>(), 0..40).prop_map(|body| (format!("Content-Length: {}\r\n", body.len()), body)),
        vec((vec(any::<u8>(), 1..20), "(;[ -~]{0,9})?"), 0..4).prop_map(|chunks| {
            let write = |(data, extension): &(Vec<u8>, String)| {
                [format!("{:x}{extension}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
            };
            let mut body: Vec<u8> = chunks.iter().flat_map(write).collect();
            body.extend(b"0\r\nX-Trailer: y\r\n\r\n");
            ("Transfer-Encoding: Chunked\r\n".to_owned(), body)
        }),
    ];
    (line, fields, body)
        .prop_map(|(line, fields, (framing, body))| [(line + &fields + &framing + "\r\n").as_bytes(), &body].concat())
}

/// What was said in the end, and how many bytes passed altogether.
fn follow_in(pieces: &[&[u8]]) -> (Framing, Result<(), Violation>, usize) {
    let mut framing = Framing::new(LIMITS);
    let mut passed = 0;
    for piece in pieces {
        if let Err(refused) = framing.follow(piece) {
            return (framing, Err(refused.violation), passed + refused.passed);
        }
        passed += piece.len();
    }
    (framing, Ok(()), passed)
}

fn places(framing: &Framing) -> [bool; 3] {
    [framing.is_between_requests(), framing.is_in_head(), framing.is_in_body()]
}

proptest! {
    #[test]
    fn any_split_of_the_same_bytes_has_the_same_verdict(
        bytes in text(), cuts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (whole, verdict, passed) = follow_in(&[&bytes]);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let (split, in_pieces, passed_in_pieces) = follow_in(&pieces);
        prop_assert_eq!(verdict, in_pieces);
        prop_assert_eq!((whole.requests(), whole.may_switch), (split.requests(), split.may_switch));
        prop_assert_eq!(places(&whole), places(&split));
        // What has passed before its fault was seen is at most a part of one message.
        prop_assert!(passed <= passed_in_pieces);
    }

    #[test]
    fn requests_that_nobody_could_misunderstand_pass_however_many_follow_each_other(
        requests in vec(request(), 0..5), cut in any::<prop::sample::Index>(),
    ) {
        let bytes = requests.concat();
        let (before, after) = bytes.split_at(cut.index(bytes.len() + 1));
        let (framing, verdict, _) = follow_in(&[before, after]);
        prop_assert_eq!(verdict, Ok(()));
        prop_assert!(framing.is_between_requests());
        prop_assert_eq!(framing.requests(), requests.len() as u64);
    }

    #[test]
    fn a_head_that_passes_is_what_another_parser_takes_it_for(bytes in text()) {
        let mut framing = Framing::new(LIMITS);
        let mut ends_at = None;
        for (index, byte) in bytes.iter().enumerate() {
            if framing.follow(&[*byte]).is_err() {
                break;
            }
            if framing.requests() == 1 {
                ends_at = Some(index + 1);
                break;
            }
        }
        let Some(length) = ends_at else { return Ok(()) };
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut fields);
        prop_assert_eq!(request.parse(&bytes), Ok(httparse::Status::Complete(length)));
        let head = &bytes[..length];
        let empty_lines = head.chunks(2).take_while(|line| *line == b"\r\n").count();
        let lines = head.windows(2).filter(|two| two == b"\r\n").count();
        prop_assert_eq!(request.headers.len(), lines - empty_lines - 2, "besides the request line and the empty one");
    }

    #[test]
    fn a_chunk_that_passes_has_the_size_another_parser_sees(
        line in "([0-9a-fA-F]{0,17}|[0-9x +;\t]{1,4})(;[ -~\t]{0,9})?(\r\n|[\r\n]x)",
    ) {
        let mut framing = Framing::new(LIMITS);
        framing.follow(chunked("").as_bytes()).unwrap();
        if framing.follow(line.as_bytes()).is_err() {
            return Ok(());
        }
        let Ok(httparse::Status::Complete((length, size))) = httparse::parse_chunk_size(line.as_bytes()) else {
            panic!("the other parser refuses {line:?}")
        };
        prop_assert_eq!(length, line.len());
        if size == 0 {
            prop_assert!(matches!(framing.state, State::Trailers(_)));
        } else if size < 100_000 {
            framing.follow(&vec![b'x'; size.try_into().unwrap()]).unwrap();
            prop_assert_eq!(framing.follow(b"x").unwrap_err().violation, Fault::ChunkEnd.into());
        }
    }

    #[test]
    fn nothing_is_too_odd_to_be_followed(bytes in vec(any::<u8>(), 0..200)) {
        let (framing, verdict, passed) = follow_in(&[&bytes]);
        prop_assert!(passed <= bytes.len());
        prop_assert_eq!(verdict.is_ok(), !matches!(framing.state, State::Refused(_)));
    }
}
