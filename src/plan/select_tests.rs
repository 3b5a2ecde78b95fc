// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;

use super::*;
use crate::plan::mirror::RepositorySelector;
use crate::plan::naming::Naming;
use crate::plan::policy::Policy;
use crate::policy::select::{Newest, NewestBy, NewestPer, NewestVariants, Prereleases, Versions};
use crate::policy::{Pattern, Range, TagGlob};

/// An entry with these tags and globs.
fn entry(tags: &[&str], policies: Vec<Policy>) -> ImageEntry {
    let selector = |text: &&str| match (text.split_once('@'), text.parse()) {
        (Some((tag, digest)), _) => {
            TagSelector::Pinned(tag.parse().unwrap(), digest.parse().unwrap())
        }
        (None, Ok(tag)) => TagSelector::Literal(tag),
        (None, Err(_)) => TagSelector::Glob(TagGlob::parse(text).unwrap()),
    };
    ImageEntry {
        repository: RepositorySelector::Literal("a/b".parse().unwrap()),
        tags: tags.iter().map(selector).collect(),
        absent: AbsentTag::Fail,
        rules: None,
        policies: policies.into_iter().map(Arc::new).collect(),
        naming: Naming::default(),
    }
}

fn policy(name: &str, rules: Option<Rules>) -> Policy {
    Policy {
        name: name.parse().unwrap(),
        rules,
        gates: None,
        retain: None,
    }
}

fn including(name: &str, pattern: &str) -> Policy {
    let rules = Rules {
        include: vec![Pattern::parse(pattern).unwrap()],
        ..Rules::default()
    };
    policy(name, Some(rules))
}

fn ranging(name: &str, range: &str) -> Policy {
    let rules = Rules {
        versions: Some(Versions {
            range: Range::parse(range).unwrap(),
            prereleases: Prereleases::Exclude,
        }),
        ..Rules::default()
    };
    policy(name, Some(rules))
}

/// The tag of a list of referrers.
fn list() -> Tag {
    Tag::of_referrers(&crate::oci::Digest::sha256(b"list"), "").unwrap()
}

/// The wanted tags with the policies that select them, then each other tag with its reason.
fn outcome(entry: &ImageEntry, listing: &[&str]) -> Vec<String> {
    let listing: Vec<Tag> = listing.iter().map(|tag| tag.parse().unwrap()).collect();
    let lists = BTreeSet::from([list()]);
    let selected = entry.select(&listing, &lists, &Times::default()).unwrap();
    let wanted = selected.tags.iter().map(|wanted| {
        let Wanted {
            tag,
            selected_by,
            pin,
            is_optional,
        } = wanted;
        let pin = pin.as_ref().map(|digest| format!("@{}", digest.short()));
        let optional = if *is_optional { "?" } else { "" };
        let selectors: Vec<String> = selected_by.iter().map(ToString::to_string).collect();
        let selectors = match selectors.as_slice() {
            [] => String::new(),
            selectors => format!("({})", selectors.join(",")),
        };
        format!("{tag}{}{optional}{selectors}", pin.unwrap_or_default())
    });
    let wanted: Vec<String> = wanted.collect();
    let others = selected
        .excluded
        .iter()
        .map(|(tag, reason)| format!("{tag}: {reason}"));
    std::iter::once(wanted.join(" ")).chain(others).collect()
}

#[test]
fn literal_tags_pass_although_no_policy_selects_them() {
    let entry = entry(&["latest", "3.*"], vec![ranging("stable", ">=3.20")]);
    assert_eq!(
        outcome(&entry, &["3.19", "3.20", "3.21-rc1", "edge", "latest"]),
        [
            "3.20(stable) latest",
            "3.19: stable: outside of >=3.20",
            "3.21-rc1: stable: is a prerelease",
            "edge: not among the entry's tags",
        ]
    );
}

#[test]
fn literal_tags_add_to_what_policies_select() {
    let entry = entry(&["latest", "edge"], vec![ranging("stable", ">=3.20")]);
    assert!(entry.needs_listing());
    assert_eq!(
        outcome(&entry, &["3.19", "3.20", "latest", "testing"]),
        [
            "3.20(stable) edge latest",
            "3.19: stable: outside of >=3.20",
            "testing: stable: is not a version",
        ]
    );
}

#[test]
fn literal_tags_stand_alone_where_policies_only_check() {
    let entry = entry(&["latest"], vec![policy("signed", None)]);
    assert!(!entry.needs_listing());
    assert_eq!(
        outcome(&entry, &["3.20", "latest"]),
        ["latest", "3.20: not among the entry's tags"]
    );
}

#[test]
fn literal_tags_need_not_be_listed() {
    assert_eq!(outcome(&entry(&["3.20"], Vec::new()), &[]), ["3.20"]);
}

#[test]
fn without_tags_every_listed_tag_is_a_candidate() {
    let entry = entry(&[], vec![including("all", ".*")]);
    assert_eq!(outcome(&entry, &["b", "a"]), ["a(all) b(all)"]);
}

#[test]
fn without_a_policy_that_selects_all_candidates_pass() {
    let entry = entry(&["3.*"], vec![policy("signed", None)]);
    assert_eq!(
        outcome(&entry, &["3.20", "4.0"]),
        ["3.20", "4.0: not among the entry's tags"]
    );
}

#[test]
fn one_policy_that_selects_suffices() {
    let entry = entry(
        &[],
        vec![
            ranging("new", ">=2"),
            including("lts", ".*-lts"),
            policy("signed", None),
        ],
    );
    assert_eq!(
        outcome(&entry, &["1.0", "1.0-lts", "2.0", "2.0-lts"]),
        [
            "1.0-lts(lts) 2.0(new) 2.0-lts(new,lts)",
            "1.0: new: outside of >=2; lts: matches no include pattern",
        ]
    );
}

#[test]
fn referrers_are_never_candidates_unless_they_are_written() {
    let (list, hex) = (list(), "0".repeat(64));
    for suffix in [
        ".sig",
        ".att",
        ".sbom",
        ".src",
        ".git",
        ".vex",
        ".dockerfile",
    ] {
        let attached = format!("sha256-{hex}{suffix}");
        let listing = [attached.as_str(), list.as_str(), "1.0"];
        let mut excluded = [attached.as_str(), list.as_str()]
            .map(|tag| format!("{tag}: is copied with its image"));
        excluded.sort();
        let [first, second] = excluded;
        assert_eq!(
            outcome(&entry(&["*"], Vec::new()), &listing),
            ["1.0".to_owned(), first, second]
        );
    }
    let signature = format!("sha256-{hex}.sig");
    let listing = [signature.as_str(), "1.0"];
    assert_eq!(
        outcome(&entry(&[signature.as_str()], Vec::new()), &listing),
        [
            signature.clone(),
            "1.0: not among the entry's tags".to_owned()
        ]
    );
}

#[test]
fn an_image_that_has_no_other_tag_than_its_digest_is_a_candidate() {
    let image = format!("sha256-{}", "0".repeat(64));
    let (list, signature) = (list(), format!("{image}.sig"));
    let listing = [image.as_str(), list.as_str(), signature.as_str(), "1.0"];
    let doubtful = |entry: &ImageEntry| {
        let listing = listing.map(|tag| tag.parse().unwrap());
        let tags: Vec<String> = entry.doubtful(&listing).map(Tag::to_string).collect();
        tags
    };
    let all = entry(&["*"], Vec::new());
    assert_eq!(doubtful(&all), [image.as_str(), list.as_str()]);
    assert_eq!(outcome(&all, &listing)[0], format!("1.0 {image}"));
    for entry in [
        entry(&["1.*"], Vec::new()),
        entry(&[], vec![ranging("new", ">=1")]),
    ] {
        assert_eq!(doubtful(&entry), [""; 0], "nobody asks what they name");
    }
    let literal = entry(&[image.as_str()], Vec::new());
    assert_eq!(doubtful(&literal), [""; 0], "a person wrote it");
}

#[test]
fn the_rules_of_an_entry_select_beside_those_of_its_policies() {
    let own = |policies| ImageEntry {
        rules: ranging("own", ">=2").rules,
        ..entry(&["edge"], policies)
    };
    assert!(own(Vec::new()).needs_listing());
    assert_eq!(
        outcome(&own(Vec::new()), &["1.0", "2.0", "edge"]),
        ["2.0(select) edge", "1.0: select: outside of >=2"]
    );
    let lts = including("lts", ".*-lts");
    assert_eq!(
        outcome(&own(vec![lts]), &["1.0", "1.0-lts", "2.0-lts"]),
        [
            "1.0-lts(lts) 2.0-lts(select,lts) edge",
            "1.0: select: outside of >=2; lts: matches no include pattern",
        ]
    );
    let mut few = own(Vec::new());
    few.rules.as_mut().unwrap().limit = Some(0);
    let listing = ["2.0".parse().unwrap()];
    let error = few.select(&listing, &BTreeSet::new(), &Times::default());
    assert_eq!(
        error.unwrap_err().to_string(),
        "select: 1 tags are selected, more than the limit of 0: narrow the selection or raise the limit"
    );
}

#[test]
fn pinned_tags_are_literals_that_say_their_digest() {
    let digest = crate::oci::Digest::sha256(b"");
    let pinned = format!("1.27@{digest}");
    let entry = entry(&[pinned.as_str(), "2.*"], Vec::new());
    assert_eq!(
        outcome(&entry, &["1.27", "1.28", "2.0"]),
        ["1.27@e3b0c44298fc 2.0", "1.28: not among the entry's tags"]
    );
}

#[test]
fn literal_tags_are_optional_where_the_entry_says_so() {
    let entry = ImageEntry {
        absent: AbsentTag::Skip,
        ..entry(&["edge", "3.*"], Vec::new())
    };
    assert_eq!(outcome(&entry, &["3.20"]), ["3.20 edge?"]);
}

#[test]
fn times_of_builds_are_asked_of_what_the_other_rules_leave() {
    let rules = Rules {
        newest: Some(Newest {
            count: 1,
            by: NewestBy::Created,
            per: NewestPer::All,
            variants: NewestVariants::Separate,
        }),
        ..including("own", "[0-9a-f]+").rules.unwrap()
    };
    let listing = ["a1", "b2", "latest", "c3"].map(|tag| tag.parse().unwrap());
    let dated = ImageEntry {
        rules: Some(rules),
        ..entry(&["c3"], vec![including("others", "l.*")])
    };
    let undated: Vec<String> = dated
        .undated(&listing, &BTreeSet::new())
        .iter()
        .map(Tag::to_string)
        .collect();
    assert_eq!(undated, ["a1", "b2"]);
    assert!(
        entry(&[], vec![including("others", ".*")])
            .undated(&listing, &BTreeSet::new())
            .is_empty()
    );
    let created = |tag: &str, second| {
        (
            tag.parse().unwrap(),
            Timestamp::from_second(second).unwrap(),
        )
    };
    let times = Times {
        created: HashMap::from([created("a1", 9), created("b2", 5)]),
        ..Times::default()
    };
    let selected = dated.select(&listing, &BTreeSet::new(), &times).unwrap();
    let tags: Vec<&str> = selected
        .tags
        .iter()
        .map(|wanted| wanted.tag.as_str())
        .collect();
    assert_eq!(tags, ["a1", "c3", "latest"]);
}

#[test]
fn more_than_a_policy_allows_is_an_error() {
    let mut policy = including("few", ".*");
    policy.rules.as_mut().unwrap().limit = Some(1);
    let listing = ["a".parse().unwrap(), "b".parse().unwrap()];
    let error = entry(&[], vec![policy]).select(&listing, &BTreeSet::new(), &Times::default());
    assert_eq!(
        error.unwrap_err().to_string(),
        "policy \"few\": 2 tags are selected, more than the limit of 1: narrow the selection or raise the limit"
    );
}
