//! `security/http` and `security/bot-detector`: protection that needs nothing but the head of a request.

use http::{HeaderName, HeaderValue};
use regex::bytes::RegexSet;

/// The `security/http` namespace of the service.
#[derive(Debug, Clone)]
pub struct Security {
    /// `allowed_hosts`, read as `allowed_hosts_are_regex` says.
    pub hosts: AllowedHosts,
    /// `host_proxy_headers`: the first of them that a request has stands for its `Host`.
    pub host_headers: Vec<HeaderName>,
    /// `ssl_redirect`: requests without TLS are redirected.
    pub ssl_redirect: bool,
    /// `ssl_host`: where to; `None`: to the host that was asked for.
    pub ssl_host: Option<String>,
    /// `ssl_proxy_headers`: one of these says that a proxy in front received the request by TLS.
    pub ssl_proxy_headers: Vec<(HeaderName, HeaderValue)>,
    /// What every answer has.
    pub headers: Vec<(&'static str, HeaderValue)>,
    /// What only answers by TLS have: `Strict-Transport-Security`, unless `force_sts_header` puts it above.
    pub ssl_headers: Vec<(&'static str, HeaderValue)>,
}

/// Which hosts are served.
#[derive(Debug, Clone)]
pub enum AllowedHosts {
    /// All.
    Any,
    /// Those of this name and port, without regard to case.
    Names(Vec<String>),
    /// Those that one of the patterns matches as a whole.
    Patterns(RegexSet),
}

/// A `security/bot-detector` namespace.
#[derive(Debug, Clone)]
pub struct BotRules {
    /// `allow`: no bots, whatever else is said.
    pub allow: Vec<String>,
    /// `deny`: bots.
    pub deny: Vec<String>,
    /// `patterns`: bots where one of them is found.
    pub patterns: RegexSet,
    /// `empty_user_agent_is_bot`.
    pub empty_user_agent_is_bot: bool,
}
