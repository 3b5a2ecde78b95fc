// SPDX-License-Identifier: Apache-2.0

//! Hosts of registries: names, IPv4 addresses, and IPv6 addresses in brackets.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How a machine calls itself by custom, besides the names below `localhost` (RFC 6761, 6.3).
const OWN_NAMES: [&str; 5] = [
    "localhost",
    "localhost.localdomain",
    "localhost6",
    "ip6-localhost",
    "ip6-loopback",
];

/// The only way to write a host: lower case, and an address in its shortest form. Nothing where the
/// text is no host.
///
/// What reads as an IPv4 address in a URL is one, such as `127.1` (URL standard, IPv4 parser): the host
/// that is shown is the one that is connected to.
pub(super) fn canonical(text: &str) -> Option<String> {
    if let Some(inner) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let address: Ipv6Addr = inner.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    if !is_name(text) {
        return None;
    }
    let last = text.rsplit('.').next().unwrap_or_default();
    let may_be_number = last.starts_with(|first: char| first.is_ascii_digit());
    match may_be_number.then(|| url::Host::parse(text)) {
        Some(Ok(url::Host::Ipv4(address))) => Some(address.to_string()),
        _ => Some(text.to_ascii_lowercase()),
    }
}

/// The canonical host that stands for all that lead to the same machine, as far as names tell.
pub(super) fn stand_in(host: &str) -> Cow<'_, str> {
    let Some(address) = address(host) else {
        let is_own = OWN_NAMES.contains(&host) || host.ends_with(".localhost");
        return if is_own { OWN_NAMES[0] } else { host }.into();
    };
    // Connecting to the unspecified address leads to the machine itself.
    if address.is_loopback() || address.is_unspecified() {
        return OWN_NAMES[0].into();
    }
    match address {
        IpAddr::V4(address) => address.to_string().into(),
        IpAddr::V6(address) => format!("[{address}]").into(),
    }
}

/// Whether a canonical host leads to the machine itself, as far as names tell.
pub(super) fn is_loopback(host: &str) -> bool {
    stand_in(host) == OWN_NAMES[0]
}

/// The address that a host is, that of IPv4 where it is one in the clothes of IPv6.
fn address(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(address.into());
    }
    let inner = host.strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.parse::<Ipv6Addr>().ok()?.to_canonical())
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}
