//! The body of an upstream's answer, read as whatever it may be and written as whatever a client may want.

use porteur::compose::{decode::decode, encode::encode};
use porteur::config::model::{Encoding, OutputEncoding};

const ENCODINGS: [Encoding; 4] = [Encoding::Json, Encoding::SafeJson, Encoding::String, Encoding::Xml];
const OUTPUT_ENCODINGS: [OutputEncoding; 5] = [
    OutputEncoding::Json,
    OutputEncoding::JsonCollection,
    OutputEncoding::String,
    OutputEncoding::Xml,
    OutputEncoding::Yaml,
];

pub fn check(body: &[u8]) {
    for encoding in ENCODINGS {
        for is_collection in [false, true] {
            let Ok(data) = decode(encoding, is_collection, body) else { continue };
            for output in OUTPUT_ENCODINGS {
                let (_, written) = encode(output, &data, None);
                // A list at the limit of depth is one deeper under `collection`.
                if output == OutputEncoding::Json
                    && let Ok(again) = decode(Encoding::Json, false, &written)
                {
                    assert_eq!(again, data);
                }
            }
        }
    }
}
