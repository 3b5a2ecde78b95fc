//! The next page of a listing: the `Link` header (RFC 8288; distribution specification, listing tags).

use reqwest::header::{HeaderMap, HeaderValue, LINK};
use url::Url;

use super::origin::{self, UnsafeUrl};

/// The URL of the next page, where there is one.
///
/// Only the query is taken from the link: Artifactory and Nexus write paths there that do not exist,
/// and a registry has no business to send us to another repository.
pub fn next_page(headers: &HeaderMap, current: &Url) -> Result<Option<Url>, UnsafeUrl> {
    let linked = match find(headers, is_next) {
        Some(target) => own_url(target, current)?,
        // Some write no relation at all and mean the next page; peers never look at it.
        None => match find(headers, has_no_relation).map(|target| own_url(target, current)) {
            Some(Ok(linked)) if linked.query().is_some() => linked,
            Some(_) | None => return Ok(None),
        },
    };
    let mut next = current.clone();
    next.set_query(linked.query());
    Ok(Some(next))
}

fn own_url(target: &str, current: &Url) -> Result<Url, UnsafeUrl> {
    let value = HeaderValue::from_str(target).ok();
    origin::own_url("Link", value.as_ref(), current)
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
    let mut quoted = false;
    let mut escaped = false;
    for (place, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => return place,
            _ => {}
        }
    }
    text.len()
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
    let parameters = parameters
        .split(';')
        .filter_map(|text| text.split_once('='));
    parameters
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"))
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            "<https://docs.test/?a>",
            "</v2/>",
            "<?a",
            r#"<?a>; rel="nextish""#,
        ] {
            assert_eq!(follow(link), Ok(None), "{link}");
        }
    }

    #[test]
    fn links_that_lead_elsewhere_are_refused() {
        for link in [
            "<http://169.254.169.254/latest>; rel=next",
            "<https://evil.test/v2/a/b/tags/list?n=10>; rel=next",
            "<//evil.test/?n=10>; rel=next",
            "<http://r.test/v2/a/b/tags/list?n=10>; rel=next",
            "<https://r.test:8443/v2/a/b/tags/list>; rel=next",
            "<https://user@r.test/v2/a/b/tags/list>; rel=next",
            "<file:///etc/passwd>; rel=next",
            "<>; rel=next",
        ] {
            assert!(follow(link).is_err(), "{link}");
        }
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
