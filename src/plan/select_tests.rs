use std::sync::Arc;

use super::*;
use crate::plan::mirror::RepositorySelector;
use crate::policy::select::{Prereleases, Versions};
use crate::policy::{Pattern, Range, TagGlob};

/// An entry with these tags and globs.
fn entry(tags: &[&str], policies: Vec<Policy>) -> ImageEntry {
    let selector = |text: &&str| match text.parse() {
        Ok(tag) => TagSelector::Literal(tag),
        Err(_) => TagSelector::Glob(TagGlob::parse(text).unwrap()),
    };
    ImageEntry {
        repository: RepositorySelector::Literal("a/b".parse().unwrap()),
        tags: tags.iter().map(selector).collect(),
        policies: policies.into_iter().map(Arc::new).collect(),
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

/// The wanted tags with the policies that select them, then each other tag with its reason.
fn outcome(entry: &ImageEntry, listing: &[&str]) -> Vec<String> {
    let listing: Vec<Tag> = listing.iter().map(|tag| tag.parse().unwrap()).collect();
    let selected = entry.select(&listing, &HashMap::new()).unwrap();
    let wanted = selected.tags.iter().map(|Wanted { tag, policies }| {
        let policies: Vec<&str> = policies.iter().map(ObjectName::as_str).collect();
        match policies.as_slice() {
            [] => tag.to_string(),
            policies => format!("{tag}({})", policies.join(",")),
        }
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
    let signature = format!("sha256-{}.sig", "0".repeat(64));
    let listing = [signature.as_str(), "1.0"];
    assert_eq!(
        outcome(&entry(&["*"], Vec::new()), &listing),
        [
            "1.0".to_owned(),
            format!("{signature}: is copied with its image"),
        ]
    );
    assert_eq!(
        outcome(&entry(&[signature.as_str()], Vec::new()), &listing),
        [
            signature.clone(),
            "1.0: not among the entry's tags".to_owned()
        ]
    );
}

#[test]
fn more_than_a_policy_allows_is_an_error() {
    let mut policy = including("few", ".*");
    policy.rules.as_mut().unwrap().limit = Some(1);
    let listing = ["a".parse().unwrap(), "b".parse().unwrap()];
    let error = entry(&[], vec![policy]).select(&listing, &HashMap::new());
    assert_eq!(
        error.unwrap_err().to_string(),
        "policy \"few\": 2 tags are selected, more than the limit of 1: narrow the selection or raise the limit"
    );
}
