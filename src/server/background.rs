//! The background services, as Pingora runs them: tokens, name resolution and health checks.

use crate::server::health_checks::HealthChecks;
use crate::server::resolver::Resolver;
use crate::token::keeper::Keeper;
use async_trait::async_trait;
use pingora_core::server::ShutdownWatch;
use pingora_core::services::ServiceReadyNotifier;
use pingora_core::services::background::BackgroundService;
use std::sync::Arc;

/// Keeps tokens fresh. Nothing waits for it to be ready: requests wait for their own first token, and `/readyz` tells.
pub(super) struct Tokens {
    /// The work.
    pub keeper: Arc<Keeper>,
}

#[async_trait]
impl BackgroundService for Tokens {
    async fn start(&self, _: ShutdownWatch) {
        // It ends with its runtime, not with a drain: requests under way may still need a fresh token.
        self.keeper.run().await;
    }
}

/// Keeps upstream addresses fresh. It is ready when each name was looked up once.
pub(super) struct Resolving {
    /// The work.
    pub resolver: Resolver,
}

#[async_trait]
impl BackgroundService for Resolving {
    async fn start_with_ready_notifier(&self, _: ShutdownWatch, ready: ServiceReadyNotifier) {
        self.resolver.resolve_all().await;
        ready.notify_ready();
        self.resolver.keep_fresh().await;
    }
}

/// Asks upstreams whether they are well. Nothing waits for it: each is taken for well until it is found otherwise.
pub(super) struct Checking {
    /// The work.
    pub checks: HealthChecks,
}

#[async_trait]
impl BackgroundService for Checking {
    async fn start(&self, _: ShutdownWatch) {
        // To the end: requests under way may still be sent again.
        self.checks.run().await;
    }
}
