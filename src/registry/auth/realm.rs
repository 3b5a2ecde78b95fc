// SPDX-License-Identifier: Apache-2.0

//! Which token server may be asked.
//!
//! The registry names it, so a hostile or broken registry could have our credential sent anywhere
//! (CVE-2026-33540) or make us call what only we can reach. A [`Realm`] exists only where the rule
//! allows it: the registry's own host and port, a host of the same owner, or one that the operator named. Where there is no credential, any host by its name may be asked for a token:
//! registries that stand in front of others name the token servers of those.

use url::{Host, Url, form_urlencoded};

use super::scope::Scope;
use crate::oci::limits;
use crate::registry::origin::authority;
use crate::registry::owner;
use crate::registry::redact::SafeUrl;

/// The longest text of a peer that goes into a message, in characters.
const SHOWN: usize = 60;

/// A token server that may be asked, and the name under which it knows the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Realm {
    url: SafeUrl,
    service: Option<String>,
    is_trusted: bool,
}

/// Who may be asked for tokens besides the registry's own host and domain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust<'a> {
    /// These hosts, as `host` with the default port of the scheme or `host:port`.
    pub(super) hosts: &'a [String],
    /// Whether any host may be asked by its name: there is no credential that it could take.
    pub(super) is_anonymous: bool,
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
    /// What begins with a slash is meant to be at the registry (regclient#963), and is judged like any other
    /// URL: two of them lead elsewhere.
    pub(super) fn accept(
        realm: &str,
        service: Option<String>,
        base: &Url,
        trust: Trust<'_>,
    ) -> Result<Self, (String, RealmFault)> {
        let unreadable = || {
            let shown: String = realm
                .chars()
                .take_while(|c| *c != '?')
                .take(SHOWN)
                .collect();
            (format!("{shown:?}"), RealmFault::NotAUrl)
        };
        if realm.len() > limits::URL_BYTES {
            return Err(unreadable());
        }
        let url = match Url::parse(realm) {
            // Only a slash is what people write who have no token server.
            Err(_) if realm.starts_with('/') && realm.len() > 1 => base.join(realm),
            parsed => parsed,
        };
        let mut url = url.map_err(|_| unreadable())?;
        // No client sends one to a server.
        url.set_fragment(None);
        let service = own_service(&mut url, service);
        let host = url.host().ok_or_else(unreadable)?;
        match fault(&url, &host, base, trust) {
            Some(fault) => Err((authority(&url), fault)),
            None => Ok(Self {
                is_trusted: is_ours(&url, base) || trust.names(&url),
                url: url.into(),
                service,
            }),
        }
    }

    /// Whether it would be asked with a credential, too: what shows who we are may be shown to it.
    pub(super) fn is_trusted(&self) -> bool {
        self.is_trusted
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

    /// The URL that gives a token for `scope` on GET. What else the realm has as a query stays in front.
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

fn fault(url: &Url, host: &Host<&str>, base: &Url, trust: Trust<'_>) -> Option<RealmFault> {
    let is_encrypted = url.scheme() == "https" || url.scheme() == "http" && base.scheme() == "http";
    match () {
        () if !is_encrypted => Some(RealmFault::NotEncrypted),
        () if !url.username().is_empty() || url.password().is_some() => {
            Some(RealmFault::HasUserInfo)
        }
        () if is_ours(url, base) || trust.names(url) => None,
        () => match host {
            Host::Domain(name) if !owner::is_this_machine(name) => {
                (!trust.is_anonymous).then_some(RealmFault::OtherDomain)
            }
            Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_) => Some(RealmFault::OtherAddress),
        },
    }
}

/// Whether it is the registry's own host and port, or one of the same owner.
fn is_ours(url: &Url, base: &Url) -> bool {
    let is_same_host =
        url.host() == base.host() && url.port_or_known_default() == base.port_or_known_default();
    is_same_host || owner::is_same(url, base)
}

/// Takes from the query of a realm what the client is to say by itself: which registry a token is for, and what it
/// allows. The name of the registry is the realm's where the challenge has none.
fn own_service(url: &mut Url, service: Option<String>) -> Option<String> {
    let Some(query) = url.query() else {
        return service;
    };
    let mut named = None;
    let mut kept = Vec::new();
    for part in query.split('&') {
        match form_urlencoded::parse(part.as_bytes()).next() {
            Some((key, value)) if key == "service" => named = Some(value.into_owned()),
            Some((key, _)) if key == "scope" => {}
            Some(_) | None => kept.push(part),
        }
    }
    let kept = kept.join("&");
    url.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
    service.or(named)
}

// === impl Trust ===

impl Trust<'_> {
    /// Whether the host of a URL is listed.
    fn names(self, url: &Url) -> bool {
        let written = authority(url);
        let host = url.host_str().unwrap_or_default();
        let with_port = url
            .port_or_known_default()
            .map(|port| format!("{host}:{port}"));
        self.hosts
            .iter()
            .map(|entry| entry.to_ascii_lowercase())
            .any(|entry| entry == written || Some(&entry) == with_port.as_ref())
    }
}
