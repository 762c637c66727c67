//! The address that a mock server listens on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use crate::error::Failure;

/// A host, or none for this machine alone, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    host: Option<String>,
    port: u16,
}

impl Address {
    /// Parses `HOST:PORT`, `:PORT` or `PORT`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port = port.parse().map_err(|_| {
            "must be HOST:PORT, :PORT or PORT, with a port from 0 to 65535".to_owned()
        })?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => inner,
            None if host.contains(':') => {
                return Err("an IPv6 address must be in brackets, as in [::1]:8080".to_owned());
            }
            None => host,
        };
        Ok(Self { host: (!host.is_empty()).then(|| host.to_owned()), port })
    }

    /// Sets the port.
    pub(super) fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    /// Returns the host if it is a name, not an IP address.
    pub(super) fn name(&self) -> Option<&str> {
        self.host.as_deref().filter(|host| host.parse::<IpAddr>().is_err())
    }

    /// Looks the host up. An IPv4 address is preferred.
    pub(super) fn resolve(&self) -> Result<SocketAddr, Failure> {
        let Some(host) = &self.host else {
            return Ok((Ipv4Addr::LOCALHOST, self.port).into());
        };
        let failed = |error: &dyn std::fmt::Display| {
            Failure::local(format!("could not find the address of {host}"), error)
        };
        let found = (host.as_str(), self.port).to_socket_addrs().map_err(|error| failed(&error))?;
        found.min_by_key(|addr| !addr.is_ipv4()).ok_or_else(|| failed(&"it has none"))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.as_deref() {
            None => write!(f, "127.0.0.1:{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::host_and_port("127.0.0.1:8080", "127.0.0.1:8080")]
    #[case::port("8080", "127.0.0.1:8080")]
    #[case::colon_and_port(":8080", "127.0.0.1:8080")]
    #[case::every_interface("0.0.0.0:0", "0.0.0.0:0")]
    #[case::name("localhost:0", "127.0.0.1:0")]
    #[case::ipv6("[::1]:80", "[::1]:80")]
    fn addresses_are_resolved(#[case] text: &str, #[case] addr: &str) {
        assert_eq!(Address::parse(text).unwrap().resolve().unwrap(), addr.parse().unwrap());
    }

    #[rstest]
    #[case::empty("")]
    #[case::name_alone("here")]
    #[case::port_too_large("127.0.0.1:65536")]
    #[case::no_brackets("::1:80")]
    #[case::negative_port("-1")]
    fn what_is_no_address_is_refused(#[case] text: &str) {
        Address::parse(text).unwrap_err();
    }
}
