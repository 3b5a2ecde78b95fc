//! Which token server may be asked.
//!
//! The registry names it, so a hostile or broken registry could have our credential sent anywhere
//! (CVE-2026-33540) or make us call what only we can reach. A [`Realm`] exists only where the rule
//! allows it: the registry's own host and port, a host of the same registrable domain, or one that
//! the operator named.

use psl::Psl as _;
use url::{Host, Url};

use super::scope::Scope;
use crate::registry::redact::SafeUrl;

/// The longest text of a peer that goes into a message, in characters.
const SHOWN: usize = 60;

/// A token server that may be asked, and the name under which it knows the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Realm {
    url: SafeUrl,
    service: Option<String>,
}

/// Why a token server must not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RealmFault {
    /// It is not a URL with a host.
    #[error("which is not the URL of a server")]
    NotAUrl,
    /// It has neither the scheme `https` nor, for a registry in plain HTTP, `http`.
    #[error("which is not encrypted: it must be an https URL")]
    NotEncrypted,
    /// It has a user name or password.
    #[error("with a user name or password in the URL")]
    HasUserInfo,
    /// It has a fragment.
    #[error("with a fragment in the URL")]
    HasFragment,
    /// It is another host, by its address or the name of this machine.
    #[error(
        "an address that may lead anywhere: if it is the right one, allow its host and port with --trusted-realms"
    )]
    OtherAddress,
    /// It is another host, of another registrable domain.
    #[error("a host of another domain: if it is the right one, allow it with --trusted-realms")]
    OtherDomain,
}

// === impl Realm ===

impl Realm {
    /// The token server that the registry at `base` names, or its name and why it must not be asked.
    ///
    /// `trusted` lists further hosts, as `host` with the default port of the scheme or `host:port`.
    pub(super) fn accept(
        realm: &str,
        service: Option<String>,
        base: &Url,
        trusted: &[String],
    ) -> Result<Self, (String, RealmFault)> {
        let unreadable = || {
            let shown: String = realm
                .chars()
                .take_while(|c| *c != '?')
                .take(SHOWN)
                .collect();
            (format!("{shown:?}"), RealmFault::NotAUrl)
        };
        let url = Url::parse(realm).map_err(|_| unreadable())?;
        let host = url.host().ok_or_else(unreadable)?;
        match fault(&url, &host, base, trusted) {
            Some(fault) => Err((authority(&url), fault)),
            None => Ok(Self {
                url: url.into(),
                service,
            }),
        }
    }

    /// Host and port, for messages.
    pub(super) fn server(&self) -> String {
        authority(self.url.as_url())
    }

    /// The URL itself.
    pub(super) fn url(&self) -> &Url {
        self.url.as_url()
    }

    /// The name under which the token server knows the registry.
    pub(super) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// The URL that gives a token for `scope` on GET. What the realm has as a query stays in front.
    pub(super) fn token_url(&self, scope: &Scope) -> Url {
        let mut url = self.url.as_url().clone();
        let mut query = url.query_pairs_mut();
        if let Some(service) = &self.service {
            query.append_pair("service", service);
        }
        for part in scope.parts() {
            query.append_pair("scope", part);
        }
        drop(query);
        url
    }
}

fn fault(url: &Url, host: &Host<&str>, base: &Url, trusted: &[String]) -> Option<RealmFault> {
    let is_encrypted = url.scheme() == "https" || url.scheme() == "http" && base.scheme() == "http";
    let is_same_host =
        url.host() == base.host() && url.port_or_known_default() == base.port_or_known_default();
    match () {
        () if !is_encrypted => Some(RealmFault::NotEncrypted),
        () if !url.username().is_empty() || url.password().is_some() => {
            Some(RealmFault::HasUserInfo)
        }
        () if url.fragment().is_some() => Some(RealmFault::HasFragment),
        () if is_same_host || is_trusted(url, trusted) => None,
        () => match (host, base.host()) {
            (Host::Domain(name), Some(Host::Domain(own))) if !is_this_machine(name) => {
                let domain = registrable_domain(name);
                let is_same_domain = domain.is_some() && domain == registrable_domain(own);
                (!is_same_domain).then_some(RealmFault::OtherDomain)
            }
            (Host::Domain(name), _) if !is_this_machine(name) => Some(RealmFault::OtherDomain),
            (Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_), _) => Some(RealmFault::OtherAddress),
        },
    }
}

fn is_trusted(url: &Url, trusted: &[String]) -> bool {
    let written = authority(url);
    let host = url.host_str().unwrap_or_default();
    let with_port = url
        .port_or_known_default()
        .map(|port| format!("{host}:{port}"));
    trusted
        .iter()
        .map(|entry| entry.to_ascii_lowercase())
        .any(|entry| {
            entry == written
                || with_port
                    .as_ref()
                    .is_some_and(|with_port| entry == *with_port)
        })
}

fn is_this_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// The part of a host name that one owner has, by the public suffix list.
///
/// Services of a Kubernetes cluster belong to their namespace: `cluster.local` has many owners.
fn registrable_domain(name: &str) -> Option<&str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let domain = psl::List.domain(name.as_bytes())?;
    if domain.suffix().is_known() {
        return std::str::from_utf8(domain.as_bytes()).ok();
    }
    namespace_domain(name).or_else(|| std::str::from_utf8(domain.as_bytes()).ok())
}

/// `namespace.svc` and what follows, of the name of a service.
fn namespace_domain(name: &str) -> Option<&str> {
    let (end, _) = name.match_indices(".svc").find(|(start, label)| {
        name.get(start + label.len()..)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })?;
    let start = name.get(..end)?.rfind('.').map_or(0, |dot| dot + 1);
    name.get(start..)
}

/// Host and port, the latter where it is not the default one.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accept(
        registry: &str,
        realm: &str,
        trusted: &[&str],
    ) -> Result<Realm, (String, RealmFault)> {
        let trusted: Vec<String> = trusted.iter().map(|&entry| entry.to_owned()).collect();
        Realm::accept(realm, None, &registry.parse().unwrap(), &trusted)
    }

    #[test]
    fn token_servers_of_the_same_owner_are_asked() {
        let cases = [
            (
                "docker hub",
                "https://registry-1.docker.io",
                "https://auth.docker.io/token",
            ),
            (
                "gitlab",
                "https://registry.gitlab.com",
                "https://gitlab.com/jwt/auth",
            ),
            ("same host", "https://ghcr.io", "https://ghcr.io/token"),
            (
                "port written out",
                "https://r.test",
                "https://r.test:443/token",
            ),
            (
                "other port, same domain",
                "https://r.example.com",
                "https://r.example.com:8443/token",
            ),
            (
                "trailing dot",
                "https://r.example.com",
                "https://auth.example.com./token",
            ),
            (
                "three-part suffix",
                "https://r.example.co.uk",
                "https://auth.example.co.uk/",
            ),
            (
                "own domain that no list knows",
                "https://r.corp.internal",
                "https://auth.corp.internal/",
            ),
            (
                "same namespace",
                "http://r.a.svc.cluster.local",
                "http://auth.a.svc.cluster.local/t",
            ),
            (
                "an address, same port",
                "https://10.0.0.1:5000",
                "https://10.0.0.1:5000/token",
            ),
            (
                "version 6, same port",
                "https://[fd00::1]:5000",
                "https://[fd00::1]:5000/token",
            ),
            (
                "plain registry",
                "http://localhost:5000",
                "http://localhost:5000/token",
            ),
            (
                "plain registry, encrypted server",
                "http://r.example.com",
                "https://auth.example.com/",
            ),
        ];
        for (name, registry, realm) in cases {
            assert!(accept(registry, realm, &[]).is_ok(), "{name}");
        }
    }

    fn refusal(registry: &str, realm: &str) -> Option<RealmFault> {
        accept(registry, realm, &[]).err().map(|(_, fault)| fault)
    }

    #[test]
    fn token_servers_of_another_owner_are_refused() {
        let r = "https://r.example.com";
        let cases = [
            ("other domain", r, "https://evil.test/token"),
            ("domain as prefix", r, "https://example.com.evil.test/"),
            ("domain as ending", r, "https://evilexample.com/"),
            ("shared host", "https://a.github.io", "https://b.github.io/"),
            ("two-part suffix", "https://a.co.uk", "https://b.co.uk/"),
            ("the suffix itself", "https://a.co.uk", "https://co.uk/"),
            (
                "other namespace",
                "https://r.a.svc.cluster.local",
                "https://r.b.svc.cluster.local/",
            ),
            (
                "names without a domain",
                "https://registry",
                "https://auth/",
            ),
            (
                "registry by address",
                "https://10.0.0.1",
                "https://a.example.com/",
            ),
            ("metadata by name", r, "https://metadata.google.internal/"),
        ];
        for (name, registry, realm) in cases {
            assert_eq!(
                refusal(registry, realm),
                Some(RealmFault::OtherDomain),
                "{name}"
            );
        }
    }

    #[test]
    fn addresses_in_any_spelling_are_never_crossed_to() {
        let r = "https://r.example.com";
        let cases = [
            ("metadata", r, "https://169.254.169.254/latest"),
            ("loopback", r, "https://127.0.0.1/"),
            ("loopback in decimal", r, "https://2130706433/"),
            ("loopback in hex", r, "https://0x7f.1/"),
            ("loopback in octal", r, "https://0177.0.0.1/"),
            ("full-width digits", r, "https://①②⑦.⓪.⓪.①/"),
            ("unspecified", r, "https://0.0.0.0:443/"),
            ("unspecified, version 6", r, "https://[::]/"),
            ("loopback, version 6", r, "https://[::1]/"),
            ("loopback, mapped", r, "https://[::ffff:127.0.0.1]/"),
            ("metadata, NAT64", r, "https://[64:ff9b::a9fe:a9fe]/"),
            ("localhost", r, "https://localhost/"),
            ("localhost with a dot", r, "https://localhost./"),
            ("below localhost", r, "https://r.localhost/"),
            (
                "loopback, other port",
                "http://127.0.0.1:5000",
                "http://127.0.0.1:5001/",
            ),
            (
                "localhost, other port",
                "http://localhost:5000",
                "http://localhost:5001/",
            ),
            ("same network", "https://10.0.0.1", "https://10.0.0.2/"),
        ];
        for (name, registry, realm) in cases {
            assert_eq!(
                refusal(registry, realm),
                Some(RealmFault::OtherAddress),
                "{name}"
            );
        }
    }

    #[test]
    fn urls_that_are_no_token_server_are_refused() {
        use RealmFault::{HasFragment, HasUserInfo, NotAUrl, NotEncrypted};
        let r = "https://r.example.com";
        let plain = "http://r.example.com";
        let cases = [
            ("plain", r, "http://r.example.com/token", NotEncrypted),
            (
                "plain, same port",
                r,
                "http://r.example.com:443/token",
                NotEncrypted,
            ),
            ("ftp", plain, "ftp://r.example.com/", NotEncrypted),
            ("user", r, "https://me@r.example.com/", HasUserInfo),
            ("password", r, "https://:pw@r.example.com/", HasUserInfo),
            (
                "host as user",
                r,
                "https://r.example.com@evil.test/",
                HasUserInfo,
            ),
            ("fragment", r, "https://r.example.com/token#x", HasFragment),
            ("a path", r, "/token", NotAUrl),
            ("a name", r, "Nexus Repository Manager", NotAUrl),
            ("no host", plain, "http:///", NotAUrl),
            ("no server", plain, "data:,x", NotAUrl),
        ];
        for (name, registry, realm, expected) in cases {
            assert_eq!(refusal(registry, realm), Some(expected), "{name}");
        }
    }

    #[test]
    fn the_operator_may_name_further_ones() {
        let cases = [
            ("host", "https://auth.test/t", "auth.test", true),
            ("any case", "https://auth.test/t", "AUTH.test", true),
            (
                "host and port",
                "https://auth.test:8443/t",
                "auth.test:8443",
                true,
            ),
            ("default port", "https://auth.test/t", "auth.test:443", true),
            (
                "host without the port",
                "https://auth.test:8443/t",
                "auth.test",
                false,
            ),
            (
                "other port",
                "https://auth.test:8443/t",
                "auth.test:8444",
                false,
            ),
            (
                "address",
                "https://127.0.0.1:5001/t",
                "127.0.0.1:5001",
                true,
            ),
            ("version 6", "https://[::1]:5001/t", "[::1]:5001", true),
            ("below", "https://a.auth.test/t", "auth.test", false),
            ("plain", "http://auth.test/t", "auth.test", false),
        ];
        for (name, realm, entry, expected) in cases {
            assert_eq!(
                accept("https://r.test", realm, &[entry]).is_ok(),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn the_challenge_cannot_add_parameters() {
        let realm = Realm::accept(
            "https://r.test/token?account=a%20b",
            Some("x&scope=registry:catalog:*".to_owned()),
            &"https://r.test".parse().unwrap(),
            &[],
        );
        let [a, b] = ["a/b", "c"].map(|name| name.parse().unwrap());
        let url = realm.unwrap().token_url(&Scope::mount(&a, &b));
        assert_eq!(
            url.as_str(),
            "https://r.test/token?account=a%20b&service=x%26scope%3Dregistry%3Acatalog%3A*\
             &scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Ac%3Apull"
        );
    }

    #[test]
    fn what_is_shown_has_no_query() {
        for realm in ["https://evil.test:8443/canary?canary", "evil?canary"] {
            let (shown, _) = accept("https://r.test", realm, &[]).unwrap_err();
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn a_realm_that_is_accepted_stays_with_its_owner(realm in "https://[a-z.@:/0-9\\[\\]]{0,30}") {
            if let Ok(accepted) = accept("https://r.example.com", &realm, &[]) {
                let host = accepted.url().host_str().unwrap().trim_end_matches('.').to_owned();
                prop_assert!(host == "example.com" || host.ends_with(".example.com"), "{}", host);
            }
        }
    }
}
