//! A CEL expression that is known to be one: what it looks at, and when it can be judged.
//!
//! KrakenD drops an expression that does not fit its variables, and runs on without it. Here it is an error.

mod scan;

use cel::parser::{Expression, PrattParser};
use scan::Scan;
use std::fmt;
use std::sync::Arc;

/// An expression has at most so many bytes.
pub const MAX_EXPRESSION: usize = 4096;

/// The parser's bound on nested brackets: far more than people write, and than are let pass after it.
const MAX_NESTING: u16 = 48;

/// What an expression can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// `req_method`.
    Method,
    /// `req_path`.
    Path,
    /// `req_params`: the placeholders of the endpoint, their names with a capital.
    Params,
    /// `req_headers`: lists, by names as Go spells them.
    Headers,
    /// `req_querystring`: lists.
    Query,
    /// `resp_completed`.
    Completed,
    /// `resp_metadata_status`.
    Status,
    /// `resp_metadata_headers`.
    AnswerHeaders,
    /// `resp_data`: the decoded answer.
    Data,
    /// `now`: text in RFC 3339.
    Now,
}

impl Variable {
    /// Every variable with its name in expressions.
    pub const ALL: [(&'static str, Self); 10] = [
        ("req_method", Self::Method),
        ("req_path", Self::Path),
        ("req_params", Self::Params),
        ("req_headers", Self::Headers),
        ("req_querystring", Self::Query),
        ("resp_completed", Self::Completed),
        ("resp_metadata_status", Self::Status),
        ("resp_metadata_headers", Self::AnswerHeaders),
        ("resp_data", Self::Data),
        ("now", Self::Now),
    ];
}

/// When an expression is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the request goes on.
    Request,
    /// Before the answer goes back.
    Response,
}

/// One `check_expr`. Cloning it is cheap.
#[derive(Clone)]
pub struct Condition {
    expression: Arc<Expression>,
    stage: Stage,
    variables: Vec<Variable>,
    loops: u32,
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// It is longer than [`MAX_EXPRESSION`].
    #[error("an expression has at most {MAX_EXPRESSION} bytes")]
    Long,
    /// It is deeper than any that people write.
    #[error("the expression is nested or chained too deep")]
    Deep,
    /// It is no CEL.
    #[error("this is no CEL expression: {message} at character {column} of line {line}")]
    Syntax {
        /// What the parser says, without the words of the text.
        message: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// There is no such variable.
    #[error("the expression uses an unknown variable")]
    Variable(String),
    /// There is no such function.
    #[error("the expression uses an unknown function")]
    Function(String),
    /// It makes a message, and there are no types of messages here.
    #[error("the expression makes a message, of which there are none")]
    Message,
    /// A pattern of `matches` is none.
    #[error("the expression has a pattern that is no regular expression")]
    Pattern,
    /// It looks at the request and at the answer.
    #[error("the expression looks at the request and at the answer, and there is no time when it has both")]
    Mixed,
    /// It looks at the client's token.
    #[error("`JWT` is known but not built yet")]
    Token,
}

impl Condition {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        if text.len() > MAX_EXPRESSION {
            return Err(ConditionError::Long);
        }
        // The crate's usual parser overflows the stack at a few dozen brackets, which nothing can catch. This one counts.
        let parser = PrattParser::new().max_recursion_depth(MAX_NESTING);
        let expression = parser.parse(text).map_err(|errors| syntax(&errors))?;
        let scan = Scan::of(&expression)?;
        let stage = scan.stage()?;
        Ok(Self { stage, variables: scan.variables, loops: scan.loops, expression: Arc::new(expression) })
    }

    /// The expression.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// When it is judged. One that looks at neither request nor answer is about the request; KrakenD never judges it.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it looks at this.
    pub fn reads(&self, variable: Variable) -> bool {
        self.variables.contains(&variable)
    }

    /// How many loops over lists stand inside each other, at most; a search with `in` is one, too.
    pub fn loops(&self) -> u32 {
        self.loops
    }
}

/// An expression can hold what a `${…}` was filled with.
impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("stage", &self.stage)
            .field("variables", &self.variables)
            .finish_non_exhaustive()
    }
}

/// The first error that has a place: that the parser gave up has none.
fn syntax(errors: &cel::ParseErrors) -> ConditionError {
    if errors.errors.iter().any(|error| error.msg.contains("recursion limit")) {
        return ConditionError::Deep;
    }
    let placed = errors.errors.iter().filter_map(|error| {
        let line = usize::try_from(error.pos.0).ok().filter(|line| *line > 0)?;
        Some((line, usize::try_from(error.pos.1).unwrap_or_default(), &error.msg))
    });
    match placed.min_by_key(|(line, column, _)| (*line, *column)) {
        Some((line, column, message)) => ConditionError::Syntax { message: without_words(message), line, column },
        None => ConditionError::Deep,
    }
}

/// The parser's message without what it quotes of the text, which may be a secret. Signs are kept.
fn without_words(message: &str) -> String {
    let message = message.trim_start_matches("Syntax error: ");
    match message.split_once('\'').and_then(|(before, rest)| Some((before, rest.rsplit_once('\'')?))) {
        Some((before, (quoted, after))) if quoted.chars().any(char::is_alphanumeric) => format!("{before}`***`{after}"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> ConditionError {
        Condition::parse(text).unwrap_err()
    }

    #[test]
    fn a_condition_knows_when_it_is_judged_and_what_it_looks_at() {
        for (text, stage, variables) in [
            ("'::1' in req_headers['X-Forwarded-For']", Stage::Request, vec![Variable::Headers]),
            ("req_method == 'GET' && has(req_params.Id)", Stage::Request, vec![Variable::Method, Variable::Params]),
            ("resp_data.request_id == 'req'", Stage::Response, vec![Variable::Data]),
            (
                "resp_completed && timestamp(now).getHours() < 8",
                Stage::Response,
                vec![Variable::Completed, Variable::Now],
            ),
            ("timestamp(now).getHours() < 8", Stage::Request, vec![Variable::Now]),
            ("true", Stage::Request, vec![]),
            ("req_querystring.y.all(now, now == 'a')", Stage::Request, vec![Variable::Query]),
            ("type(resp_data.n) == int", Stage::Response, vec![Variable::Data]),
        ] {
            let condition = Condition::parse(text).unwrap();
            assert_eq!(condition.stage(), stage, "{text}");
            assert_eq!(condition.variables, variables, "{text}");
        }
        assert!(!format!("{:?}", Condition::parse("req_path == 'hunter2'").unwrap()).contains("hunter2"));
    }

    #[test]
    fn loops_count_where_they_stand_inside_each_other() {
        for (text, loops) in [
            ("req_path == 'a'", 0),
            ("[1].all(x, x > 0) && [2].exists(x, x > 0)", 1),
            ("[1].map(x, x).filter(x, x > 0) == []", 1),
            ("req_path in req_headers", 1),
            ("[1].all(x, x in [1, 2])", 1),
            ("[1].all(x, x in resp_data.list)", 2),
            ("[1].all(x, [2].all(y, [3].all(z, x + y + z > 0)))", 3),
        ] {
            assert_eq!(Condition::parse(text).unwrap().loops(), loops, "{text}");
        }
    }

    #[test]
    fn what_it_cannot_be_is_told() {
        for text in [
            "req_header['a'] == 'b'",
            "[1].all(x, x == y)",
            "[1].all(x, true) && x == 1",
            "resp_metadata_header.a == 1",
        ] {
            assert!(matches!(error(text), ConditionError::Variable(_)), "{text}");
        }
        for text in ["lower(req_path) == 'a'", "req_path.lowerAscii() == 'a'", "f()", "_f()"] {
            assert!(matches!(error(text), ConditionError::Function(_)), "{text}");
        }
        for (text, expected) in [
            ("req_path == resp_data.path", ConditionError::Mixed),
            ("has(JWT.sub)", ConditionError::Token),
            ("req_path.matches('(?=a)')", ConditionError::Pattern),
            ("matches(req_path, '(')", ConditionError::Pattern),
            ("Thing{a: 1} == 1", ConditionError::Message),
        ] {
            assert_eq!(error(text), expected, "{text}");
        }
    }

    #[test]
    fn errors_of_syntax_have_a_place_and_none_of_the_text() {
        for (text, told) in [
            ("", "mismatched input `***` expecting expression at character 1 of line 1"),
            ("req_path == 'a", "unterminated string literal at character 13 of line 1"),
            ("req_path\n== 'a' hunter2", "mismatched input `***` expecting <EOF> at character 8 of line 2"),
            ("(req_path == 'a'", "expected ')' at character 17 of line 1"),
            ("has(req_path)", "invalid argument to has() macro at character 5 of line 1"),
            ("req_path = 'a'", "mismatched input '=' expecting <EOF> at character 10 of line 1"),
        ] {
            assert_eq!(error(text).to_string(), format!("this is no CEL expression: {told}"), "{text}");
        }
    }

    #[test]
    fn hostile_texts_are_refused_and_do_no_harm() {
        for (open, close) in
            [("(", ")"), ("[", "]"), ("{1:", "}"), ("[1].all(x,", ")"), ("!(", ")"), ("-(", ")"), ("size(", ")")]
        {
            for times in [40, 60, 300, 2_000] {
                let _ = Condition::parse(&format!("{}1{}", open.repeat(times), close.repeat(times)));
                let _ = Condition::parse(&open.repeat(times));
            }
        }
        for link in ["+1", ".b", "[1]", "?1:1", ".size()", "==1", " in [1]"] {
            let chain = |times| Condition::parse(&format!("now{}", link.repeat(times)));
            let longest = (MAX_EXPRESSION - 3) / link.len();
            assert_eq!(chain(longest).unwrap_err(), ConditionError::Deep, "{link}");
            assert_eq!(chain(longest + 1).unwrap_err(), ConditionError::Long, "{link}");
        }
        // The parser balances these.
        assert!(Condition::parse(&format!("true{}", "&&true".repeat(600))).is_ok());
        let _ = Condition::parse(&"!".repeat(MAX_EXPRESSION));
        let _ = Condition::parse(&"-".repeat(MAX_EXPRESSION));
    }
}
