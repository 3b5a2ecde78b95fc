// SPDX-License-Identifier: Apache-2.0

//! Where requests may go: the rules for URLs that a peer wrote.

use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use url::Url;

use super::reach::Reach;
use crate::oci::limits;

/// Whether a status moves a request to another URL.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Why a URL in an answer is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeUrl {
    /// There is none, or it cannot be read.
    #[error("the answer should name a URL in its {0} header and names none that can be read")]
    Unreadable(&'static str),
    /// No server would take it.
    #[error(
        "the registry answers with a URL of more than {} bytes in its {header} header",
        limits::URL_BYTES
    )]
    TooLong {
        /// The header with the URL.
        header: &'static str,
    },
    /// Another scheme, host or port than the registry's.
    #[error(
        "the registry answers with a {header} at {origin}, which is not its own scheme, host and port: \
         check the external URL that it is configured with"
    )]
    OtherOrigin {
        /// The header with the URL.
        header: &'static str,
        /// Where it points, without path and query.
        origin: String,
    },
    /// From encrypted to plain.
    #[error("the registry redirects from https to {origin}, which would give up encryption")]
    Downgrade {
        /// Where it points.
        origin: String,
    },
    /// To something that is no web server.
    #[error("the registry redirects to {origin}, which is neither https nor http")]
    OtherScheme {
        /// Where it points.
        origin: String,
    },
    /// To a machine that only we can reach.
    #[error("the registry redirects to {origin}, an address of this machine or its network link")]
    LocalAddress {
        /// Where it points.
        origin: String,
    },
    /// A user name or password in the URL.
    #[error("the registry answers with a {0} that contains a user name or password")]
    HasUserInfo(&'static str),
    /// A redirect of a request that writes.
    #[error(
        "the registry redirects a request that writes, to {origin}: name that host as the registry instead"
    )]
    RedirectedWrite {
        /// Where it points.
        origin: String,
    },
    /// A redirect inside the registry of a request that cannot be repeated there.
    #[error(
        "the registry redirects a request that writes to another of its own URLs with {status}, \
         where it cannot be sent again: what stands in front of the registry must pass such requests on"
    )]
    MovedWrite {
        /// The status.
        status: u16,
    },
    /// Too many hops.
    #[error("the registry redirects more than {} times", limits::REDIRECTS)]
    TooManyRedirects,
    /// The storage behind a redirect asks who we are.
    #[error("{origin}, where the registry redirects to, asks for a credential; it gets none")]
    AsksForCredential {
        /// Who asks.
        origin: String,
    },
}

/// Scheme, host and port of a URL: what may be shown of it.
pub(super) fn of(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{}://{host}:{port}", url.scheme()),
        (Some(host), None) => format!("{}://{host}", url.scheme()),
        (None, _) => format!("{}:", url.scheme()),
    }
}

/// Host and port of a URL, the latter where it is not the default one.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether two URLs have the same scheme, host and port; a default port is the same as none.
pub(super) fn is_same(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Whether `other` is the same host in HTTPS, and `one` is not.
pub(super) fn is_encrypted(one: &Url, other: &Url) -> bool {
    one.scheme() == "http" && other.scheme() == "https" && one.host() == other.host()
}

/// The URL in a header that must stay at the registry: upload locations and next pages.
pub(super) fn own_url(
    header: &'static str,
    value: Option<&HeaderValue>,
    request: &Url,
) -> Result<Url, UnsafeUrl> {
    let url = read(header, value, request)?;
    if !is_same(&url, request) {
        let origin = of(&url);
        return Err(UnsafeUrl::OtherOrigin { header, origin });
    }
    Ok(url)
}

/// Where a redirect of a GET or HEAD may go: anywhere that is not plainer or closer to us than the
/// URL that was asked.
pub(super) fn redirect_target(
    value: Option<&HeaderValue>,
    request: &Url,
) -> Result<Url, UnsafeUrl> {
    let url = read("Location", value, request)?;
    let origin = of(&url);
    match (request.scheme(), url.scheme()) {
        (_, "https") | ("http", "http") => {}
        (_, "http") => return Err(UnsafeUrl::Downgrade { origin }),
        _ => return Err(UnsafeUrl::OtherScheme { origin }),
    }
    if Reach::of(&url) > Reach::of(request) {
        return Err(UnsafeUrl::LocalAddress { origin });
    }
    Ok(url)
}

/// What the text of a header means beside the URL that was asked. What is too long is not even parsed: a list may
/// have thousands of pages.
pub(super) fn join(header: &'static str, text: &str, request: &Url) -> Result<Url, UnsafeUrl> {
    if text.len() > limits::URL_BYTES {
        return Err(UnsafeUrl::TooLong { header });
    }
    let url = (!text.is_empty()).then(|| request.join(text).ok());
    url.flatten().ok_or(UnsafeUrl::Unreadable(header))
}

fn read(
    header: &'static str,
    value: Option<&HeaderValue>,
    request: &Url,
) -> Result<Url, UnsafeUrl> {
    let text = value.and_then(|value| value.to_str().ok());
    let url = join(header, text.unwrap_or_default(), request)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UnsafeUrl::HasUserInfo(header));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn header(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    #[test]
    fn urls_that_must_stay_at_the_registry() {
        let request = url("https://r.test/v2/a/blobs/uploads/");
        let good = [
            (
                "relative",
                "1?_state=x",
                "https://r.test/v2/a/blobs/uploads/1?_state=x",
            ),
            ("path", "/v2/x?y=%2F", "https://r.test/v2/x?y=%2F"),
            ("absolute", "https://r.test/u", "https://r.test/u"),
            ("default port", "https://r.test:443/u", "https://r.test/u"),
            ("other case", "HTTPS://R.TEST/u", "https://r.test/u"),
            (
                "only a query",
                "?a=b",
                "https://r.test/v2/a/blobs/uploads/?a=b",
            ),
        ];
        for (name, text, expected) in good {
            let found = own_url("Location", Some(&header(text)), &request);
            assert_eq!(found.map(String::from), Ok(expected.to_owned()), "{name}");
        }
        let bad = [
            ("other host", "https://evil.test/u"),
            ("no scheme, other host", "//evil.test/u"),
            ("host as prefix", "https://r.test.evil.test/u"),
            ("host as user", "https://r.test@evil.test/u"),
            ("user", "https://me:pw@r.test/u"),
            ("other port", "https://r.test:8443/u"),
            ("plain", "http://r.test/u"),
            ("plain at the same port", "http://r.test:443/u"),
            ("metadata", "http://169.254.169.254/u"),
            ("file", "file:///etc/passwd"),
            ("no URL", "https://"),
            ("empty", ""),
        ];
        for (name, text) in bad {
            let found = own_url("Location", Some(&header(text)), &request);
            assert!(found.is_err(), "{name}: {found:?}");
        }
        assert!(own_url("Location", None, &request).is_err());
    }

    #[test]
    fn urls_that_no_server_takes_are_not_parsed() {
        let request = url("https://r.test/v2/a/blobs/uploads/");
        let fits = format!("/{}", "x".repeat(limits::URL_BYTES - 1));
        for (text, expected) in [
            (fits.clone(), None),
            (fits + "x", Some(UnsafeUrl::TooLong { header: "Location" })),
        ] {
            let text = header(&text);
            let own = own_url("Location", Some(&text), &request);
            assert_eq!(own.err(), expected);
            let redirect = redirect_target(Some(&text), &request);
            assert_eq!(redirect.err(), expected);
        }
    }

    #[test]
    fn a_port_that_got_lost_is_another_origin() {
        let request = url("http://127.0.0.1:5000/v2/a/blobs/uploads/");
        let found = own_url("Location", Some(&header("http://127.0.0.1/u")), &request);
        assert!(
            matches!(found, Err(UnsafeUrl::OtherOrigin { .. })),
            "{found:?}"
        );
    }

    #[test]
    fn redirects_lead_neither_to_plain_http_nor_closer() {
        let public = "https://r.test/v2/";
        let local = "http://127.0.0.1:5000/v2/";
        let cases = [
            ("storage", public, "https://storage.test/x?sig=1", true),
            ("relative", public, "/elsewhere", true),
            ("private network", public, "https://10.0.0.5:9000/x", true),
            ("plain", public, "http://storage.test/x", false),
            ("ftp", "http://r.test/", "ftp://r.test/", false),
            ("user", public, "https://a:b@storage.test/", false),
            ("loopback", public, "https://127.0.0.1/", false),
            ("loopback in decimal", public, "https://2130706433/", false),
            ("loopback in short", public, "https://127.1/", false),
            ("loopback by name", public, "https://localhost./", false),
            ("loopback, version 6", public, "https://[::1]/", false),
            (
                "loopback, mapped",
                public,
                "https://[::ffff:127.0.0.1]/",
                false,
            ),
            ("metadata", public, "https://169.254.169.254/latest", false),
            (
                "metadata, mapped",
                public,
                "https://[::ffff:a9fe:a9fe]/",
                false,
            ),
            (
                "metadata, NAT64",
                public,
                "https://[64:ff9b::a9fe:a9fe]/",
                false,
            ),
            (
                "metadata, 6to4",
                public,
                "https://[2002:a9fe:a9fe::]/",
                false,
            ),
            ("unspecified", public, "https://0.0.0.0/", false),
            ("unspecified, version 6", public, "https://[::]/", false),
            ("link, version 6", public, "https://[fe80::1]/", false),
            (
                "loopback to loopback",
                local,
                "http://127.0.0.1:6000/x",
                true,
            ),
            (
                "loopback to metadata",
                local,
                "http://169.254.169.254/",
                false,
            ),
            ("loopback to unspecified", local, "http://0.0.0.0/", false),
        ];
        for (name, from, to, followed) in cases {
            let found = redirect_target(Some(&header(to)), &url(from));
            assert_eq!(found.is_ok(), followed, "{name}: {found:?}");
        }
    }

    #[test]
    fn what_is_shown_of_a_url_has_no_path_and_no_query() {
        for (text, expected) in [
            ("https://a.test:444/secret?token=x", "https://a.test:444"),
            ("https://a.test:443/x", "https://a.test"),
            ("file:///etc/passwd", "file:"),
        ] {
            assert_eq!(of(&url(text)), expected);
        }
    }
}
