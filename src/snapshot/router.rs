//! From method and path to an endpoint: one tree per method, and the second looks that KrakenD's router takes when the
//! first finds nothing (trailing slash, other case, other methods).
//!
//! Paths are matched as the client wrote them: `%2F` is not a separator here, and what is matched is what is forwarded.

use crate::config::model::{EndpointPath, Methods, Model, PathKind, Router as Settings};
use crate::snapshot::CompileError;
use crate::snapshot::target::{Params, PathRange, text};
use http::{HeaderValue, Method};

/// Methods with a tree of their own, as they stand in `Allow`; others share a tree, in which only endpoints for all
/// methods are.
const METHODS: [(Method, &str); 7] = [
    (Method::GET, "GET"),
    (Method::HEAD, "HEAD"),
    (Method::POST, "POST"),
    (Method::PUT, "PUT"),
    (Method::PATCH, "PATCH"),
    (Method::DELETE, "DELETE"),
    (Method::OPTIONS, "OPTIONS"),
];
const GET: usize = 0;
const HEAD: usize = 1;

/// The name under which a tree keeps what `/*` matched; no placeholder can have it.
const TAIL: &str = "$";

/// The compiled routes.
#[derive(Debug)]
pub struct Router {
    /// One for each of [`METHODS`], and one for all other methods.
    trees: Vec<Tree>,
    settings: Settings,
}

/// The routes of one method.
#[derive(Debug, Default)]
struct Tree {
    exact: matchit::Router<usize>,
    /// The same routes in lower case, each with its own spelling, for the redirect that corrects a client's.
    folded: matchit::Router<String>,
    catchall: Option<usize>,
}

/// An endpoint and what its placeholders stand for.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Index of the endpoint.
    pub endpoint: usize,
    /// Values of its placeholders.
    pub params: Params,
}

impl Router {
    /// Puts all endpoints of a Model into their trees.
    ///
    /// # Errors
    /// If two endpoints cannot be told apart.
    pub fn compile(model: &Model) -> Result<Self, CompileError> {
        let mut trees: Vec<Tree> = std::iter::repeat_with(Tree::default).take(METHODS.len() + 1).collect();
        for (index, endpoint) in model.endpoints.iter().enumerate() {
            for (position, tree) in trees.iter_mut().enumerate() {
                let serves = match &endpoint.methods {
                    Methods::Any => true,
                    Methods::Only(methods) => METHODS.get(position).is_some_and(|(method, _)| methods.contains(method)),
                };
                if serves {
                    tree.insert(&endpoint.path, index)?;
                }
            }
        }
        Ok(Self { trees, settings: model.router.clone() })
    }

    /// The router's settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The endpoint for a method and path. A HEAD request is served by the GET endpoint unless HEAD has its own.
    #[must_use]
    pub fn find(&self, method: &Method, path: &str) -> Option<Found> {
        self.tree_of(method)
            .and_then(|tree| tree.find(path))
            .or_else(|| self.get_tree_for_head(method).and_then(|tree| tree.find(path)))
    }

    /// The endpoint for whatever no other route and no redirect answers.
    #[must_use]
    pub fn catchall(&self, method: &Method, path: &str) -> Option<Found> {
        let endpoint = self
            .tree_of(method)
            .and_then(|tree| tree.catchall)
            .or_else(|| self.get_tree_for_head(method).and_then(|tree| tree.catchall))?;
        let tail = range(path, path.strip_prefix('/').unwrap_or(path));
        Some(Found { endpoint, params: Params { tail: Some(tail), ..Params::default() } })
    }

    /// The path that this one probably meant: with or without the trailing slash, cleaned of `//` and dot segments, in
    /// the case in which the endpoint is written.
    #[must_use]
    pub fn correction(&self, method: &Method, path: &str) -> Option<String> {
        let trees = [self.tree_of(method), self.get_tree_for_head(method)];
        let every: &[Tree] = if self.has_auto_options(method) { &self.trees } else { &[] };
        let trees = trees.into_iter().flatten().chain(every);
        trees.into_iter().find_map(|tree| self.correct(tree, path)).filter(|corrected| corrected != path)
    }

    fn correct(&self, tree: &Tree, path: &str) -> Option<String> {
        let slashed = (!self.settings.disable_redirect_trailing_slash).then(|| toggle_trailing_slash(path)).flatten();
        if let Some(slashed) = slashed.filter(|slashed| is_plain(slashed) && tree.find(slashed).is_some()) {
            return Some(slashed);
        }
        if self.settings.disable_redirect_fixed_path {
            return None;
        }
        let cleaned = clean(path);
        tree.spelling(&cleaned).or_else(|| {
            let slashed = (!self.settings.disable_redirect_trailing_slash).then(|| toggle_trailing_slash(&cleaned));
            slashed.flatten().and_then(|slashed| tree.spelling(&slashed))
        })
    }

    /// The methods that have an endpoint with this path, for `Allow`; none if no method has.
    pub fn allowed<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'static str> + 'a {
        let health = self.is_health(path);
        let has_any = health || self.trees.iter().any(|tree| tree.find(path).is_some());
        METHODS.iter().zip(&self.trees).enumerate().filter_map(move |(position, ((method, name), tree))| {
            let by_get = || position == HEAD && self.trees.get(GET).is_some_and(|get| get.find(path).is_some());
            let by_health = health && matches!(position, GET | HEAD);
            let by_options = has_any && !health && self.has_auto_options(method);
            (tree.find(path).is_some() || by_get() || by_health || by_options).then_some(*name)
        })
    }

    /// What `auto_options` answers for a path: the methods for which it has an endpoint, in order of the alphabet.
    #[must_use]
    pub fn options(&self, method: &Method, path: &str) -> Option<Vec<&'static str>> {
        if !self.has_auto_options(method) {
            return None;
        }
        let found = METHODS.iter().zip(&self.trees).filter(|(_, tree)| tree.find(path).is_some());
        let mut names: Vec<_> = found.map(|((_, name), _)| *name).collect();
        names.sort_unstable();
        (!names.is_empty()).then_some(names)
    }

    fn has_auto_options(&self, method: &Method) -> bool {
        self.settings.auto_options && *method == Method::OPTIONS
    }

    /// Whether requests with this path are kept out of the access log.
    #[must_use]
    pub fn is_unlogged(&self, path: &str) -> bool {
        self.settings.logger_skip_paths.iter().any(|skipped| skipped == path)
    }

    /// Whether this is where the health endpoint is.
    #[must_use]
    pub fn is_health(&self, path: &str) -> bool {
        !self.settings.disable_health && path == self.settings.health_path
    }

    /// TRACE has no tree: its answer would show the client what was added to its request.
    fn tree_of(&self, method: &Method) -> Option<&Tree> {
        if *method == Method::TRACE {
            return None;
        }
        let position = METHODS.iter().position(|(known, _)| known == method).unwrap_or(METHODS.len());
        self.trees.get(position)
    }

    fn get_tree_for_head(&self, method: &Method) -> Option<&Tree> {
        (*method == Method::HEAD).then(|| self.trees.get(GET)).flatten()
    }
}

impl Tree {
    fn insert(&mut self, path: &EndpointPath, endpoint: usize) -> Result<(), CompileError> {
        let conflict = |_| CompileError::Route(path.text.clone());
        match path.kind {
            PathKind::Exact => {
                self.exact.insert(path.route.as_str(), endpoint).map_err(conflict)?;
                self.fold(&path.route);
            }
            PathKind::Tail => {
                // matchit's catch-all does not match nothing, KrakenD's does.
                let stem = path.route.trim_end_matches('*');
                let everything = format!("{stem}{{*{TAIL}}}");
                self.exact.insert(stem, endpoint).map_err(conflict)?;
                self.exact.insert(everything.as_str(), endpoint).map_err(conflict)?;
                self.fold(stem);
                self.fold(&everything);
            }
            PathKind::Catchall if self.catchall.is_some() => return Err(CompileError::Route(path.text.clone())),
            PathKind::Catchall => self.catchall = Some(endpoint),
        }
        Ok(())
    }

    /// Two endpoints that differ only in case are both routed; the redirect goes to the first.
    fn fold(&mut self, route: &str) {
        let _ = self.folded.insert(fold_literals(route), route.to_owned());
    }

    fn find(&self, path: &str) -> Option<Found> {
        let found = self.exact.at(path).ok()?;
        // `/a/*` at `/a/` has a tail, and it is empty.
        let mut params = Params { tail: Some(range(path, path.get(path.len()..)?)), ..Params::default() };
        for (name, value) in found.params.iter() {
            match name {
                TAIL => params.tail = Some(range(path, value)),
                _ => params.values.push(range(path, value)),
            }
        }
        Some(Found { endpoint: *found.value, params })
    }

    /// `path` in the spelling of the route that has it in some case; the client's values stay as they are.
    fn spelling(&self, path: &str) -> Option<String> {
        if self.exact.at(path).is_ok() {
            return Some(path.to_owned());
        }
        let lower = path.to_ascii_lowercase();
        let found = self.folded.at(&lower).ok()?;
        // Lower case does not move a byte, so a value's place in `lower` is its place in `path`.
        let mut values = found.params.iter().map(|(_, value)| text(path, range(&lower, value)));
        let mut spelled = String::with_capacity(path.len());
        let mut rest = found.value.as_str();
        while let Some((literal, placeholder)) = rest.split_once('{') {
            spelled.push_str(literal);
            spelled.push_str(values.next()?);
            rest = placeholder.split_once('}')?.1;
        }
        spelled.push_str(rest);
        Some(spelled)
    }
}

/// What `Allow` says of the server as a whole: the methods that an endpoint can have.
#[must_use]
pub const fn every_method() -> HeaderValue {
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
}

/// The byte range of `part` within `whole`.
fn range(whole: &str, part: &str) -> PathRange {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    (bound(start), bound(start + part.len()))
}

/// A route in lower case, its `{placeholders}` untouched.
fn fold_literals(route: &str) -> String {
    let mut in_braces = false;
    route
        .chars()
        .map(|letter| {
            in_braces = match letter {
                '{' => true,
                '}' => false,
                _ => in_braces,
            };
            if in_braces { letter } else { letter.to_ascii_lowercase() }
        })
        .collect()
}

fn toggle_trailing_slash(path: &str) -> Option<String> {
    match path.strip_suffix('/') {
        Some("") => None,
        Some(without) => Some(without.to_owned()),
        None => Some(format!("{path}/")),
    }
}

/// Whether a path can stand in a `Location`: it is not read as a host (`//evil.test`), and its dot segments would not send
/// the client back here.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// The path without empty and dot segments, as Go's `path.Clean` does, keeping a trailing slash.
#[must_use]
pub fn clean(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let slash = if !segments.is_empty() && (path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..")) {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{
        AllowList, Answer, Backend, Balance, Decoding, Discovery, Dns, Endpoint, ErrorStatus, Host, Limits, Piece,
        UpstreamTransport, UrlPattern,
    };
    use std::time::Duration;

    fn endpoint(methods: Methods, text: &str) -> Endpoint {
        let kind = match text {
            "/__catchall" => PathKind::Catchall,
            text if text.ends_with("/*") => PathKind::Tail,
            _ => PathKind::Exact,
        };
        let backend = Backend {
            hosts: vec![Host { https: false, name: "127.0.0.1".into(), port: 80, authority: "127.0.0.1".into() }],
            discovery: Discovery::Static,
            balance: Balance::default(),
            circuit_breaker: None,
            url_pattern: UrlPattern {
                text: "/".into(),
                path: vec![Piece::Literal("/".into())],
                tail: false,
                query: vec![],
            },
            method: None,
            timeout: None,
            transport: UpstreamTransport::default(),
            no_redirect: false,
            input_headers: None,
            input_query_strings: None,
            token: None,
            decoding: Decoding::default(),
            errors: ErrorStatus::Hidden,
            http_cache: None,
            conditions: Vec::new(),
            martian: None,
        };
        Endpoint {
            path: EndpointPath { text: text.into(), route: text.into(), kind, params: vec![] },
            methods,
            timeout: Duration::from_secs(2),
            max_payload: None,
            input_headers: AllowList::Only(vec![]),
            input_query_strings: AllowList::Only(vec![]),
            websocket: None,
            answer: Answer::NoOp(Box::new(backend)),
            bots: None,
            json_schema: None,
            conditions: Vec::new(),
        }
    }

    fn model(routes: &[(&str, &str)]) -> Model {
        let methods = |name: &str| match name {
            "*" => Methods::Any,
            name => Methods::Only(vec![name.parse().expect("a method")]),
        };
        Model {
            limits: Limits::default(),
            name: None,
            listen_ip: None,
            port: 0,
            listeners: Vec::new(),
            use_h2c: false,
            max_shutdown_wait_time: Duration::ZERO,
            debug_endpoint: false,
            echo_endpoint: false,
            dns: Dns::default(),
            router: Settings::default(),
            security: None,
            bots: None,
            admin: None,
            endpoints: routes.iter().map(|(method, path)| endpoint(methods(method), path)).collect(),
        }
    }

    fn router(routes: &[(&str, &str)]) -> Router {
        Router::compile(&model(routes)).expect("no conflicts")
    }

    fn found(router: &Router, method: &Method, path: &str) -> Option<(usize, Vec<String>, String)> {
        let found = router.find(method, path)?;
        let values = found.params.values.iter().map(|value| text(path, *value).to_owned()).collect();
        Some((found.endpoint, values, text(path, found.params.tail.expect("a tail")).to_owned()))
    }

    #[test]
    fn placeholders_tails_and_literals_match_with_literals_first() {
        let router = router(&[("GET", "/a/{x}"), ("GET", "/a/b"), ("GET", "/a/{x}/c/{y}"), ("GET", "/t/*")]);
        let get = |path| found(&router, &Method::GET, path);
        assert_eq!(get("/a/1%2F2"), Some((0, vec!["1%2F2".into()], String::new())));
        assert_eq!(get("/a/b"), Some((1, vec![], String::new())));
        assert_eq!(get("/a/1/c/2"), Some((2, vec!["1".into(), "2".into()], String::new())));
        assert_eq!(get("/t/"), Some((3, vec![], String::new())));
        assert_eq!(get("/t/x/y"), Some((3, vec![], "x/y".into())));
        assert_eq!(get("/t"), None);
        assert_eq!(get("/a/"), None);
    }

    #[test]
    fn a_path_is_compared_percent_encoded() {
        let mut model = model(&[("GET", "/é")]);
        for endpoint in &mut model.endpoints {
            endpoint.path.route = "/%C3%A9".into();
        }
        let router = Router::compile(&model).expect("no conflicts");
        assert!(router.find(&Method::GET, "/%C3%A9").is_some());
    }

    #[test]
    fn head_is_served_by_get_unless_it_has_its_own() {
        let router = router(&[("GET", "/a"), ("GET", "/b"), ("HEAD", "/b")]);
        assert_eq!(router.find(&Method::HEAD, "/a").expect("found").endpoint, 0);
        assert_eq!(router.find(&Method::HEAD, "/b").expect("found").endpoint, 2);
    }

    #[test]
    fn an_endpoint_for_all_methods_takes_unknown_ones_but_never_trace() {
        let router = router(&[("*", "/a"), ("GET", "/b")]);
        let purge: Method = "PURGE".parse().expect("a method");
        assert!(router.find(&purge, "/a").is_some());
        assert!(router.find(&purge, "/b").is_none());
        assert!(router.find(&Method::TRACE, "/a").is_none());
    }

    #[test]
    fn allow_names_the_methods_of_a_path() {
        let router = router(&[("GET", "/a/{x}"), ("POST", "/a/b"), ("DELETE", "/c")]);
        let allowed = |path| router.allowed(path).collect::<Vec<_>>().join(", ");
        assert_eq!(allowed("/a/b"), "GET, HEAD, POST");
        assert_eq!(allowed("/a/z"), "GET, HEAD");
        assert_eq!(allowed("/nowhere"), "");
    }

    #[test]
    fn options_names_the_methods_of_a_path_when_it_is_answered_for_all() {
        let mut model = model(&[("POST", "/a/{x}"), ("GET", "/a/{x}"), ("GET", "/a/b"), ("*", "/every")]);
        let options = |model: &Model, path: &str| {
            let router = Router::compile(model).expect("no conflicts");
            router.options(&Method::OPTIONS, path).map(|names| names.join(", "))
        };
        assert_eq!(options(&model, "/a/1"), None);
        model.router.auto_options = true;
        assert_eq!(options(&model, "/a/1").as_deref(), Some("GET, POST"));
        assert_eq!(options(&model, "/a/b").as_deref(), Some("GET, POST"));
        assert_eq!(options(&model, "/nowhere"), None);
        let router = Router::compile(&model).expect("no conflicts");
        assert_eq!(router.options(&Method::GET, "/a/1"), None);
        assert_eq!(router.allowed("/a/1").collect::<Vec<_>>().join(", "), "GET, HEAD, POST, OPTIONS");
        assert_eq!(router.allowed("/nowhere").count(), 0);
        assert_eq!(router.correction(&Method::OPTIONS, "/A/1").as_deref(), Some("/a/1"));
    }

    #[test]
    fn the_health_endpoint_is_for_get_and_head() {
        let router = router(&[("POST", "/a")]);
        assert_eq!(router.allowed("/__health").collect::<Vec<_>>(), ["GET", "HEAD"]);
    }

    #[test]
    fn a_placeholder_may_have_something_before_and_behind_it() {
        let router = router(&[("GET", "/Img/v{id}.PNG"), ("GET", "/img/{name}"), ("GET", "/x/{id}.json")]);
        let get = |path| found(&router, &Method::GET, path).map(|(endpoint, values, _)| (endpoint, values));
        assert_eq!(get("/Img/v7.PNG"), Some((0, vec!["7".into()])));
        assert_eq!(get("/img/v7.png"), Some((1, vec!["v7.png".into()])));
        assert_eq!(get("/x/a.b.json"), Some((2, vec!["a.b".into()])));
        assert_eq!(get("/x/.json"), None);
        assert_eq!(router.correction(&Method::GET, "/X/Abc.JSON").as_deref(), Some("/x/Abc.json"));
    }

    #[test]
    fn corrections_are_krakends_redirects() {
        let router = router(&[("GET", "/big"), ("GET", "/Users/{Id}/Posts"), ("GET", "/dir/"), ("GET", "/t/*")]);
        let corrected = |path| router.correction(&Method::GET, path);
        assert_eq!(corrected("/big/").as_deref(), Some("/big"));
        assert_eq!(corrected("/dir").as_deref(), Some("/dir/"));
        assert_eq!(corrected("/t").as_deref(), Some("/t/"));
        assert_eq!(corrected("/BIG").as_deref(), Some("/big"));
        assert_eq!(corrected("//big").as_deref(), Some("/big"));
        assert_eq!(corrected("/big/../big").as_deref(), Some("/big"));
        assert_eq!(corrected("/BIG/").as_deref(), Some("/big"));
        assert_eq!(corrected("/users/AbC/posts").as_deref(), Some("/Users/AbC/Posts"));
        assert_eq!(corrected("/nowhere"), None);
        assert_eq!(router.correction(&Method::POST, "/BIG"), None);
    }

    #[test]
    fn a_correction_never_names_another_host() {
        let router = router(&[("GET", "/{x}"), ("GET", "/{x}/")]);
        for path in ["//evil.test", "//evil.test/", "///evil.test", "/..//evil.test"] {
            let location = router.correction(&Method::GET, path).unwrap_or_default();
            assert!(!location.starts_with("//"), "{path} became {location}");
        }
    }

    #[test]
    fn a_correction_needs_no_other() {
        let router = router(&[("GET", "/t/*"), ("GET", "/a")]);
        let corrected = |path| router.correction(&Method::GET, path);
        assert_eq!(corrected("/t/../a").as_deref(), Some("/a"));
        assert_eq!(corrected("/t/x/../y").as_deref(), Some("/t/y"));
        assert_eq!(corrected("/t/../b"), None);
    }

    #[test]
    fn the_catchall_gets_the_whole_path() {
        let router = router(&[("GET", "/a"), ("*", "/__catchall")]);
        let path = "/x/y";
        let found = router.catchall(&Method::POST, path).expect("found");
        assert_eq!((found.endpoint, text(path, found.params.tail.expect("a tail"))), (1, "x/y"));
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, cleaned) in
            [("/a//b", "/a/b"), ("/a/./b/", "/a/b/"), ("/../a", "/a"), ("/a/..", "/"), ("//", "/"), ("/a/b/..", "/a/")]
        {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }
}
