//! A world for the gateway to live in: a small authorization server and an API that it protects, both on loopback.
//!
//! This is demo code, made to be looked at, not to be deployed: it knows one client, keeps tokens in memory and speaks
//! plain HTTP. Its client id, secret and tokens are random and new at every start.

mod api;
mod authorization_server;

use crate::base::{Secret, random};
use crate::config::Environment;
use crate::server::Gateway;
use crate::server::listen::{self, ListenError, Listening};
use api::Api;
use authorization_server::{AuthorizationServer, TokenEndpoint};
use pingora_core::apps::http_app::HttpServer;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The two servers, bound but not yet running.
pub struct Demo {
    /// Where tokens are issued.
    pub authorization_server: SocketAddr,
    /// Where they are asked for.
    pub api: SocketAddr,
    server: Arc<AuthorizationServer>,
    server_listening: Listening,
    api_listening: Listening,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No secret.
    #[error("the system's random number generator failed")]
    Random,
}

impl Demo {
    /// Binds both servers to free ports and makes the secrets.
    ///
    /// # Errors
    /// If there is no port or no randomness to be had.
    pub fn bind() -> Result<Self, DemoError> {
        let anywhere = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let server_listening = Listening::new(listen::on(anywhere)?)?;
        let api_listening = Listening::new(listen::on(anywhere)?)?;
        Ok(Self {
            authorization_server: server_listening.address,
            api: api_listening.address,
            server: Arc::new(AuthorizationServer::new().ok_or(DemoError::Random)?),
            server_listening,
            api_listening,
        })
    }

    /// What `conf/demo.json` asks the environment for.
    #[must_use]
    pub fn environment(&self) -> DemoEnvironment {
        DemoEnvironment {
            api: format!("http://{}", self.api),
            token_url: format!("http://{}/token", self.authorization_server),
            client_id: self.server.client_id.clone(),
            client_secret: self.server.client_secret.clone(),
        }
    }

    /// Lets both servers run and end with a gateway.
    pub fn join(self, gateway: &mut Gateway) {
        let api = HttpServer::new_app(Api { server: self.server.clone() });
        let server = HttpServer::new_app(TokenEndpoint(self.server));
        gateway.also_serve("demo authorization server", server, self.server_listening);
        gateway.also_serve("demo API", api, self.api_listening);
    }
}

/// The demo's variables; it has no others, so that nothing of the real environment gets in.
pub struct DemoEnvironment {
    api: String,
    token_url: String,
    client_id: String,
    client_secret: Secret,
}

impl Environment for DemoEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        match name {
            "DEMO_API" => Some(self.api.clone()),
            "DEMO_TOKEN_URL" => Some(self.token_url.clone()),
            "DEMO_CLIENT_ID" => Some(self.client_id.clone()),
            "DEMO_CLIENT_SECRET" => Some(self.client_secret.expose().to_owned()),
            _ => None,
        }
    }
}

/// 256 random bits in hexadecimal.
fn secret() -> Option<Secret> {
    let bytes: [u8; 32] = random::try_bytes()?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Some(Secret::new(text))
}
