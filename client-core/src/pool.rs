//! Connections that several clients can share, and the rules that they all follow.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, redirect};
#[cfg(feature = "blocking")]
use tokio::runtime::{Builder, Runtime};

use crate::base_url::BaseUrl;
use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::process::SameProcess;
use crate::proxy;

/// Idle connections are closed after this time, before most servers close them: if a request meets
/// a connection that is being closed, its outcome is unknown.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const IDLE_CONNECTIONS: usize = 128;

/// The addresses of this machine.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Connections that clients of several keys, and of both services, can share.
///
/// Each client has a pool of its own unless [`ClientOptions::pool`](crate::ClientOptions::pool) gives it one. A clone is one
/// pointer to the same pool. Connections are opened when they are needed.
///
/// A connection belongs to the runtime that opened it. Clients that share a pool must be asynchronous
/// clients that are used on one runtime, or blocking clients, which use a runtime of the pool.
///
/// ```
/// use agent_client_core::{ClientOptions, HttpPool};
///
/// let pool = HttpPool::new(&ClientOptions::new());
/// let options = ClientOptions::new().pool(pool.clone());
/// ```
#[derive(Clone)]
pub struct HttpPool(Arc<Pool>);

/// How connections are made.
#[derive(Clone)]
pub(crate) struct ConnectSettings {
    pub(crate) timeout: Duration,
    /// The user's changes to the HTTP client.
    pub(crate) configure: Option<Arc<Configure>>,
}

pub(crate) type Configure = dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync;

struct Pool {
    settings: ConnectSettings,
    /// One for each [`Destination`], created when a client needs it.
    clients: Mutex<[Option<Client>; 4]>,
    process: SameProcess<()>,
    #[cfg(feature = "blocking")]
    runtime: Mutex<Option<Arc<SameProcess<Runtime>>>>,
}

/// What the rules for connecting depend on.
#[derive(Clone, Copy)]
enum Destination {
    Remote,
    /// Another machine, without TLS unless a proxy has it.
    RemotePlain,
    /// This machine. A proxy would forward a call, with its key, to another one.
    Local,
    /// This machine, without TLS. Loading the system's certificates takes milliseconds and megabytes.
    LocalPlain,
}

impl HttpPool {
    pub(crate) fn with_settings(settings: ConnectSettings) -> Self {
        Self(Arc::new(Pool {
            settings,
            clients: Mutex::default(),
            process: SameProcess::new(()),
            #[cfg(feature = "blocking")]
            runtime: Mutex::default(),
        }))
    }

    /// Returns the HTTP client for an address.
    pub(crate) fn client(&self, url: &BaseUrl) -> Result<Client, Error> {
        self.0.process.get()?;
        let destination = match (url.is_loopback(), url.is_plain_http()) {
            (false, false) => Destination::Remote,
            (false, true) => Destination::RemotePlain,
            (true, false) => Destination::Local,
            (true, true) => Destination::LocalPlain,
        };
        let slot = &mut lock(&self.0.clients)[destination as usize];
        if let Some(client) = slot {
            return Ok(client.clone());
        }
        let client = self.0.build(destination)?;
        Ok(slot.insert(client).clone())
    }

    /// Returns the runtime on which blocking clients use the connections.
    #[cfg(feature = "blocking")]
    pub(crate) fn runtime(&self) -> Result<Arc<SameProcess<Runtime>>, Error> {
        self.0.process.get()?;
        let slot = &mut *lock(&self.0.runtime);
        if let Some(runtime) = slot {
            return Ok(Arc::clone(runtime));
        }
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            Error::new(ErrorKind::NotSent, "the event loop cannot be started").with_source(error)
        })?;
        // In the background, because dropping a runtime waits for its threads, which panics in
        // asynchronous code.
        let runtime = Arc::new(SameProcess::with_drop(runtime, Runtime::shutdown_background));
        Ok(Arc::clone(slot.insert(runtime)))
    }

    /// Returns whether the user has configured the HTTP client.
    pub(crate) fn is_configured(&self) -> bool {
        self.0.settings.configure.is_some()
    }
}

impl Pool {
    fn build(&self, destination: Destination) -> Result<Client, Error> {
        let error = match self.builder(destination)?.build() {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        #[cfg(feature = "rustls")]
        if let Ok(client) = self.builder(destination)?.tls_certs_only([]).build() {
            return match destination {
                Destination::RemotePlain => Ok(client),
                _ => Err(no_certificates()),
            };
        }
        let message = "the HTTP client cannot be set up";
        Err(Error::new(ErrorKind::InvalidInput, message).with_root_cause(error))
    }

    /// Applies the user's changes before the rules, so that they cannot undo the rules.
    fn builder(&self, destination: Destination) -> Result<ClientBuilder, Error> {
        let mut builder = Client::builder();
        // The default of `reqwest` depends on the features that other crates enable.
        #[cfg(feature = "rustls")]
        {
            builder = builder.tls_backend_rustls();
        }
        if let Some(configure) = &self.settings.configure {
            builder = configure(builder);
        }
        builder = builder
            .connect_timeout(self.settings.timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            // A key would be sent along, and a POST sent twice.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            // Compressed replies are not asked for, whichever features of `reqwest` other crates
            // enable: their size is not known before they are read.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .referer(false);
        match destination {
            Destination::Remote | Destination::RemotePlain => proxy::check_variables()?,
            Destination::Local => builder = builder.no_proxy().dns_resolver(ThisMachine),
            Destination::LocalPlain => {
                builder = builder.no_proxy().dns_resolver(ThisMachine);
                #[cfg(feature = "rustls")]
                {
                    builder = builder.tls_certs_only([]);
                }
            }
        }
        Ok(builder)
    }
}

/// The error where no certificate of an authority can be loaded, such as in a scratch container.
#[cfg(feature = "rustls")]
fn no_certificates() -> Error {
    let advice = match std::env::var_os("SSL_CERT_FILE") {
        Some(_) => {
            "https needs them, and the file that SSL_CERT_FILE names has none: name another one, or unset it and install those of the system (ca-certificates)"
        }
        None => {
            "https needs those of the system: install them (ca-certificates) or name their file in SSL_CERT_FILE"
        }
    };
    let message = "no certificate of an authority can be loaded";
    Error::new(ErrorKind::InvalidInput, message).with_advice(advice)
}

impl fmt::Debug for HttpPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpPool")
    }
}

/// Resolves every name to this machine. Where a resolver says otherwise about `localhost`, the key
/// would go to another machine.
struct ThisMachine;

impl Resolve for ThisMachine {
    fn resolve(&self, _name: Name) -> Resolving {
        // The port 0 stands for that of the URL.
        let addresses: Addrs = Box::new(LOOPBACK.into_iter().map(|ip| SocketAddr::new(ip, 0)));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
