// SPDX-License-Identifier: Apache-2.0

//! The way back: which names at the source may stand behind a name at a destination.
//!
//! Registries that take upper and lower case for one are thought of: case does not matter here.

use super::{
    Part, Piece, PreviousTagPart, PreviousTagTemplate, RepositoryPart, RepositoryTemplate, TagPart,
    TagTemplate, Template, registry_text,
};
use crate::oci::{Registry, Repository, Tag};

/// What must stand for the placeholders of a template, so that it gives a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin<'a, P> {
    /// It never gives this name.
    Never,
    /// It does where this one placeholder stands for this text.
    Where(P, &'a str),
    /// It may.
    Maybe,
}

// === impl RepositoryTemplate ===

impl RepositoryTemplate {
    /// Whether a repository of this registry may get such a name, if `may_be` says whether a text may be the
    /// name of the repository.
    pub fn may_give(
        &self,
        registry: &Registry,
        name: &Repository,
        may_be: impl Fn(&str) -> bool,
    ) -> bool {
        let known = |part| match part {
            RepositoryPart::Registry => Some(registry_text(registry)),
            RepositoryPart::Repository | RepositoryPart::Namespace | RepositoryPart::Name => None,
        };
        match self.0.origin(name.as_str(), known) {
            Origin::Never => false,
            Origin::Where(RepositoryPart::Repository, repository) => may_be(repository),
            Origin::Where(_, _) | Origin::Maybe => true,
        }
    }
}

// === impl TagTemplate ===

impl TagTemplate {
    /// Whether this tag may get such a name, whatever its digest is.
    pub fn may_give(&self, tag: &Tag, name: &str) -> bool {
        let known = |part| match part {
            TagPart::Tag => Some(tag.as_str().to_owned()),
            TagPart::Digest12 => None,
        };
        self.0.origin(&name.to_ascii_lowercase(), known) != Origin::Never
    }

    /// Whether any tag may get such a name of which `may_be` says that it may be one. The text that it is
    /// asked for is in lower case.
    pub fn may_give_any(&self, name: &str, may_be: impl Fn(&str) -> bool) -> bool {
        match self.0.origin(&name.to_ascii_lowercase(), |_| None) {
            Origin::Never => false,
            Origin::Where(TagPart::Tag, tag) => may_be(tag),
            Origin::Where(TagPart::Digest12, _) | Origin::Maybe => true,
        }
    }
}

// === impl PreviousTagTemplate ===

impl PreviousTagTemplate {
    /// Whether the name may be that of what a tag named before, if `may_be` says whether a text, in lower
    /// case, may be that tag.
    pub fn may_give(&self, name: &str, may_be: impl Fn(&str) -> bool) -> bool {
        match self.0.origin(&name.to_ascii_lowercase(), |_| None) {
            Origin::Never => false,
            Origin::Where(PreviousTagPart::Tag, tag) => may_be(tag),
            Origin::Maybe => true,
        }
    }
}

// === impl Template ===

impl<P: Part> Template<P> {
    /// What must stand for the placeholders of which nothing is known. The name is in lower case.
    fn origin<'a>(&self, name: &'a str, known: impl Fn(P) -> Option<String>) -> Origin<'a, P> {
        // The texts around the unknown placeholders: one more than there are of those.
        let mut texts = vec![String::new()];
        let mut unknown = Vec::new();
        for piece in &self.pieces {
            let text = match piece {
                Piece::Text(text) => Some(text.clone()),
                Piece::Part(part) => known(*part),
            };
            match (text, piece) {
                (Some(text), _) => {
                    if let Some(last) = texts.last_mut() {
                        last.push_str(&text.to_ascii_lowercase());
                    }
                }
                (None, Piece::Part(part)) => {
                    unknown.push(*part);
                    texts.push(String::new());
                }
                (None, Piece::Text(_)) => {}
            }
        }
        let [first, others @ ..] = texts.as_slice() else {
            return Origin::Never;
        };
        let Some((last, between)) = others.split_last() else {
            return if name == first {
                Origin::Maybe
            } else {
                Origin::Never
            };
        };
        let middle = name.strip_prefix(first.as_str());
        let Some(middle) = middle.and_then(|rest| rest.strip_suffix(last.as_str())) else {
            return Origin::Never;
        };
        if let [part] = unknown.as_slice() {
            return Origin::Where(*part, middle);
        }
        if are_in(between, middle) {
            Origin::Maybe
        } else {
            Origin::Never
        }
    }
}

/// Whether these stand in a text one behind the other.
fn are_in(texts: &[String], mut rest: &str) -> bool {
    texts
        .iter()
        .all(|text| match rest.split_once(text.as_str()) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oci::Digest;

    #[test]
    fn what_may_stand_behind_a_repository() {
        let registry: Registry = "quay.io".parse().unwrap();
        for (template, name, expected) in [
            ("mirror/{repository}", "mirror/team/app", "team/app"),
            ("mirror/{repository}", "other/team/app", "never"),
            ("mirror/{repository}", "mirror", "never"),
            ("{registry}/{repository}", "quay.io/team/app", "team/app"),
            ("{registry}/{repository}", "docker.io/team/app", "never"),
            ("{namespace}-{name}", "team-app", "maybe"),
            ("{namespace}-{name}", "team", "never"),
            ("all/{name}", "all/app", "maybe"),
            ("all/{name}", "some/app", "never"),
            ("fixed", "fixed", "maybe"),
            ("fixed", "other", "never"),
        ] {
            let parsed = RepositoryTemplate::parse(template).unwrap();
            let asked = std::cell::RefCell::new(None);
            let may = |answer: bool| {
                parsed.may_give(&registry, &name.parse().unwrap(), |text| {
                    *asked.borrow_mut() = Some(text.to_owned());
                    answer
                })
            };
            let found = match (may(true), may(false)) {
                (true, true) => "maybe".to_owned(),
                (true, false) => asked.take().unwrap(),
                (false, _) => "never".to_owned(),
            };
            assert_eq!(found, expected, "{template} {name}");
        }
    }

    #[test]
    fn what_may_stand_behind_a_tag() {
        for (template, name, tag, is_it) in [
            ("v{tag}", "v1.2", "1.2", true),
            ("v{tag}", "1.2", "1.2", false),
            ("{tag}", "1.0-ALPINE", "1.0-alpine", true),
            ("{tag}-{digest12}", "1.2-0123456789ab", "1.2", true),
            ("{tag}-{digest12}", "1.3-0123456789ab", "1.2", false),
            ("{digest12}", "0123456789ab", "1.2", true),
            ("fixed", "fixed", "1.2", true),
            ("fixed", "other", "1.2", false),
        ] {
            let parsed = TagTemplate::parse(template).unwrap();
            let tag: Tag = tag.parse().unwrap();
            assert_eq!(parsed.may_give(&tag, name), is_it, "{template} {name}");
            let any = parsed.may_give_any(name, |text| tag.as_str().eq_ignore_ascii_case(text));
            assert!(any >= is_it, "{template} {name}");
        }
        let previous = PreviousTagTemplate::parse("{tag}-previous").unwrap();
        assert!(previous.may_give("1.2-previous", |tag| tag == "1.2"));
        assert!(!previous.may_give("1.2", |_| true));
    }

    proptest! {
        /// Whatever a template gives, it may give.
        #[test]
        fn what_is_given_may_be_given(
            template in "[a-z]{0,3}(\\{tag\\}|\\{digest12\\})[a-z]{0,2}(\\{tag\\}|\\{digest12\\})?",
            tag in "[a-zA-Z0-9]{1,9}",
        ) {
            let template = TagTemplate::parse(&template).unwrap();
            let tag: Tag = tag.parse().unwrap();
            let digest = Digest::sha256(b"x");
            let given = template.expand(&tag, Some(&digest)).unwrap().unwrap();
            prop_assert!(template.may_give(&tag, given.as_str()));
            let is_it = |text: &str| tag.as_str().eq_ignore_ascii_case(text);
            prop_assert!(template.may_give_any(given.as_str(), is_it));
        }
    }
}
