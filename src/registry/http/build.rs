// SPDX-License-Identifier: Apache-2.0

//! How connections are made: nothing is followed, sent along or decoded on our behalf.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{ClientBuilder, Identity, redirect, retry, tls};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret, SecretString};

use super::causes::root;
use super::encryption;
use super::lookups::Lookups;
use super::proxy::{Proxies, proxy_url};
use crate::oci::limits;
use crate::registry::boundaries::Boundaries;
use crate::registry::boundaries::resolver::Resolver;
use crate::registry::cause::Cause;
use crate::registry::settings::{Proxy, Settings, Tls};

/// Connections to one host that are kept for the next request.
const IDLE_CONNECTIONS: usize = 64;
/// How long they are kept: less than the 60 s of common load balancers.
const IDLE_CONNECTION_TIME: Duration = Duration::from_secs(50);
/// What a host may send ahead of whoever reads, in bytes: of one answer, and of all on a connection of HTTP/2. All that
/// are asked for at once have room there, so that none that is not read holds up the others.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 64 * STREAM_WINDOW;
/// The most bytes of headers of one answer on it.
const HEADER_LIST_BYTES: u32 = 64 * 1024;
/// How often it is asked whether it still is one while answers are waited for, and how long it has for that: one that is
/// lost without a word would take all requests with it, and the next ones.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest file of certificates, in bytes, and the most certificates in it.
const CA_BYTES: usize = 512 * 1024;
const CA_CERTIFICATES: usize = 300;

/// The clients of one registry: which one is used depends on whom it speaks to.
#[derive(Clone)]
pub(super) struct Clients {
    /// For the registry itself, and what is as good as it.
    pub(super) registry: reqwest::Client,
    /// For other hosts of its owner: without our certificate.
    pub(super) owner: reqwest::Client,
    /// For everybody else: without the authorities of the registry, too.
    pub(super) others: reqwest::Client,
    /// For what is small and asked of the registry itself.
    pub(super) lookups: Option<Arc<Lookups>>,
}

/// Clients with these settings, whose names resolve within these boundaries.
pub(super) fn clients(
    user_agent: &str,
    settings: &Settings,
    boundaries: Option<&Arc<Boundaries>>,
) -> Result<(Clients, Proxies), Cause> {
    let Tls {
        ca_pem,
        identity_pem,
    } = &settings.tls;
    let everywhere = settings.ca_pem.as_deref();
    let authorities = [everywhere, ca_pem.as_deref()];
    let make = |authorities: [Option<&[u8]>; 2], identity: Option<&SecretString>, speech| {
        let (builder, proxies) = builder(user_agent, settings, boundaries)?;
        let builder = with_speech(builder, speech);
        let client = with_certificates(builder, authorities, identity, speech)?
            .build()
            .map_err(|error| Cause::Settings(root(&error)))?;
        Ok::<_, Cause>((client, proxies))
    };
    let (others, proxies) = make([everywhere, None], None, Speech::Http1)?;
    let owner = match ca_pem {
        Some(_) => make(authorities, None, Speech::Http1)?.0,
        None => others.clone(),
    };
    let registry = match identity_pem {
        Some(identity) => make(authorities, Some(identity), Speech::Http1)?.0,
        None => owner.clone(),
    };
    // In plain HTTP nobody says what else he speaks.
    let lookups = if settings.insecure {
        None
    } else {
        let (client, _) = make(authorities, identity_pem.as_ref(), Speech::Either)?;
        Some(Arc::new(Lookups::new(client)))
    };
    let clients = Clients {
        registry,
        owner,
        others,
        lookups,
    };
    Ok((clients, proxies))
}

/// What all clients have in common.
fn builder(
    user_agent: &str,
    settings: &Settings,
    boundaries: Option<&Arc<Boundaries>>,
) -> Result<(ClientBuilder, Proxies), Cause> {
    let Settings {
        credential: _,
        tls: _,
        ca_pem: _,
        proxy,
        system_proxy,
        insecure,
        trusted_realms: _,
        keyring: _,
        creation: _,
    } = settings;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let builder = reqwest::Client::builder()
        .user_agent(user_agent)
        .default_headers(headers)
        .https_only(!insecure)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .tcp_nodelay(true)
        .connect_timeout(limits::CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_CONNECTION_TIME);
    // A proxy of the environment would connect where the boundaries do not reach.
    let system_proxy = *system_proxy && boundaries.is_none();
    let (builder, proxies) = with_proxy(builder, proxy.as_ref(), system_proxy, boundaries)?;
    let builder = match boundaries {
        Some(boundaries) => builder.dns_resolver(Resolver(Arc::clone(boundaries))),
        None => builder,
    };
    Ok((builder, proxies))
}

/// How a client speaks.
#[derive(Clone, Copy)]
enum Speech {
    /// HTTP/1.1 only: bodies are fastest on a connection of their own.
    Http1,
    /// HTTP/2 where the host offers it, with one connection for all requests.
    Either,
}

// === impl Speech ===

impl Speech {
    /// What is offered to the host, best first.
    fn protocols(self) -> &'static [&'static str] {
        match self {
            Self::Http1 => &["http/1.1"],
            Self::Either => &["h2", "http/1.1"],
        }
    }
}

fn with_speech(builder: ClientBuilder, speech: Speech) -> ClientBuilder {
    match speech {
        Speech::Http1 => builder.http1_only(),
        Speech::Either => builder
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_header_list_size(HEADER_LIST_BYTES)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT),
    }
}

fn with_proxy(
    builder: ClientBuilder,
    proxy: Option<&Proxy>,
    system_proxy: bool,
    boundaries: Option<&Arc<Boundaries>>,
) -> Result<(ClientBuilder, Proxies), Cause> {
    let Some(Proxy {
        url,
        username,
        password,
    }) = proxy
    else {
        return Ok(with_system_proxy(builder, system_proxy));
    };
    let wrong = || Cause::Settings("the address of the proxy is not a URL".to_owned());
    let url = proxy_url(url).ok_or_else(wrong)?;
    if let Some(boundaries) = boundaries {
        boundaries.check_proxy(&url)?;
    }
    let proxies = Proxies::all(url.clone());
    let mut proxy = reqwest::Proxy::all(url).map_err(|_| wrong())?;
    if let Some(username) = username {
        let password = password.as_ref().map_or("", ExposeSecret::expose_secret);
        proxy = proxy.basic_auth(username, password);
    }
    Ok((builder.no_proxy().proxy(proxy), proxies))
}

/// The proxies of the environment are read here and not by the client, which knows no ports in
/// `NO_PROXY` and does not say which proxy it used. Without any, those of the operating system count.
fn with_system_proxy(builder: ClientBuilder, system_proxy: bool) -> (ClientBuilder, Proxies) {
    if !system_proxy {
        return (builder.no_proxy(), Proxies::default());
    }
    let proxies = Proxies::of_environment(variable);
    if proxies.is_empty() {
        return (builder, proxies);
    }
    let chosen = proxies.clone();
    let proxy = reqwest::Proxy::custom(move |url| chosen.of(url).cloned());
    (builder.no_proxy().proxy(proxy), proxies)
}

/// A variable of the environment that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?
        .into_string()
        .ok()
        .filter(|text| !text.trim().is_empty())
}

fn with_certificates(
    builder: ClientBuilder,
    authorities: [Option<&[u8]>; 2],
    identity: Option<&SecretString>,
    speech: Speech,
) -> Result<ClientBuilder, Cause> {
    let mut trusted = Vec::new();
    for pem in authorities.into_iter().flatten() {
        trusted.extend(read_authorities(pem)?);
    }
    if !trusted.is_empty() {
        let encryption = encryption::trusting(trusted, identity, speech.protocols())?;
        return Ok(builder.tls_backend_preconfigured(encryption));
    }
    let builder = builder.tls_version_min(tls::Version::TLS_1_2);
    let Some(pem) = identity else {
        return Ok(builder);
    };
    let identity = Identity::from_pem(pem.expose_secret().as_bytes());
    Ok(builder.identity(identity.map_err(|_| encryption::no_identity())?))
}

/// Whether authorities can be read that are given as PEM, or what is wrong with them.
pub fn check_authorities(pem: &[u8]) -> Result<(), String> {
    let certificates = parse_authorities(pem)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let added = roots.add(certificate);
        added.map_err(|error| format!("have one that cannot be used: {error}"))?;
    }
    Ok(())
}

fn read_authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Cause> {
    parse_authorities(pem).map_err(|what| Cause::Settings(format!("the CA certificates {what}")))
}

fn parse_authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |what: String| Err(what);
    if pem.len() > CA_BYTES {
        return wrong(format!(
            "have {} bytes, at most {CA_BYTES} are read",
            pem.len()
        ));
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => wrong("contain no certificate".to_owned()),
        Ok(certificates) if certificates.len() > CA_CERTIFICATES => wrong(format!(
            "are {}, at most {CA_CERTIFICATES} are read",
            certificates.len()
        )),
        Ok(certificates) => Ok(certificates),
        Err(_) => wrong("are not PEM".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_certificates_and_proxies_are_named() {
        let ca = |pem: &[u8]| Settings {
            tls: Tls {
                ca_pem: Some(pem.to_vec()),
                identity_pem: None,
            },
            ..Settings::default()
        };
        let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        let cases = [
            ("no certificate", ca(b"hello")),
            ("not base64", ca(broken)),
            ("too large", ca(&vec![b'a'; CA_BYTES + 1])),
            (
                "key without certificate",
                Settings {
                    tls: Tls {
                        ca_pem: None,
                        identity_pem: Some("x".into()),
                    },
                    ..Settings::default()
                },
            ),
            (
                "proxy",
                Settings {
                    proxy: Some(Proxy {
                        url: "::".to_owned(),
                        username: None,
                        password: None,
                    }),
                    ..Settings::default()
                },
            ),
        ];
        for (name, settings) in cases {
            let built = clients("test", &settings, None);
            assert!(matches!(built, Err(Cause::Settings(_))), "{name}");
        }
    }
}
