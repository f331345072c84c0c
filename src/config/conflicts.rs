//! Endpoints that cannot stand beside each other: the same method and path, or paths the router cannot tell apart.

use super::code;
use super::diagnostic::{Diagnostic, Span};
use super::model::{Methods, PathKind, Router};
use super::parse::Route;
use super::read::Context;
use http::Method;
use std::collections::{BTreeSet, HashMap};

/// Reports each endpoint that contradicts an earlier one.
pub(super) fn report<'r>(
    cx: &mut Context<'_>,
    routes: impl Iterator<Item = &'r Route>,
    router: &Router,
) {
    let routes: Vec<&Route> = routes.collect();
    let mut reported = BTreeSet::new();
    for method in all_methods(&routes) {
        let mut table = Table::default();
        for route in routes
            .iter()
            .filter(|route| answers(&route.methods, method.as_ref()))
        {
            let Err(clash) = table.insert(route) else {
                continue;
            };
            // The same pair clashes once for each method they share.
            if reported.insert(route.span.start) {
                let problem = clash.explain(cx, route, method.as_ref());
                cx.diagnostics.push(problem);
            }
        }
    }
    for route in routes.iter().filter(|route| hides_health(route, router)) {
        let message = format!(
            "the endpoint `{}` is where the health endpoint is",
            route.path.text
        );
        let help = "choose another path, or set `health_path` or `disable_health` in `router`";
        cx.diagnostics.push(
            Diagnostic::error(code::DUPLICATE_ROUTE, Some(route.span.clone()), message).help(help),
        );
    }
}

/// Every method that is named, and `None` for those that only `*` answers.
fn all_methods(routes: &[&Route]) -> Vec<Option<Method>> {
    let mut methods = vec![None];
    for route in routes {
        if let Methods::Only(named) = &route.methods {
            for method in named {
                if !methods.iter().any(|known| known.as_ref() == Some(method)) {
                    methods.push(Some(method.clone()));
                }
            }
        }
    }
    methods
}

fn answers(methods: &Methods, method: Option<&Method>) -> bool {
    match (methods, method) {
        (Methods::Any, _) => true,
        (Methods::Only(named), Some(method)) => named.contains(method),
        (Methods::Only(_), None) => false,
    }
}

fn hides_health(route: &Route, router: &Router) -> bool {
    !router.disable_health
        && route.path.kind == PathKind::Exact
        && route.path.text == router.health_path
}

struct Clash {
    code: code::Code,
    earlier: Span,
    help: String,
}

impl Clash {
    fn explain(&self, cx: &Context<'_>, route: &Route, method: Option<&Method>) -> Diagnostic {
        let line = cx.diagnostics.line_of(self.earlier.start);
        let verb = if self.code == code::DUPLICATE_ROUTE {
            "is already on"
        } else {
            "conflicts with"
        };
        let method = method.map_or("*", Method::as_str);
        let message = match verb {
            "is already on" => format!(
                "the endpoint `{method} {}` is already on line {line}",
                route.path.text
            ),
            _ => format!(
                "the endpoint `{method} {}` conflicts with the one on line {line}",
                route.path.text
            ),
        };
        Diagnostic::error(self.code, Some(route.span.clone()), message).help(&*self.help)
    }
}

/// The routes of one method.
#[derive(Default)]
struct Table {
    router: matchit::Router<()>,
    /// Each inserted pattern, for finding the earlier route again.
    inserted: HashMap<String, Span>,
    /// The placeholder after each prefix: one position has one name, as in KrakenD's router.
    names: HashMap<String, (String, Span)>,
}

impl Table {
    fn insert(&mut self, route: &Route) -> Result<(), Clash> {
        self.check_names(route)?;
        for pattern in patterns(route) {
            if let Some(earlier) = self.inserted.get(&pattern) {
                let help = "remove one of the two, or give them different methods".to_owned();
                return Err(Clash {
                    code: code::DUPLICATE_ROUTE,
                    earlier: earlier.clone(),
                    help,
                });
            }
            if let Err(error) = self.router.insert(pattern.clone(), ()) {
                return Err(self.conflict(&error));
            }
            self.inserted.insert(pattern, route.span.clone());
        }
        Ok(())
    }

    fn check_names(&mut self, route: &Route) -> Result<(), Clash> {
        let mut prefix = String::new();
        for segment in route.path.text.split('/').skip(1) {
            if segment.starts_with('{') {
                let (name, earlier) = self
                    .names
                    .entry(prefix.clone())
                    .or_insert_with(|| (segment.to_owned(), route.span.clone()));
                if name.as_str() != segment {
                    let help = format!("use one name for the placeholder: `{name}`");
                    return Err(Clash {
                        code: code::CONFLICTING_ROUTE,
                        earlier: earlier.clone(),
                        help,
                    });
                }
            }
            prefix.push('/');
            prefix.push_str(segment);
        }
        Ok(())
    }

    fn conflict(&self, error: &matchit::InsertError) -> Clash {
        let earlier = match error {
            matchit::InsertError::Conflict { with } => self.inserted.get(with).cloned(),
            _ => None,
        };
        Clash {
            code: code::CONFLICTING_ROUTE,
            earlier: earlier.unwrap_or(0..0),
            help: "a placeholder and a wildcard cannot stand at the same position".to_owned(),
        }
    }
}

/// What the router is given. `/a/*` matches `/a/` too, which a wildcard of the router's own does not.
fn patterns(route: &Route) -> Vec<String> {
    let text = &route.path.text;
    match route.path.kind {
        PathKind::Exact | PathKind::Catchall => vec![text.clone()],
        PathKind::Tail => {
            let exact = text.trim_end_matches('*');
            vec![exact.to_owned(), format!("{exact}{{*tail}}")]
        }
    }
}
