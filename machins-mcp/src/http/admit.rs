//! Whether a request may come to the gate at all.
//!
//! A page of any site can make a browser send requests to a program on the same machine. Its `Origin`
//! tells, and after a change of what its name resolves to (DNS rebinding), its `Host`.

use std::net::IpAddr;

use http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use http::uri::{Authority, Uri};

/// Who may use a gate.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    /// The address that the gate is bound to.
    pub(super) bound: Option<IpAddr>,
    /// Further names that the gate is known by.
    pub(super) hosts: Vec<String>,
    /// Origins, as browsers write them, whose pages may use the gate.
    pub(super) origins: Vec<String>,
}

impl Admission {
    /// Returns why the request is refused.
    pub(super) fn refuse(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
        let host = single(headers, &HOST).map_err(|()| "it has more than one Host")?;
        let host = host.and_then(|host| host.parse::<Authority>().ok());
        if !host.is_some_and(|host| self.knows(host.host())) {
            return Err("its Host is not this gate's");
        }
        if uri.authority().is_some_and(|authority| !self.knows(authority.host())) {
            return Err("its address is not this gate's");
        }
        let Some(origin) = single(headers, &ORIGIN).map_err(|()| "it has more than one Origin")?
        else {
            return Ok(());
        };
        let is_known = self.origins.iter().any(|known| known == origin)
            || origin
                .parse::<Uri>()
                .ok()
                .and_then(|uri| uri.authority().map(|authority| self.knows(authority.host())))
                .unwrap_or(false);
        if is_known { Ok(()) } else { Err("its Origin may not use this gate") }
    }

    fn knows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if let Ok(address) = address {
            // The unspecified address reaches this machine too, but no client names it.
            return address.is_loopback()
                || self.bound == Some(address) && !address.is_unspecified();
        }
        let host = host.to_ascii_lowercase();
        host == "localhost"
            || host.ends_with(".localhost")
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(&host))
    }
}

/// The value of a header that may occur once. An unreadable value is an empty one.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str().unwrap_or_default());
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn is_admitted(headers: &[(&'static str, &'static str)]) -> bool {
        let admission = Admission {
            bound: "192.0.2.7".parse().ok(),
            hosts: vec!["tools.example".into()],
            origins: vec!["https://console.example".into()],
        };
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect::<Vec<_>>();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        admission.refuse(&Uri::from_static("/mcp"), &map).is_ok()
    }

    #[rstest]
    #[case::loopback("127.0.0.1:8090")]
    #[case::another_loopback("127.8.8.8")]
    #[case::loopback_6("[::1]:8090")]
    #[case::localhost("localhost:8090")]
    #[case::localhost_in_capitals("LOCALHOST")]
    #[case::below_localhost("gate.localhost")]
    #[case::bound("192.0.2.7:8090")]
    #[case::permitted("tools.example")]
    fn its_own_names_are_admitted(#[case] host: &'static str) {
        assert!(is_admitted(&[("host", host)]), "{host}");
    }

    #[rstest]
    #[case::other_name("evil.example")]
    #[case::begins_like_it("localhost.evil.example")]
    #[case::ends_like_it("notlocalhost")]
    #[case::other_address("192.0.2.8")]
    #[case::unspecified("0.0.0.0:8090")]
    #[case::user("localhost@evil.example")]
    #[case::empty("")]
    fn other_hosts_are_refused(#[case] host: &'static str) {
        assert!(!is_admitted(&[("host", host)]), "{host}");
    }

    #[test]
    fn a_request_without_one_host_is_refused() {
        assert!(!is_admitted(&[]));
        assert!(!is_admitted(&[("host", "localhost"), ("host", "localhost")]));
    }

    #[rstest]
    #[case::loopback("http://localhost:6274", true)]
    #[case::loopback_address("http://127.0.0.1", true)]
    #[case::permitted("https://console.example", true)]
    #[case::null("null", false)]
    #[case::other("https://evil.example", false)]
    #[case::other_port_of_permitted("https://console.example:444", false)]
    #[case::permitted_without_tls("http://console.example", false)]
    #[case::empty("", false)]
    #[case::extension("chrome-extension://abcdef", false)]
    fn origins_are_checked(#[case] origin: &'static str, #[case] is_allowed: bool) {
        assert_eq!(is_admitted(&[("host", "localhost"), ("origin", origin)]), is_allowed);
    }
}
