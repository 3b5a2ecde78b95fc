// SPDX-License-Identifier: Apache-2.0

//! The little XML in which STS answers: elements by their names, without attributes.

use secrecy::SecretString;

/// The text of the first element with this name; nothing where there is none, or where it is empty.
pub(super) fn text(xml: &str, element: &str) -> Option<SecretString> {
    let inner = inner(xml, element)?.trim();
    if inner.is_empty() || inner.contains('<') {
        return None;
    }
    Some(unescape(inner).into())
}

/// What stands in the first element with this name.
pub(super) fn inner<'a>(xml: &'a str, element: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{element}>"))?;
    let (inner, _) = rest.split_once(&format!("</{element}>"))?;
    Some(inner)
}

fn unescape(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    entities
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| {
            text.replace(entity, character)
        })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn elements_by_their_names() {
        let xml = "<A><B> x&amp;lt;&lt; </B><B>y</B><C></C><D><E>z</E></D><F>open</A>";
        let cases = [
            ("B", Some("x&lt;<")),
            ("C", None),
            ("D", None),
            ("E", Some("z")),
            ("F", None),
            ("G", None),
        ];
        for (element, expected) in cases {
            let found = text(xml, element);
            let found = found.as_ref().map(ExposeSecret::expose_secret);
            assert_eq!(found, expected, "{element}");
        }
        assert_eq!(inner(xml, "D"), Some("<E>z</E>"));
    }
}
