//! Whether a request or an answer is what the conditions of `validation/cel` say.
//!
//! As in KrakenD all of them must hold, and one that fails or is no yes or no is a no. What they look at is made once for all
//! of them, and only what they look at.

use crate::config::model::{Condition, Stage, Variable};
use cel::objects::Key;
use cel::{Context, Env, Value};
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, HeaderName};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

/// A list that is looped over may not cost more steps than this, all loops inside each other counted.
const MAX_STEPS: usize = 1_000_000;

/// A decoded answer that is looked at has at most so many values.
const MAX_VALUES: usize = 100_000;

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// The conditions of an endpoint or a backend.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    request: Vec<(usize, Condition)>,
    response: Vec<(usize, Condition)>,
}

/// A request, as far as conditions can look at it.
#[derive(Debug, Clone, Copy)]
pub struct CelRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path; for a backend the one its `url_pattern` came to.
    pub path: &'a str,
    /// The endpoint's placeholders: names as the file has them, and values without percent-encoding.
    pub params: &'a [(&'a str, &'a str)],
    /// The headers that `input_headers` lets pass.
    pub headers: &'a HeaderMap,
    /// The query that `input_query_strings` lets pass, percent-encoded.
    pub query: &'a str,
}

/// An answer, as far as conditions can look at it.
#[derive(Debug, Clone, Copy)]
pub struct CelResponse<'a> {
    /// Whether every backend answered.
    pub completed: bool,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The decoded body.
    pub data: &'a serde_json::Map<String, serde_json::Value>,
}

/// A condition that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("condition {index} of validation/cel {why}")]
pub struct Refusal {
    /// Its place in the list, from 0.
    pub index: usize,
    /// Why it does not.
    pub why: Why,
}

/// Why a condition does not hold. It tells nothing of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It is false.
    #[error("does not hold")]
    False,
    /// It is neither true nor false.
    #[error("is neither true nor false")]
    NoAnswer,
    /// It could not be evaluated: a header is not there, a value has another type.
    #[error("could not be evaluated")]
    Failed,
    /// What it looks at is too large.
    #[error("looks at too much")]
    Large,
}

impl Conditions {
    /// Sorts the conditions by when they are judged.
    pub fn compile(conditions: &[Condition]) -> Self {
        let numbered = conditions.iter().cloned().enumerate();
        let (request, response) = numbered.partition(|(_, condition)| condition.stage() == Stage::Request);
        Self { request, response }
    }

    /// Whether [`Self::allows_request`] has anything to judge.
    pub fn judge_requests(&self) -> bool {
        !self.request.is_empty()
    }

    /// Whether [`Self::allows_response`] has anything to judge.
    pub fn judge_responses(&self) -> bool {
        !self.response.is_empty()
    }

    /// Judges a request.
    ///
    /// # Errors
    ///
    /// The first condition that does not hold.
    pub fn allows_request(&self, request: &CelRequest<'_>, now: SystemTime) -> Result<(), Refusal> {
        judge(&self.request, now, |variable| {
            Some(match variable {
                Variable::Method => request.method.into(),
                Variable::Path => request.path.into(),
                Variable::Params => params(request.params),
                Variable::Headers => headers(request.headers),
                Variable::Query => query(request.query),
                _ => return None,
            })
        })
    }

    /// Judges an answer.
    ///
    /// # Errors
    ///
    /// The first condition that does not hold.
    pub fn allows_response(&self, response: &CelResponse<'_>, now: SystemTime) -> Result<(), Refusal> {
        judge(&self.response, now, |variable| {
            Some(match variable {
                Variable::Completed => response.completed.into(),
                Variable::Status => i64::from(response.status).into(),
                Variable::AnswerHeaders => headers(response.headers),
                Variable::Data => {
                    let mut left = MAX_VALUES;
                    object(response.data, &mut left)?
                }
                _ => return None,
            })
        })
    }
}

/// `look` makes the value of a variable; `None` when it is too large.
fn judge(
    conditions: &[(usize, Condition)],
    now: SystemTime,
    look: impl Fn(Variable) -> Option<Value>,
) -> Result<(), Refusal> {
    if conditions.is_empty() {
        return Ok(());
    }
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    let mut longest = 1;
    for (name, variable) in Variable::ALL {
        let Some((index, _)) = conditions.iter().find(|(_, condition)| condition.reads(variable)) else { continue };
        let value = if variable == Variable::Now { Some(timestamp(now)) } else { look(variable) };
        let value = value.ok_or(Refusal { index: *index, why: Why::Large })?;
        longest = longest.max(length(&value));
        context.add_variable_from_value(name, value);
    }
    conditions.iter().try_for_each(|(index, condition)| {
        holds(condition, &context, longest).map_err(|why| Refusal { index: *index, why })
    })
}

fn holds(condition: &Condition, context: &Context<'_, '_>, longest: usize) -> Result<(), Why> {
    if longest.checked_pow(condition.loops()).is_none_or(|steps| steps > MAX_STEPS) {
        return Err(Why::Large);
    }
    match Value::resolve(condition.expression(), context) {
        Ok(Value::Bool(true)) => Ok(()),
        Ok(Value::Bool(false)) => Err(Why::False),
        Ok(_) => Err(Why::NoAnswer),
        Err(_) => Err(Why::Failed),
    }
}

/// As KrakenD writes it, in UTC.
fn timestamp(now: SystemTime) -> Value {
    DateTime::<Utc>::from(now).to_rfc3339_opts(SecondsFormat::Secs, true).into()
}

/// KrakenD gives every name a capital: `{id}` is `req_params.Id`.
fn params(params: &[(&str, &str)]) -> Value {
    let named = params.iter().map(|(name, value)| {
        let mut letters = name.chars();
        let capital = letters.next().map(|first| first.to_ascii_uppercase());
        (capital.into_iter().chain(letters).collect::<String>(), Value::from(*value))
    });
    named.collect::<HashMap<_, _>>().into()
}

fn headers(headers: &HeaderMap) -> Value {
    let named = headers.keys().map(|name| {
        let lines = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
        (canonical(name), Value::from(lines.collect::<Vec<_>>()))
    });
    named.collect::<HashMap<_, _>>().into()
}

/// The name as Go spells it: `X-Forwarded-For`.
fn canonical(name: &HeaderName) -> String {
    let mut start = true;
    let letters = name.as_str().chars().map(|letter| {
        let letter = if start { letter.to_ascii_uppercase() } else { letter };
        start = letter == '-';
        letter
    });
    letters.collect()
}

fn query(query: &str) -> Value {
    let mut named: HashMap<String, Vec<String>> = HashMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        named.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    named.into()
}

fn object(members: &serde_json::Map<String, serde_json::Value>, left: &mut usize) -> Option<Value> {
    let read = members.iter().map(|(name, member)| Some((Key::from(name.as_str()), value(member, left)?)));
    Some(read.collect::<Option<HashMap<Key, Value>>>()?.into())
}

/// JSON's depth is its parser's to bound.
fn value(json: &serde_json::Value, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    Some(match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => (*value).into(),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => number.into(),
            (_, Some(number), _) => number.into(),
            (.., number) => number.unwrap_or(f64::NAN).into(),
        },
        serde_json::Value::String(text) => text.as_str().into(),
        serde_json::Value::Array(items) => {
            items.iter().map(|item| value(item, left)).collect::<Option<Vec<_>>>()?.into()
        }
        serde_json::Value::Object(members) => object(members, left)?,
    })
}

/// The length of the longest list or map in a value.
fn length(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(length).fold(items.len(), usize::max),
        Value::Map(map) => map.map.values().map(length).fold(map.map.len(), usize::max),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::proptest;
    use serde_json::json;
    use std::time::Duration;

    fn conditions(texts: &[&str]) -> Conditions {
        let parsed: Vec<_> = texts.iter().map(|text| Condition::parse(text).unwrap()).collect();
        Conditions::compile(&parsed)
    }

    /// Monday, 2018-12-10, midnight.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_544_400_000)
    }

    fn lines(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn of_request(text: &str) -> Result<(), Why> {
        let headers =
            lines(&[("x-forwarded-for", "::1"), ("authorization", "Bearer abc"), ("accept", "a"), ("accept", "b")]);
        let request = CelRequest {
            method: "GET",
            path: "/a/b",
            params: &[("id", "42"), ("nick", "kpacha"), ("écho", "é")],
            headers: &headers,
            query: "x=10&y=2&y=3&z=a%20b",
        };
        let conditions = conditions(&[text]);
        assert!(conditions.judge_requests() && !conditions.judge_responses());
        conditions.allows_request(&request, now()).map_err(|refusal| refusal.why)
    }

    fn of_answer(text: &str, data: &serde_json::Value) -> Result<(), Why> {
        let headers = lines(&[("content-type", "application/json")]);
        let data = data.as_object().unwrap();
        let response = CelResponse { completed: true, status: 200, headers: &headers, data };
        let conditions = conditions(&[text]);
        assert!(conditions.judge_responses() && !conditions.judge_requests());
        conditions.allows_response(&response, now()).map_err(|refusal| refusal.why)
    }

    #[test]
    fn requests_that_hold_pass() {
        for text in [
            "'::1' in req_headers['X-Forwarded-For']",
            "req_headers['Authorization'][0].startsWith('Bearer ')",
            "req_headers.Accept == ['a', 'b'] && size(req_headers.Accept) == 2",
            "has(req_params.Id) && !('x' in req_params)",
            "int(req_params.Id) % 3 == 0",
            "req_params.Nick in ['kpacha', 'alombarte']",
            "req_params.Nick.matches('^(kpacha|alombarte)$')",
            "req_method == 'GET' ? req_path == '/a/b' : false",
            "'2' in req_querystring.y && int(req_querystring.x[0]) % 2 == 0 && req_querystring.z == ['a b']",
            "req_querystring.y.map(v, int(v)) == [2, 3]",
            "req_querystring.y.filter(v, v != '2') == ['3']",
            "req_querystring.y.all(v, v.size() == 1) && req_querystring.y.exists(v, v == '3')",
            "req_headers.all(name, req_headers[name].exists_one(line, line != 'b'))",
            "!('Nope' in req_headers) || req_headers['Nope'][0] == 'x'",
            "now == '2018-12-10T00:00:00Z'",
            "timestamp(now).getDayOfWeek() == 1 && timestamp(now).getHours() < 8",
            "timestamp(now) + duration('1h') > timestamp('2018-12-10T00:30:00Z')",
            "true",
        ] {
            assert_eq!(of_request(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_does_not_hold_or_cannot_be_judged_is_refused() {
        for (text, why) in [
            ("req_method == 'POST'", Why::False),
            ("'X' in req_headers", Why::False),
            ("req_method", Why::NoAnswer),
            ("1", Why::NoAnswer),
            ("null", Why::NoAnswer),
            ("req_headers['Nope'][0] == 'x'", Why::Failed),
            ("req_headers['authorization'][0] != ''", Why::Failed),
            ("req_headers.Accept[2] == 'x'", Why::Failed),
            ("req_headers.Accept[-1] == 'x'", Why::Failed),
            ("int(req_params.Nick) == 1", Why::Failed),
            ("req_params.id == '42'", Why::Failed),
            ("req_method < 1", Why::Failed),
            ("1 / int(req_querystring.x[0] == '10' ? '0' : '1') == 1", Why::Failed),
            ("9223372036854775807 + 1 > 0", Why::Failed),
            ("-9223372036854775808 / -1 > 0", Why::Failed),
            ("'a'.matches(req_path + '(')", Why::Failed),
            ("timestamp(req_path) == timestamp(now)", Why::Failed),
            ("timestamp('9999-12-31T23:59:59Z') + duration('999999h') > timestamp(now)", Why::Failed),
            ("timestamp(now).getHours('Nope/Zone') == 1", Why::Failed),
        ] {
            assert_eq!(of_request(text), Err(why), "{text}");
        }
    }

    #[test]
    fn answers_are_judged_by_what_they_hold() {
        let data =
            json!({"Id": "42", "n": 5, "f": 5.0, "big": u64::MAX, "z": null, "list": [1, "a", {"b": true}], "s": "é"});
        for text in [
            "int(resp_data.Id) % 2 == 0",
            "resp_data.n > 4 && resp_data.n < 5.5 && resp_data.n == resp_data.f && resp_data.big > resp_data.n",
            "resp_data.z == null && !has(resp_data.foo) && has(resp_data.z)",
            "resp_data.list[2].b && 'a' in resp_data.list && resp_data.list.size() == 3",
            "resp_data.s == 'é' && size(resp_data.s) == 1",
            "resp_completed && resp_metadata_status == 200",
            "resp_metadata_headers['Content-Type'][0].contains('json')",
        ] {
            assert_eq!(of_answer(text, &data), Ok(()), "{text}");
        }
        assert_eq!(of_answer("resp_data.missing == 1", &data), Err(Why::Failed));
    }

    #[test]
    fn all_must_hold_and_the_first_that_does_not_is_named() {
        let conditions =
            conditions(&["resp_completed", "req_method == 'GET'", "req_path == '/'", "req_method == 'PUT'"]);
        let request = CelRequest { method: "GET", path: "/x", params: &[], headers: &HeaderMap::new(), query: "" };
        let refusal = conditions.allows_request(&request, now()).unwrap_err();
        assert_eq!(refusal, Refusal { index: 2, why: Why::False });
        assert_eq!(refusal.to_string(), "condition 2 of validation/cel does not hold");
        assert_eq!(Conditions::default().allows_request(&request, now()), Ok(()));
    }

    #[test]
    fn large_answers_are_refused_before_they_take_time() {
        let list = |length: usize| json!({"list": vec![1; length]});
        assert_eq!(of_answer("resp_data.list.all(x, x == 1)", &list(50_000)), Ok(()));
        assert_eq!(of_answer("resp_data.list.map(x, x + 1).size() > 0", &list(50_000)), Ok(()));
        assert_eq!(of_answer("resp_data.list.size() > 0", &list(200_000)), Err(Why::Large));
        let nested = "resp_data.list.all(x, resp_data.list.all(y, x == y))";
        assert_eq!(of_answer(nested, &list(100)), Ok(()));
        assert_eq!(of_answer(nested, &list(2_000)), Err(Why::Large));
        let members = "resp_data.list.all(x, x in resp_data.list)";
        assert_eq!(of_answer(members, &list(100)), Ok(()));
        assert_eq!(of_answer(members, &list(2_000)), Err(Why::Large));
        assert_eq!(of_answer("resp_data.list.all(x, x in [1, 2])", &list(2_000)), Ok(()));
        // What is not looked at may be of any size.
        assert_eq!(of_answer("resp_completed", &list(200_000)), Ok(()));
    }

    #[test]
    fn the_deepest_answer_can_be_looked_at() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(120), "]".repeat(120));
        let data: serde_json::Value = serde_json::from_str(&deep).unwrap();
        for text in ["resp_data == resp_data", "resp_data.a in [resp_data.a]", "[resp_data].map(x, x) == [resp_data]"] {
            assert_eq!(of_answer(text, &data), Ok(()), "{text}");
        }
    }

    proptest! {
        /// Whatever an expression is made of, reading and judging it ends without harm.
        #[test]
        fn no_expression_does_harm(words in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..40)) {
            if let Ok(condition) = Condition::parse(&words.concat()) {
                let _ = judge(&[(0, condition)], now(), |variable| match variable {
                    Variable::Data => object(json!({"a": [1, "b"], "n": -1.5}).as_object().unwrap(), &mut 100),
                    _ => Some("a".into()),
                });
            }
        }
    }

    const WORDS: [&str; 46] = [
        "(",
        "(",
        "[",
        "{",
        ")",
        ")",
        "]",
        "}",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "1",
        "0",
        "9223372036854775807",
        "1.5e308",
        "2u",
        ".",
        ",",
        ":",
        "?",
        "&&",
        "||",
        "==",
        "<",
        " in ",
        "'a'",
        "b'\\xff'",
        "null",
        "true",
        "resp_data",
        "now",
        "x",
        ".a",
        ".n",
        ".all(x,",
        ".map(x,",
        "has(",
        "size(",
        "timestamp(",
        "duration('1h')",
        ".matches(",
        "int(",
        "type(",
    ];

    #[test]
    fn the_deepest_expression_can_be_judged() {
        let deep = format!("1{} > 0", "+1".repeat(22));
        assert_eq!(of_request(&deep), Ok(()));
        let wide = format!("true{}", "&&true".repeat(600));
        assert_eq!(of_request(&wide), Ok(()));
    }
}
