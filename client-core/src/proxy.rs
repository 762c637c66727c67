//! The proxies that environment variables name.

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::environment::variable;
use crate::error::{Error, ErrorKind};

const VARIABLES: [&str; 6] =
    ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// Returns an error if a variable does not name a proxy. The HTTP library would ignore it, and connect
/// directly.
pub(crate) fn check_variables() -> Result<(), Error> {
    for name in VARIABLES {
        let Some(text) = variable(name)? else { continue };
        let text = text.trim();
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let is_proxy = Url::parse(&url)
            .is_ok_and(|url| SCHEMES.contains(&url.scheme()) && url.host_str().is_some());
        if !is_proxy {
            // The value is not repeated: it may hold a password.
            let message = format!(
                "the environment variable {name} is not the address of a proxy; write it like \
                 http://proxy.example:3128 or socks5h://127.0.0.1:1080, or unset it"
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
    }
    Ok(())
}

/// Returns the proxy that the variables name for this address, without a password.
pub(crate) fn for_url(url: &str) -> Option<String> {
    let proxy = Matcher::from_env().intercept(&url.parse().ok()?)?;
    let uri = proxy.uri();
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}
