// SPDX-License-Identifier: Apache-2.0

//! What may be shown of a URL. Queries carry signatures and user names carry passwords.

use std::fmt;

use url::Url;

/// A URL that shows only its scheme, host, port and path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SafeUrl(Url);

// === impl SafeUrl ===

impl SafeUrl {
    /// The whole URL, for a request.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl From<Url> for SafeUrl {
    fn from(url: Url) -> Self {
        Self(url)
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(url) = self;
        write!(formatter, "{}:", url.scheme())?;
        if let Some(host) = url.host_str() {
            write!(formatter, "//{host}")?;
        }
        if let Some(port) = url.port() {
            write!(formatter, ":{port}")?;
        }
        if url.cannot_be_a_base() {
            return Ok(());
        }
        formatter.write_str(url.path())
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SafeUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_to_the_resource_is_shown() {
        let cases = [
            ("https://r.test/v2/", "https://r.test/v2/"),
            ("https://r.test:443/a", "https://r.test/a"),
            (
                "http://me:canary@r.test:81/a?sig=canary#canary",
                "http://r.test:81/a",
            ),
            ("https://[::1]:5/a", "https://[::1]:5/a"),
            ("mailto:canary@r.test", "mailto:"),
            ("file:///etc", "file:/etc"),
        ];
        for (text, expected) in cases {
            let url = SafeUrl::from(text.parse::<Url>().unwrap());
            assert_eq!(url.to_string(), expected);
            assert_eq!(format!("{url:?}"), format!("SafeUrl({expected})"));
            assert_eq!(
                url.as_url().as_str().contains("canary"),
                text.contains("canary")
            );
        }
    }
}
