//! No report shows a secret, whatever is wrong with the text around it.

use super::*;

const SECRETS: [&str; 4] = ["hunter2", "hünter3", "9071", "Zaubertrank"];

/// Everything a report tells.
fn told(loaded: &Loaded) -> String {
    format!("{}\n{}\n{}", loaded.report.render(false), loaded.report.render(true), loaded.report.to_json())
}

#[track_caller]
fn tells_no_secret(format: Format, text: &str) -> String {
    let options = Options { deny_warnings: true, ..Options::default() };
    let loaded = load_text("a", format, text, &options, &variables(&[("K", "hunter2")]));
    let told = told(&loaded);
    for secret in SECRETS {
        assert!(!told.contains(secret), "{secret}\n{text}\n{told}");
    }
    told
}

const FULL_JSON: &str = r#"{
  "version": 3, "port": 8080, "tsl": "Zaubertrank",
  "extra_config": { "auth/basic": { "htpasswd": "hunter2" }, "auth/credentials": {
    "partner-a": { "client_id": "me", "client_secret": ["hunter2", "Zaubertrank"], "issuer": "https://u:hunter2@idp/",
      "proxy_url": "http://u:hunter2@proxy:3128", "revocation_url": "https://u:Zaubertrank@idp/r?k=hunter2",
      "endpoint_params": { "client_assertion": "hunter2" }, "request_headers": { "Authorization": "Basic hunter2" },
      "tls": { "ca_flie": "hunter2", "client_key_file": "-----BEGIN PRIVATE KEY-----\nhunter2\nZaubertrank" } },
    "b": "hunter2" } },
  "endpoints": [ { "endpoint": "/a", "output_encoding": "no-op",
    "backend": [ { "host": ["http://u:hunter2@up:80"], "url_pattern": "/x?apikey=hunter2",
      "extra_config": { "auth/client-credentials": { "client_id": "me", "client_secret": "hunter2",
        "token_url": "https://u:Zaubertrank@idp/t?k=hunter2", "endpoint_params": { "pin": 9071, "pwd": ["hünter3"] },
        "request_headers": { "X-Api-Key": "hunter2", "Cookie": "s=Zaubertrank" }
    } } } ] } ]
}"#;

const FULL_YAML: &str = "version: 3\nname: shop # hunter2\nextra_config:\n  auth/credentials:\n    partner-a:\n      client_id: me\n      \
client_secret: [hunter2, 'Zaubertrank']\n      proxy_url: socks5://u:hunter2@proxy\n      request_headers: {X-Api-Key: hunter2}\n      \
private_key_file: |\n        -----BEGIN PRIVATE KEY-----\n        hunter2\n      tls: {client_key: hunter2}\nendpoints:\n  - endpoint: /a\n    output_encoding: no-op\n    backend:\n      \
- host: [ \"http://u:hunter2@up\" ]\n        url_pattern: /x?apikey=hunter2\n        extra_config:\n          \
auth/client-credentials:\n            client_id: me\n            client_secret: hunter2\n            \
endpoint_params: {pin: 9071, pwd: 'hünter3'}\n            private_key: |\n              hunter2\n              \
Zaubertrank\n            token_url: https://u:Zaubertrank@idp/t\n";

/// A small generator: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// One or two small edits, as a slip of the hand makes them, near a secret more often than not. No secret is cut in two.
fn slipped(text: &str, numbers: &mut Numbers) -> String {
    const INSERTED: [&str; 24] = [
        "\"", "'", ",", ":", "{", "}", "[", "]", "\n", " ", "#", "\\", "@", "`", "? ", "- ", "&a ", "*", "!", "|",
        "\t", "=", "é", "${",
    ];
    let mut text = text.to_owned();
    for _ in 0..=numbers.below(2) {
        let at = if numbers.below(4) == 0 {
            numbers.below(text.len())
        } else {
            let places: Vec<_> = SECRETS.iter().flat_map(|secret| text.match_indices(secret)).collect();
            let (start, secret) = places[numbers.below(places.len())];
            let near = if numbers.below(2) == 0 { start } else { start + secret.len() };
            (near + numbers.below(9)).saturating_sub(numbers.below(17))
        };
        let at = diagnostic::floor_boundary(&text, at);
        let length = text[at..].chars().next().map_or(0, char::len_utf8);
        let inserted = INSERTED[numbers.below(INSERTED.len())];
        let edited = match numbers.below(3) {
            0 => format!("{}{inserted}{}", &text[..at], &text[at..]),
            1 => format!("{}{}", &text[..at], &text[at + length..]),
            _ => format!("{}{inserted}{}", &text[..at], &text[at + length..]),
        };
        let whole = |text: &str| SECRETS.iter().map(|secret| text.matches(secret).count()).sum::<usize>();
        if whole(&edited) == whole(&text) {
            text = edited;
        }
    }
    text
}

#[test]
fn no_slip_of_the_hand_shows_a_secret() {
    for (seed, text, format) in [(7, FULL_JSON, Format::Json), (8, FULL_YAML, Format::Yaml)] {
        tells_no_secret(format, text);
        let mut numbers = Numbers(seed);
        for round in 0..600 {
            let slipped = slipped(text, &mut numbers);
            let minified = slipped.replace('\n', " ");
            tells_no_secret(format, &slipped);
            if format == Format::Json && round % 4 == 0 {
                tells_no_secret(format, &minified);
            }
        }
    }
}

#[test]
fn misspelt_keys_and_their_neighbours_show_no_value() {
    for members in [
        r#""client_secrt": "hunter2""#,
        r#""clientid": 1, "client_secret": "hunter2", "endpoint_params": {"pwd": "hunter2", "pin": 9071, "code": "hunter2"}"#,
        r#""nope": 1, "request_headers": {"X-Api-Key": "hunter2", "Cookie": "hunter2"}, "secret_url": "hunter2""#,
        r#""nope": 1, "basic_auth": "hunter2", "pass": "hunter2", "api-key": "hunter2", "accessKey": "hunter2""#,
        r#""client_id": "a", "client_secret": "b", "token_url": "u:hunter2@idp/t""#,
        r#""client_id": "a", "client_secret": "b", "token_url": "http://idp/t?client_secret=hunter2""#,
        r#""client_id": "a", "client_secret": "b", "token_url": "https://i/t", "scheme": "Bearer hunter2""#,
        r#""client_id": "a", "client_secret": ["b", "c", "hunter2"], "token_url": "https://i/t""#,
        r#""client_id": "a", "client_secret": {"primary": "hunter2"}, "token_url": "https://i/t""#,
        r#""client_id": "a", "client_secret": "b", "token_url": "https://i/t", "proxy_url": "ftp://u:hunter2@proxy""#,
        r#""client_id": "a", "client_secret": "b", "token_url": "https://i/t", "proxy_url": "u:hunter2@proxy:3128""#,
        r#""client_id": "a", "client_secret": "b", "token_url": "https://i/t", "endpoint_params": {"client_assertion": "hunter2"}"#,
        r#""client_id": "a", "client_secret": "b", "token_url": "https://i/t", "request_headers": {"Authorization": "Basic hunter2"}"#,
        r#""client_id": "a", "client_secret": "b", "token_url": "https://i/t", "request_headers": {"X-Key: hunter2": "x"}"#,
        r#""client_id": "a", "client_secret": "b", "token_url": "https://i/t", "tls": {"client_key": "hunter2"}"#,
        r#""client_id": "a", "client_secret": "b", "token_url": "https://i/t", "tls": {"ca_file": "-----BEGIN CERTIFICATE-----\nhunter2"}"#,
        r#""client_id": "a", "token_url": "https://i/t", "private_key_file": "-----BEGIN PRIVATE KEY-----\nhunter2""#,
        r#""client_id": "a", "token_url": "https://i/t", "private_key": "hunter2", "client_assertion": "hunter2""#,
        r#""client_id": "a", "client_secret": "b", "token_url": "https://i/t", "revocation_url": "https://u:hunter2@i/r""#,
        r#""client_id": "a", "client_secret": "b", "token_url": "https://i/t", "header": "Authorization: Bearer hunter2""#,
    ] {
        let told = tells_no_secret(Format::Json, &credentials(members).replace('\n', ""));
        assert!(told.contains("***"), "{told}");
    }
    let misspelt = tells_no_secret(Format::Json, &credentials(r#""client_secrt": "hunter2""#));
    assert!(misspelt.contains("did you mean `client_secret`?"), "{misspelt}");
    assert!(misspelt.contains("\"client_secrt\": \"*"), "{misspelt}");
    tells_no_secret(Format::Json, &file("", "", "").replace("http://up:8000", "u:hunter2@up"));
    let told = tells_no_secret(Format::Json, &file("", "", "").replace("/b/{id}", "/x?apikey=hunter2&y=a b"));
    assert!(told.contains("/x?apikey=***&y="), "{told}");
    let flow = "version: 3\nendpoints:\n - endpoint: /a\n   output_encoding: no-op\n   backend:\n    - host: up\n      extra_config: {auth/client-credentials: {client_secret:hunter2, client_id: x}}\n";
    let told = tells_no_secret(Format::Yaml, flow);
    assert!(told.contains("unknown key `client_secret…`"), "{told}");
}

#[test]
fn broken_texts_show_no_value() {
    for text in [
        r#"{"client_secret" "hunter2"}"#,
        r#"{"client_secret", "hunter2"}"#,
        r#"{client_secret: "hunter2"}"#,
        "{\"client_secret\"\n\"hunter2\"}",
        r#"{"client_secret": "x",hunter2…"}"#,
        r#"{"a": 1, "pin": 9071 oops"#,
    ] {
        tells_no_secret(Format::Json, text);
    }
    for text in [
        "client_secret: \"x\n  hunter2\n",
        "client_secret: x\n  hunter2: y\n",
        "client_secret:\n  @hunter2\n",
        "client_secret:\n  `hunter2\n",
        "? client_secret\n: @hunter2\n",
        "? [client_secret]\n: hunter2\n",
        "a:\n  private_key: |\n hunter2\n",
        "a:\n  private_key: |\nhunter2\nZaubertrank: x\n",
    ] {
        tells_no_secret(Format::Yaml, text);
    }
}

#[test]
fn places_stay_right_behind_hidden_characters() {
    let text = "{\"version\": 3, \"x\": \"hünter3 日本𝄞\", \"prot\": 1}";
    let loaded = json(text);
    let rendered = loaded.report.render(false);
    let expected = "\
1 | {\"version\": *, \"x\": \"***********\", \"prot\": *}
  |                                    ^^^^^^ has no effect";
    assert!(rendered.contains(expected), "{rendered}");
    assert!(rendered.contains("krakend.json:1:36"), "{rendered}");
}
