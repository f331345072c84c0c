//! Endpoints that cannot stand beside each other: the same method and path, or paths the router cannot tell apart.

use super::code;
use super::document::{Node, Value};
use super::model::{Methods, PathKind, Router};
use super::parse::Route;
use super::read::{Context, quoted, quoted_part};
use http::Method;
use std::collections::{BTreeSet, HashMap};

/// Reports each endpoint that contradicts an earlier one.
pub(super) fn report(cx: &mut Context<'_>, routes: &[&Route<'_>], settings: &Router) {
    let mut reported = BTreeSet::new();
    for method in all_methods(routes) {
        let mut table = Table::default();
        for (index, route) in routes.iter().enumerate() {
            if !answers(&route.methods, method.as_ref()) {
                continue;
            }
            let Err(clash) = table.insert(route) else {
                continue;
            };
            // The same pair clashes once for each method they share.
            if reported.insert(index) {
                clash.report(cx, route, method.as_ref());
            }
        }
    }
    for route in routes.iter().filter(|route| hides_health(route, settings)) {
        let message = format!("the endpoint {} is where the health endpoint is", quoted(route.node));
        let help = "choose another path, or set `health_path` or `disable_health` in `router`";
        cx.error(route.node, code::DUPLICATE_ROUTE, message, help);
    }
}

/// Every method that is named, and `None` for those that only `*` answers.
fn all_methods(routes: &[&Route<'_>]) -> Vec<Option<Method>> {
    let mut all = vec![None];
    for route in routes {
        let Methods::Only(named) = &route.methods else {
            continue;
        };
        for method in named {
            if !all.iter().any(|known| known.as_ref() == Some(method)) {
                all.push(Some(method.clone()));
            }
        }
    }
    all
}

fn answers(methods: &Methods, method: Option<&Method>) -> bool {
    match (methods, method) {
        (Methods::Any, _) => true,
        (Methods::Only(named), Some(method)) => named.contains(method),
        (Methods::Only(_), None) => false,
    }
}

fn hides_health(route: &Route<'_>, settings: &Router) -> bool {
    !settings.disable_health && route.path.kind == PathKind::Exact && route.path.route == settings.health_path
}

/// What an endpoint contradicts.
enum Clash<'r> {
    /// The same path.
    Duplicate(&'r Node),
    /// Another name for the placeholder at the same position.
    Name(&'r Node, String),
    /// A placeholder and a wildcard at the same position.
    Wildcard(Option<&'r Node>),
}

impl Clash<'_> {
    fn report(&self, cx: &mut Context<'_>, route: &Route<'_>, method: Option<&Method>) {
        let (code, earlier, help) = match self {
            Self::Duplicate(earlier) => (
                code::DUPLICATE_ROUTE,
                Some(*earlier),
                "remove one of the two, or give them different methods".to_owned(),
            ),
            Self::Name(earlier, name) => {
                let help = format!("use one name for the placeholder: {}", quoted_part(earlier, name));
                (code::CONFLICTING_ROUTE, Some(*earlier), help)
            }
            Self::Wildcard(earlier) => {
                let help = if is_wildcard(route.node) || earlier.is_some_and(is_wildcard) {
                    "a placeholder and a wildcard cannot stand at the same position"
                } else {
                    "these placeholders cannot stand at the same position: give one of them a path of its own"
                };
                (code::CONFLICTING_ROUTE, *earlier, help.to_owned())
            }
        };
        let path = quoted(route.node);
        let method = method.map_or("*", Method::as_str);
        let line = earlier.map(|node| cx.diagnostics.line_of(node.span.start));
        let other = line.map_or_else(|| "another".to_owned(), |line| format!("the one on line {line}"));
        let verb = if code == code::DUPLICATE_ROUTE { "repeats" } else { "conflicts with" };
        cx.error(route.node, code, format!("the endpoint {path} {verb} {other} for `{method}`"), help);
    }
}

/// The routes of one method.
#[derive(Default)]
struct Table<'r> {
    router: matchit::Router<()>,
    /// Each inserted pattern, for finding the earlier endpoint again.
    inserted: HashMap<String, &'r Node>,
    /// The placeholder at each position: it has one name there, as in KrakenD's router.
    names: HashMap<String, (String, &'r Node)>,
}

impl<'r> Table<'r> {
    fn insert(&mut self, route: &Route<'r>) -> Result<(), Clash<'r>> {
        self.check_names(route)?;
        for pattern in patterns(route) {
            if let Some(earlier) = self.inserted.get(&pattern) {
                return Err(Clash::Duplicate(earlier));
            }
            match self.router.insert(pattern.clone(), ()) {
                Ok(()) => self.inserted.insert(pattern, route.node),
                Err(matchit::InsertError::Conflict { with }) => {
                    return Err(Clash::Wildcard(self.inserted.get(&with).copied()));
                }
                Err(_) => return Err(Clash::Wildcard(None)),
            };
        }
        Ok(())
    }

    fn check_names(&mut self, route: &Route<'r>) -> Result<(), Clash<'r>> {
        let mut prefix = String::new();
        for segment in route.path.route.split('/').skip(1) {
            let parts = segment.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
            if let Some((before, (name, after))) = parts {
                let name = format!("{{{name}}}");
                let entry = self.names.entry(format!("{prefix}/{before}{{}}{after}"));
                let (known, earlier) = entry.or_insert_with(|| (name.clone(), route.node));
                if *known != name {
                    return Err(Clash::Name(earlier, known.clone()));
                }
            }
            prefix.push('/');
            prefix.push_str(segment);
        }
        Ok(())
    }
}

fn is_wildcard(node: &Node) -> bool {
    matches!(&node.value, Value::String(text) if text.ends_with('*'))
}

/// What the router is given. `/a/*` matches `/a/` too, which a wildcard of the router's own does not.
fn patterns(route: &Route<'_>) -> Vec<String> {
    let text = &route.path.route;
    match route.path.kind {
        PathKind::Exact | PathKind::Catchall => vec![text.clone()],
        PathKind::Tail => {
            let exact = text.trim_end_matches('*');
            vec![exact.to_owned(), format!("{exact}{{*tail}}")]
        }
    }
}
