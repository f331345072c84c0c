//! Asking for the addresses of a name, or for the hosts of a service.
//!
//! Names go the system's way, so that `/etc/hosts`, search domains and what else a machine has set up are honoured, unless the file
//! names servers of its own (`dns_resolver`). SRV records have no such way: they are asked for by a resolver of our own, with the
//! servers of `/etc/resolv.conf` or those of the file.

use crate::config::model::Dns;
use crate::snapshot::services::Instance;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{RData, RecordType};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// One question to one server may take so long, and is asked once more; a look-up as a whole has its own limit.
const QUESTION: Duration = Duration::from_secs(2);
/// The addresses of one host of a service may take so long: less than the look-up, which must not fail over one dead zone.
const HOST: Duration = Duration::from_secs(2);
/// Records of one service that are looked at.
const MOST_RECORDS: usize = 1024;

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    /// The system's resolver says so.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// A name server says so, or none answers.
    #[error("{0}")]
    Dns(#[from] NetError),
    /// There is an answer, and nothing in it.
    #[error("no addresses")]
    Empty,
}

/// Where names are looked up.
pub(super) struct Lookup {
    resolver: Result<TokioResolver, NetError>,
    has_servers: bool,
}

impl Lookup {
    /// As the service says.
    pub(super) fn new(dns: &Dns) -> Self {
        Self { resolver: resolver(dns), has_servers: !dns.servers.is_empty() }
    }

    /// The addresses of a name.
    pub(super) async fn addresses(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, LookupError> {
        let found: Vec<SocketAddr> = if self.has_servers {
            let found = self.resolver()?.lookup_ip(name).await?;
            found.iter().map(|ip| SocketAddr::new(ip, port)).collect()
        } else {
            tokio::net::lookup_host((name, port)).await?.collect()
        };
        if found.is_empty() { Err(LookupError::Empty) } else { Ok(found) }
    }

    /// The hosts of a service, those without an address among them.
    pub(super) async fn instances(&self, name: &str) -> Result<Vec<Instance>, LookupError> {
        let found = self.resolver()?.lookup(name, RecordType::SRV).await?;
        let records = found.answers().iter().filter_map(|record| match &record.data {
            // RFC 2782: the root as a target says that there is no such service.
            RData::SRV(srv) if !srv.target.is_root() => Some(srv.clone()),
            _ => None,
        });
        let all = records.take(MOST_RECORDS).map(|record| self.instance(record));
        let instances = futures_util::future::join_all(all).await;
        if instances.iter().all(|instance| instance.addresses.is_empty()) {
            Err(LookupError::Empty)
        } else {
            Ok(instances)
        }
    }

    async fn instance(&self, record: SRV) -> Instance {
        let found = match &self.resolver {
            Ok(resolver) => timeout(HOST, resolver.lookup_ip(record.target.clone())).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        let found = found.iter().flat_map(|found| found.iter());
        Instance {
            priority: record.priority,
            weight: record.weight,
            name: record.target.to_ascii().trim_end_matches('.').to_ascii_lowercase(),
            port: record.port,
            addresses: found.map(|ip| SocketAddr::new(ip, record.port)).collect(),
        }
    }

    fn resolver(&self) -> Result<&TokioResolver, NetError> {
        self.resolver.as_ref().map_err(Clone::clone)
    }
}

fn resolver(dns: &Dns) -> Result<TokioResolver, NetError> {
    let mut builder = if dns.servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = dns.servers.iter().copied().map(server).collect();
        let config = ResolverConfig::from_name_servers(servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = QUESTION;
    options.attempts = 1;
    // What was found is kept by who asks, for as long as the file says.
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build()
}

fn server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}
