// SPDX-License-Identifier: Apache-2.0

//! The next page of a listing: the `Link` header (RFC 8288; distribution specification, listing tags).

use reqwest::header::{HeaderMap, LINK};
use url::Url;

use super::origin::{self, UnsafeUrl};

/// The URL of the next page, where there is one: that of this page, with the query of the link.
///
/// Nothing else is taken from it: Artifactory and Nexus write paths there that do not exist, registries behind
/// a proxy the scheme and host that they know themselves by, and none has a business to send us to another
/// repository or host.
pub fn next_page(headers: &HeaderMap, current: &Url) -> Result<Option<Url>, UnsafeUrl> {
    let linked = match find(headers, is_next) {
        Some(target) => read(target, current)?,
        // Some write no relation at all and mean the next page; peers never look at it.
        None => match find(headers, has_no_relation).map(|target| read(target, current)) {
            Some(Ok(linked)) if linked.query().is_some() && origin::is_same(&linked, current) => {
                linked
            }
            Some(_) | None => return Ok(None),
        },
    };
    let mut next = current.clone();
    next.set_query(linked.query());
    Ok(Some(next))
}

fn read(target: &str, current: &Url) -> Result<Url, UnsafeUrl> {
    origin::join("Link", target, current)
}

/// The target of the first link whose parameters are as wanted.
fn find(headers: &HeaderMap, is_wanted: fn(&str) -> bool) -> Option<&str> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(|header| target(header, is_wanted))
}

/// The target of the first link in a header whose parameters are as wanted.
fn target(mut header: &str, is_wanted: fn(&str) -> bool) -> Option<&str> {
    loop {
        let start = header.find('<')?;
        let (target, rest) = header.get(start + 1..)?.split_once('>')?;
        let (parameters, rest) = rest.split_at(end_of_link(rest));
        if is_wanted(parameters) {
            return Some(target.trim());
        }
        header = rest;
    }
}

/// Where the parameters of a link end: at a comma outside of quotes.
fn end_of_link(text: &str) -> usize {
    split_unquoted(text, ',').next().map_or(0, str::len)
}

/// The parts between separators that stand outside of quotes. In quotes a backslash takes its meaning from the
/// character behind it.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    })
}

fn is_next(parameters: &str) -> bool {
    relations(parameters).any(|value| {
        value
            .trim()
            .trim_matches('"')
            .split_ascii_whitespace()
            .any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

fn has_no_relation(parameters: &str) -> bool {
    relations(parameters).next().is_none()
}

/// The values of the parameter `rel`.
fn relations(parameters: &str) -> impl Iterator<Item = &str> {
    let parameters = split_unquoted(parameters, ';').filter_map(|text| text.split_once('='));
    parameters
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"))
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;
    use crate::oci::limits;

    const PAGE: &str = "https://r.test/v2/a/b/tags/list?n=10";

    fn follow(link: &str) -> Result<Option<String>, UnsafeUrl> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(link) {
            headers.insert(LINK, value);
        }
        next_page(&headers, &PAGE.parse().unwrap()).map(|next| next.map(String::from))
    }

    #[test]
    fn only_the_query_of_a_next_link_is_followed() {
        let next = "https://r.test/v2/a/b/tags/list?n=10&last=x";
        let cases = [
            (
                "as specified",
                r#"</v2/a/b/tags/list?n=10&last=x>; rel="next""#,
            ),
            (
                "absolute",
                r#"<https://r.test/v2/a/b/tags/list?n=10&last=x>; rel="next""#,
            ),
            (
                "with the default port",
                "<https://r.test:443/x?n=10&last=x>; rel=next",
            ),
            ("only a query", r#"<?n=10&last=x>; rel="next""#),
            (
                "a path without the repository key",
                r#"</v2/b/tags/list?n=10&last=x>; rel="next""#,
            ),
            (
                "a path that climbs",
                r#"<../../../../etc?n=10&last=x>; rel="next""#,
            ),
            ("unquoted, upper case", "<?n=10&last=x>;REL=NEXT"),
            ("several relations", r#"<?n=10&last=x>; rel="last next""#),
            (
                "several links",
                r#"<?first>; rel="first"; title="a, <b>", <?n=10&last=x>; rel="next""#,
            ),
            ("without a relation", "<?n=10&last=x>"),
            (
                "without a relation, with a title",
                r#"<?n=10&last=x>; title="rest""#,
            ),
            (
                "without a relation before the next",
                r#"<?a>, <?n=10&last=x>; rel="next""#,
            ),
            (
                "more parameters",
                r#"<?n=10&last=x>; title="\"x"; rel="next""#,
            ),
            (
                "words about relations in quotes",
                r#"<?first>; title="; rel=next"; rel="first", <?n=10&last=x>; rel="next""#,
            ),
            (
                "a semicolon in quotes",
                r#"<?n=10&last=x>; title="a; b=\"c; d"; rel="next""#,
            ),
            (
                "another host",
                "<https://other.test/v2/x?n=10&last=x>; rel=next",
            ),
            (
                "another host, no scheme",
                "<//other.test/?n=10&last=x>; rel=next",
            ),
            (
                "another scheme",
                "<http://r.test/v2/a/b/tags/list?n=10&last=x>; rel=next",
            ),
            (
                "another port",
                "<https://r.test:8443/v2/a/b/tags/list?n=10&last=x>; rel=next",
            ),
            (
                "a user",
                "<https://me:pw@r.test/v2/a/b/tags/list?n=10&last=x>; rel=next",
            ),
            ("a fragment", "<?n=10&last=x#end>; rel=next"),
            (
                "metadata",
                "<http://169.254.169.254/latest?n=10&last=x>; rel=next",
            ),
        ];
        for (name, link) in cases {
            assert_eq!(follow(link), Ok(Some(next.to_owned())), "{name}");
        }
    }

    #[test]
    fn links_that_are_not_the_next_page_are_none() {
        for link in [
            "",
            "garbage",
            r#"<?a>; rel="prev""#,
            r#"<?a>; title="; rel=next"; rel="prev""#,
            "<https://docs.test/?a>",
            "</v2/>",
            "<?a",
            r#"<?a>; rel="nextish""#,
        ] {
            assert_eq!(follow(link), Ok(None), "{link}");
        }
    }

    #[test]
    fn links_without_a_query_lead_to_the_list_itself_and_unreadable_ones_nowhere() {
        let list = Some("https://r.test/v2/a/b/tags/list".to_owned());
        for link in ["</v2/x>; rel=next", "<file:///etc/passwd>; rel=next"] {
            assert_eq!(follow(link), Ok(list.clone()), "{link}");
        }
        for link in ["<>; rel=next", "<https://[?a>; rel=next"] {
            assert_eq!(follow(link), Err(UnsafeUrl::Unreadable("Link")), "{link}");
        }
        let long = format!("</?{}>; rel=next", "x".repeat(limits::URL_BYTES));
        assert_eq!(follow(&long), Err(UnsafeUrl::TooLong { header: "Link" }));
    }

    proptest! {
        #[test]
        fn whatever_the_header_says_the_next_page_is_ours(link in "[ -~]{0,80}") {
            if let Ok(Some(next)) = follow(&link) {
                prop_assert!(next.starts_with("https://r.test/v2/a/b/tags/list"));
            }
        }

        #[test]
        fn a_written_query_is_read_back(query in "[a-zA-Z0-9=&_%-]{1,40}") {
            let next = follow(&format!("</v2/x?{query}>; rel=\"next\"")).unwrap();
            prop_assert_eq!(next, Some(format!("https://r.test/v2/a/b/tags/list?{query}")));
        }
    }
}
