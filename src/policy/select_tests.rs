// SPDX-License-Identifier: Apache-2.0

//! Real tag lists and what comes of them; the cases stand in `select_cases`, by what the images are.
//!
//! ```text
//! Title, said once
//! rules  semver >=1; prereleases; newest 2 by name per minor together; exclude .*-rc.*; extract jdk-(.*) as $1
//! tags   1.0 1.1@5                 1.1 was first seen, or built, in second 5
//! taken  the tags that are selected
//! out    a reason: the tags that it keeps out; a line for each reason
//! ```
//!
//! `fails` stands in place of `taken` and `out` where the rules end in an error.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

/// The cases.
const CASES: [&str; 15] = [
    include_str!("select_cases/base_images.txt"),
    include_str!("select_cases/languages.txt"),
    include_str!("select_cases/databases.txt"),
    include_str!("select_cases/kubernetes.txt"),
    include_str!("select_cases/applications.txt"),
    include_str!("select_cases/builds.txt"),
    include_str!("select_cases/extract.txt"),
    include_str!("select_cases/rules.txt"),
    include_str!("select_cases/vendors.txt"),
    include_str!("select_cases/machine_learning.txt"),
    include_str!("select_cases/data.txt"),
    include_str!("select_cases/platforms.txt"),
    include_str!("select_cases/teams_and_homes.txt"),
    include_str!("select_cases/gateways_and_guards.txt"),
    include_str!("select_cases/builders.txt"),
];
/// How many there are: a case that is not read is not tested.
const COUNT: usize = 650;

/// Reads rules such as `semver >=1; prereleases; newest 2 by name per minor; exclude .*-rc.*`.
fn rules(text: &str) -> Rules {
    let mut rules = Rules::default();
    for rule in text.split("; ") {
        let (word, rest) = rule.split_once(' ').unwrap_or((rule, ""));
        match word {
            "include" => rules.include.push(Pattern::parse(rest).unwrap()),
            "exclude" => rules.exclude.push(Pattern::parse(rest).unwrap()),
            "semver" => {
                rules.versions = Some(Versions {
                    range: Range::parse(rest).unwrap(),
                    prereleases: Prereleases::Exclude,
                });
            }
            "prereleases" => {
                rules.versions.as_mut().unwrap().prereleases = Prereleases::Include;
            }
            "extract" => {
                let (pattern, value) = rest.split_once(" as ").unwrap();
                rules.extract = Some(Extract::parse(pattern, value).unwrap());
            }
            "newest" => rules.newest = Some(newest(rest)),
            "limit" => rules.limit = Some(rest.parse().unwrap()),
            _ => panic!("{rule} is no rule"),
        }
    }
    rules
}

fn newest(text: &str) -> Newest {
    let count = text.split(' ').next().unwrap().parse().unwrap();
    let by = if text.contains("by name") {
        NewestBy::Name
    } else if text.contains("by first seen") {
        NewestBy::FirstSeen
    } else if text.contains("by number") {
        NewestBy::Number
    } else if text.contains("by created") {
        NewestBy::Created
    } else {
        NewestBy::Version
    };
    let per = if text.contains("per major") {
        NewestPer::Major
    } else if text.contains("per minor") {
        NewestPer::Minor
    } else {
        NewestPer::All
    };
    let variants = if text.contains("together") {
        NewestVariants::Together
    } else {
        NewestVariants::Separate
    };
    Newest {
        count,
        by,
        per,
        variants,
    }
}

/// Reads tags, divided by spaces; `a@5` was first seen, and built, in second 5.
fn candidates(text: &str) -> Vec<Candidate> {
    text.split(' ')
        .map(|word| {
            let (tag, time) = word.split_once('@').unwrap_or((word, ""));
            let time = time.parse().ok();
            let time = time.map(|second| Timestamp::from_second(second).unwrap());
            Candidate {
                tag: tag.parse().unwrap(),
                first_seen: time,
                created: time,
            }
        })
        .collect()
}

/// The selected tags, then each reason with the tags that it keeps out.
fn describe(selection: &Selection) -> String {
    let Selection { selected, excluded } = selection;
    let selected: Vec<String> = selected.iter().map(ToString::to_string).collect();
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (tag, exclusion) in excluded {
        let reason = exclusion.to_string();
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, tags)) => tags.push(tag.as_str()),
            None => groups.push((reason, vec![tag.as_str()])),
        }
    }
    let mut text = selected.join(" ");
    for (reason, tags) in groups {
        text += "; ";
        text += &reason;
        text += ": ";
        text += &tags.join(" ");
    }
    text
}

fn outcome(rules_text: &str, tags: &str) -> String {
    match rules(rules_text).select(&candidates(tags)) {
        Ok(selection) => describe(&selection),
        Err(error) => error.to_string(),
    }
}

#[test]
fn real_tag_lists() {
    let mut titles = BTreeSet::new();
    let mut asked = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in CASES
        .iter()
        .flat_map(|cases| cases.trim_end().split("\n\n"))
    {
        let lines = |word: &str| -> Vec<&str> {
            let rest = case.lines().filter_map(|line| line.strip_prefix(word));
            rest.map(str::trim).collect()
        };
        let [rules, tags] = ["rules ", "tags "].map(|word| lines(word).join(""));
        let expected = match lines("fails ").as_slice() {
            [] => [lines("taken"), lines("out ")].concat().join("; "),
            fails => fails.join(""),
        };
        let found = outcome(&rules, &tags);
        if found != expected {
            wrong.push(format!("{case}\nfound  {found}\n"));
        }
        titles.insert(case.lines().next());
        asked.insert((rules, tags));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((titles.len(), asked.len()), (COUNT, COUNT));
}

fn any_rules() -> impl Strategy<Value = String> {
    (
        "(include \\.\\*; )?",
        "(exclude \\.\\*-rc\\.\\*; )?",
        "(semver (>=1|[0-2]\\.x|~1\\.2)(; prereleases)?; )?",
        "(extract v\\?\\(\\.\\*\\) as \\$1; )?",
        "newest [1-9]( by (name|first seen|number|created))?( per (major|minor))?( together)?",
    )
        .prop_map(|(include, exclude, semver, extract, newest)| {
            format!("{include}{exclude}{semver}{extract}{newest}")
        })
}

proptest! {
    #[test]
    fn selecting_again_changes_nothing(
        rules_text in any_rules(),
        tags in proptest::collection::btree_map(
            "v?[0-2]\\.[0-3](\\.[0-3])?(-(rc[12]|alpine|slim))?|[0-9]{1,3}|latest|edge",
            "(@[0-9])?",
            1..30,
        ),
    ) {
        let tags: Vec<String> = tags.into_iter().map(|(tag, seen)| tag + &seen).collect();
        let candidates = candidates(&tags.join(" "));
        let rules = rules(&rules_text);
        let first = rules.select(&candidates).unwrap();
        prop_assert_eq!(first.selected.len() + first.excluded.len(), candidates.len());

        let kept: Vec<Candidate> = candidates
            .into_iter()
            .filter(|candidate| first.selected.contains(&candidate.tag))
            .collect();
        let second = rules.select(&kept).unwrap();
        prop_assert!(second.excluded.is_empty(), "{:?}", second.excluded);
    }

    #[test]
    fn the_order_of_the_listing_does_not_matter(
        rules_text in any_rules(),
        tags in proptest::collection::btree_set("v?[0-2]\\.[0-3](\\.[0-3])?(-(rc1|alpine))?|latest", 1..30),
        turn in 0_usize..30,
    ) {
        let mut tags: Vec<String> = tags.into_iter().collect();
        let rules = rules(&rules_text);
        let select = |tags: &[String]| {
            let mut selected = rules.select(&candidates(&tags.join(" "))).unwrap().selected;
            selected.sort();
            selected
        };
        let first = select(&tags);
        let middle = turn % tags.len();
        tags.rotate_left(middle);
        prop_assert_eq!(select(&tags), first);
    }
}
