// SPDX-License-Identifier: Apache-2.0

//! Which proxy a request goes through, and what it means that it does not let one through.

use std::net::IpAddr;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use url::{Host, Url};

use super::causes::causes;
use super::reason::reason;
use crate::registry::boundaries::Cidr;
use crate::registry::origin;

/// The proxies of one client.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    /// What is reached without one.
    direct: Vec<Direct>,
}

/// An entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Direct {
    what: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    Addresses(Cidr),
    /// The domain, and whatever is below it.
    Domain(String),
}

/// A proxy that does not let a request through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proxy {proxy} {problem}")]
pub(in crate::registry) struct ProxyFault {
    proxy: String,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error(
        "does not connect us to {0}: allow it at the proxy, or have it reached without one \
         (NO_PROXY on the command line, no proxySecretRef in a mirror)"
    )]
    Refuses(String),
    #[error(
        "answers {1} in place of {0}: allow it at the proxy, or have it reached without one \
         (NO_PROXY on the command line, no proxySecretRef in a mirror)"
    )]
    Forbids(String, StatusCode),
    #[error(
        "answers {1} in place of {0}: it does not reach it, check host and port, and whether the proxy knows the name"
    )]
    ReachesNot(String, StatusCode),
    #[error(
        "wants a user name and password, or does not accept the ones it got (407): correct those of the proxy"
    )]
    Unauthenticated,
}

// === impl Proxies ===

impl Proxies {
    /// One proxy for everything.
    pub(super) fn all(url: Url) -> Self {
        Self {
            http: Some(url.clone()),
            https: Some(url),
            direct: Vec::new(),
        }
    }

    /// The proxies of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals
    /// or not. None where a web server runs us: there a client may set `HTTP_PROXY` (CVE-2016-5385).
    pub(super) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        if variable("REQUEST_METHOD").is_some() {
            return Self::default();
        }
        let read = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
        let server = |name: &str| proxy_url(&read(name)?);
        let all = server("ALL_PROXY");
        Self {
            http: server("HTTP_PROXY").or_else(|| all.clone()),
            https: server("HTTPS_PROXY").or(all),
            direct: read("NO_PROXY")
                .unwrap_or_default()
                .split([',', ' '])
                .filter_map(Direct::parse)
                .collect(),
        }
    }

    /// Whether nothing goes through a proxy.
    pub(super) fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// The proxy for a URL.
    pub(super) fn of(&self, url: &Url) -> Option<&Url> {
        if self.direct.iter().any(|direct| direct.fits(url)) {
            return None;
        }
        match url.scheme() {
            "http" => self.http.as_ref(),
            "https" => self.https.as_ref(),
            _ => None,
        }
    }

    /// What the proxy for `url` has to do with an error.
    pub(super) fn fault(&self, url: &Url, error: &reqwest::Error) -> Option<ProxyFault> {
        let proxy = self.of(url)?;
        // The error of a tunnel has no type that is public.
        let tunnel = causes(error).find_map(|cause| {
            let text = cause.to_string();
            text.strip_prefix("tunnel error: ").map(str::to_owned)
        });
        let problem = match tunnel.as_deref() {
            Some("proxy authorization required") => Problem::Unauthenticated,
            Some("failed to create underlying connection" | "io error establishing tunnel") => {
                Problem::Unreachable(reason(error))
            }
            Some(_) => Problem::Refuses(origin::of(url)),
            None if error.is_connect() && (url.scheme() == "http" || error.is_timeout()) => {
                Problem::Unreachable(reason(error))
            }
            None => return None,
        };
        Some(ProxyFault::new(proxy, problem))
    }

    /// What the proxy for `url` answers in place of the server.
    ///
    /// In plain HTTP its own answers look like those of the server. Registries say what is wrong as JSON, and object
    /// stores as XML: a page, a text or nothing is the proxy's.
    pub(super) fn answer(&self, url: &Url, response: &Response) -> Option<ProxyFault> {
        let proxy = self.of(url)?;
        let status = response.status();
        let is_own = || url.scheme() == "http" && is_of_a_proxy(response.headers());
        let problem = match status.as_u16() {
            407 => Problem::Unauthenticated,
            403 | 405 if is_own() => Problem::Forbids(origin::of(url), status),
            502..=504 if is_own() => Problem::ReachesNot(origin::of(url), status),
            _ => return None,
        };
        Some(ProxyFault::new(proxy, problem))
    }
}

/// Whether an answer that is an error is none of a registry, nor of its storage.
fn is_of_a_proxy(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text(CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let is_data = ["json", "xml"]
        .iter()
        .any(|kind| content_type.contains(kind));
    !is_data && !headers.contains_key("docker-distribution-api-version")
}

/// The URL of a proxy, which people often write as host and port.
pub(super) fn proxy_url(text: &str) -> Option<Url> {
    let has_host = |url: &Url| url.has_host();
    let written = Url::parse(text).ok().filter(has_host);
    written.or_else(|| Url::parse(&format!("http://{text}")).ok().filter(has_host))
}

// === impl Direct ===

impl Direct {
    /// `*`, a domain, an address or a range of them; domains and addresses may have a port.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(addresses) = text.parse() {
            return Some(Self {
                what: Hosts::Addresses(addresses),
                port: None,
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
            Some(_) | None => (text, None),
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let what = match bare.parse::<IpAddr>() {
            Ok(address) => Hosts::Addresses(address.to_string().parse().ok()?),
            Err(_) if host == "*" => Hosts::All,
            Err(_) => {
                let domain = host.trim_start_matches("*.").trim_matches('.');
                Hosts::Domain(domain.to_ascii_lowercase())
            }
        };
        (what != Hosts::Domain(String::new())).then_some(Self { what, port })
    }

    fn fits(&self, url: &Url) -> bool {
        let is_port = self.port.is_none() || self.port == url.port_or_known_default();
        let is_host = match (&self.what, url.host()) {
            (Hosts::All, _) => true,
            (Hosts::Addresses(range), Some(Host::Ipv4(address))) => range.contains(address.into()),
            (Hosts::Addresses(range), Some(Host::Ipv6(address))) => range.contains(address.into()),
            (Hosts::Domain(domain), Some(Host::Domain(host))) => {
                let above = host.trim_end_matches('.').strip_suffix(domain.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (Hosts::Addresses(_) | Hosts::Domain(_), _) => false,
        };
        is_port && is_host
    }
}

// === impl ProxyFault ===

impl ProxyFault {
    fn new(proxy: &Url, problem: Problem) -> Self {
        Self {
            // Without user name and password.
            proxy: origin::of(proxy),
            problem,
        }
    }

    /// Whether it may well be otherwise a little later, without anybody doing something.
    pub(in crate::registry) fn is_transient(&self) -> bool {
        matches!(
            self.problem,
            Problem::Unreachable(_) | Problem::ReachesNot(..)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::of_environment(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn of(proxies: &Proxies, url: &str) -> String {
        let found = proxies.of(&url.parse().unwrap());
        found.map(origin::of).unwrap_or_default()
    }

    #[test]
    fn what_is_in_no_proxy_is_reached_directly() {
        let cases = [
            ("", "https://r.test/", false),
            ("*", "https://r.test/", true),
            ("r.test", "https://r.test/", true),
            ("R.Test", "https://r.test:5000/", true),
            ("r.test", "https://a.r.test/", true),
            (".r.test", "https://a.r.test/", true),
            (".r.test", "https://r.test/", true),
            ("*.r.test", "https://a.r.test/", true),
            ("r.test", "https://notr.test/", false),
            ("a.test, r.test ,b.test", "https://r.test/", true),
            ("r.test:5000", "https://r.test:5000/", true),
            ("r.test:5000", "https://r.test/", false),
            ("r.test:5000", "https://a.r.test:5000/", true),
            ("r.test:443", "https://r.test/", true),
            ("r.test:80", "https://r.test/", false),
            ("r.test:x", "https://r.test/", false),
            (":5000", "https://r.test:5000/", false),
            ("*:5000", "https://r.test:5000/", true),
            ("127.0.0.1", "https://127.0.0.1:5000/", true),
            ("127.0.0.1:5000", "https://127.0.0.1:5000/", true),
            ("127.0.0.1:5000", "https://127.0.0.1:5001/", false),
            ("10.0.0.0/8", "https://10.1.2.3/", true),
            ("10.0.0.0/8", "https://11.1.2.3/", false),
            ("::1", "https://[::1]:5000/", true),
            ("[::1]", "https://[::1]:5000/", true),
            ("[::1]:5000", "https://[::1]:5000/", true),
            ("[::1]:5000", "https://[::1]:5001/", false),
            ("fd00::/8", "https://[fd00::1]/", true),
        ];
        for (no_proxy, url, is_direct) in cases {
            let proxies = proxies(&[
                ("HTTPS_PROXY", "http://p.test:3128"),
                ("NO_PROXY", no_proxy),
            ]);
            let expected = if is_direct { "" } else { "http://p.test:3128" };
            assert_eq!(of(&proxies, url), expected, "{no_proxy} {url}");
        }
    }

    type Variables = &'static [(&'static str, &'static str)];

    #[test]
    fn proxies_by_the_scheme_of_what_is_reached() {
        let (http, https) = ("http://r.test/", "https://r.test/");
        let cases: &[(Variables, &str, &str)] = &[
            (&[], "", ""),
            (&[("https_proxy", "http://p.test:1")], "", "http://p.test:1"),
            (&[("HTTP_PROXY", "p.test:1")], "http://p.test:1", ""),
            (
                &[("ALL_PROXY", "https://p.test")],
                "https://p.test",
                "https://p.test",
            ),
            (
                &[
                    ("ALL_PROXY", "http://a.test"),
                    ("HTTPS_PROXY", "http://me:canary@b.test"),
                ],
                "http://a.test",
                "http://b.test",
            ),
            (
                &[("HTTP_PROXY", "http://p.test"), ("REQUEST_METHOD", "GET")],
                "",
                "",
            ),
        ];
        for (variables, plain, encrypted) in cases {
            let proxies = proxies(variables);
            let found = (of(&proxies, http), of(&proxies, https));
            assert_eq!(
                found,
                ((*plain).to_owned(), (*encrypted).to_owned()),
                "{variables:?}"
            );
        }
    }
}
