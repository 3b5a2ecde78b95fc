//! Tables: what is on record, what the round found, what becomes of it.
//!
//! A tag on record is written `1.0=a` with its digest, and behind that, each after a comma: `gone 30` it
//! was found unwanted 30 hours ago and last looked at one hour ago, `looked 9` it was last looked at 9 hours
//! ago, `seen 5` its digest was first seen 5 hours ago, `adopted`, `pending`, `from NAME` its source tag,
//! `of REPOSITORY` its source repository, `at REGISTRY` where it was written, `claimed` this round wants it.

use jiff::{SignedDuration, Timestamp};

use super::candidates::Standing;
use super::*;
use crate::api::Reason;
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::report::Failure;
use crate::plan::select::NotSelected;
use crate::plan::validate::documents;
use crate::plan::{Mirror, SourceImage};
use crate::policy::select::Exclusion;

const NOW: i64 = 2_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

/// A mirror of library/app and library/db, and of all of team, with this in `prune` and in `retain`.
fn mirror(prune: &str, retain: &str, destination: &str) -> Mirror {
    let comma = if destination.is_empty() { "" } else { ", " };
    let grace = if prune.contains("grace") {
        ""
    } else {
        "grace: 24h, "
    };
    let prune = if prune.is_empty() {
        "adopted: Keep"
    } else {
        prune
    };
    let retain = if retain.is_empty() {
        "keepNewest: 0"
    } else {
        retain
    };
    documents::mirror(&format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: base, namespace: platform}}
spec:
  source: {{registry: docker.io}}
  images:
    - {{repository: library/app, policyRefs: [{{name: keep}}]}}
    - {{repository: library/db, policyRefs: [{{name: plain}}]}}
    - {{repository: 'team/*', policyRefs: [{{name: plain}}]}}
  destinations:
    - {{name: eu, registry: r.example.com{comma}{destination}}}
  prune: {{mode: Delete, {grace}{prune}}}
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: keep, namespace: platform}}
spec:
  select: {{include: ['.*']}}
  retain: {{{retain}}}
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: plain, namespace: platform}}
spec:
  select: {{include: ['.*']}}
"
    ))
}

/// A tag on record that owns its parts.
struct Written {
    registry: Option<Registry>,
    repository: Repository,
    tag: Tag,
    source: SourceImage,
    digest: Digest,
    first_seen: Timestamp,
    standing: Standing,
    is_claimed: bool,
    unwanted: Option<Unwanted>,
}

fn unwanted(since: i64, seen: i64) -> Unwanted {
    Unwanted {
        cause: Cause::NotSelected,
        since: ago(since),
        seen: ago(seen),
        protected_by: None,
    }
}

fn written(text: &str) -> Written {
    let mut words = text.split(", ");
    let (tag, digest) = words.next().unwrap().split_once('=').unwrap();
    let mut written = Written {
        registry: Some("r.example.com".parse().unwrap()),
        repository: "library/app".parse().unwrap(),
        tag: tag.parse().unwrap(),
        source: SourceImage {
            registry: "docker.io".parse().unwrap(),
            repository: "library/app".parse().unwrap(),
            tag: tag.parse().unwrap(),
        },
        digest: Digest::sha256(digest.as_bytes()),
        first_seen: ago(1000),
        standing: Standing::Written,
        is_claimed: false,
        unwanted: None,
    };
    for word in words {
        let (name, value) = word.split_once(' ').unwrap_or((word, ""));
        let hours = || value.parse::<i64>().unwrap();
        match name {
            "gone" => written.unwanted = Some(unwanted(hours(), 1.min(hours()))),
            "looked" => written.unwanted.as_mut().unwrap().seen = ago(hours()),
            "seen" => written.first_seen = ago(hours()),
            "adopted" => written.standing = Standing::Adopted,
            "pending" => written.standing = Standing::Pending,
            "claimed" => written.is_claimed = true,
            "from" => written.source.tag = value.parse().unwrap(),
            "of" => {
                written.source.repository = value.parse().unwrap();
                written.repository = value.parse().unwrap();
            }
            "source" => written.source.registry = value.parse().unwrap(),
            "at" => written.registry = value.parse().ok(),
            "nowhere" => written.registry = None,
            _ => panic!("{word}"),
        }
    }
    written
}

impl Written {
    fn recorded(&self) -> Recorded<'_> {
        Recorded {
            target: Place {
                destination: "eu",
                registry: self.registry.as_ref(),
                repository: &self.repository,
                tag: &self.tag,
            },
            source: Some(self.source.clone()),
            source_digest: &self.digest,
            digest: &self.digest,
            first_seen: self.first_seen,
            standing: self.standing,
            is_claimed: self.is_claimed,
            unwanted: self.unwanted.as_ref(),
        }
    }
}

/// What was found of library/app: `2.0` is selected, `-1.0` excluded by a policy, `/1.0` not named.
fn selection(text: &str) -> Selection {
    let mut selection = Selection::default();
    let app: Repository = "library/app".parse().unwrap();
    let policies = NotSelected::Policies(vec![("keep".parse().unwrap(), Exclusion::NotIncluded)]);
    let mut selected: Vec<Tag> = Vec::new();
    let mut excluded: Vec<(Tag, NotSelected)> = Vec::new();
    for word in text.split_whitespace() {
        if let Some(tag) = word.strip_prefix('-') {
            excluded.push((tag.parse().unwrap(), policies.clone()));
        } else if let Some(tag) = word.strip_prefix('/') {
            excluded.push((tag.parse().unwrap(), NotSelected::NotNamed));
        } else {
            selected.push(word.parse().unwrap());
        }
    }
    let pairs = excluded.iter().map(|(tag, reason)| (tag, reason));
    selection.add(&app, true, selected.iter(), pairs);
    selection
}

fn found(mirror: &Mirror, selected: &str, recorded: &[&str], clock: Clock) -> Found {
    let written: Vec<Written> = recorded.iter().map(|text| self::written(text)).collect();
    let recorded: Vec<Recorded<'_>> = written.iter().map(Written::recorded).collect();
    find_candidates(mirror, &selection(selected), &recorded, clock, now())
}

/// Each candidate as `1.0 NotSelected due`, `waits`, or `kept: why`.
fn tell(found: &Found) -> String {
    let told: Vec<String> = found
        .candidates
        .iter()
        .map(|candidate| {
            let fate = match (&candidate.unwanted.protected_by, candidate.is_over) {
                (Some(by), _) => format!("kept: {by}"),
                (None, true) => "due".to_owned(),
                (None, false) => "waits".to_owned(),
            };
            let cause = candidate.unwanted.cause;
            format!("{} {cause} {fate}", candidate.target.tag)
        })
        .collect();
    told.join(" | ")
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn what_is_wanted_and_why_the_rest_is_not() {
    let cases: [(&str, &str, &[&str], &str, &str); 17] = [
        ("selected", "", &["1.0=a"], "1.0", ""),
        (
            "selected, and once it was not",
            "",
            &["1.0=a, gone 30"],
            "1.0",
            "",
        ),
        (
            "no policy selects it",
            "",
            &["1.0=a"],
            "2.0 -1.0",
            "1.0 NotSelected waits",
        ),
        (
            "not named",
            "",
            &["1.0=a"],
            "2.0 /1.0",
            "1.0 NotNamed waits",
        ),
        (
            "gone at the source",
            "",
            &["1.0=a"],
            "2.0",
            "1.0 SourceGone waits",
        ),
        (
            "its repository was taken out of the spec",
            "",
            &["1.0=a, of library/other"],
            "2.0",
            "1.0 RepositoryRemoved waits",
        ),
        (
            "its repository is not in the catalog: nobody can say",
            "",
            &["1.0=a, of team/app, gone 99"],
            "2.0",
            "",
        ),
        (
            "not looked at: nobody can say",
            "",
            &["1.0=a, of library/db, gone 99"],
            "2.0",
            "",
        ),
        (
            "the mirror has another source, and does not want it",
            "",
            &["1.0=a, source quay.io"],
            "2.0",
            "1.0 RepositoryRemoved waits",
        ),
        (
            "the mirror has another source, and this round wants it from there",
            "",
            &["1.0=a, source quay.io, claimed, gone 99"],
            "2.0",
            "",
        ),
        (
            "another name by now",
            "tags: ['v{tag}']",
            &["1.0=a", "v1.0=a, from 1.0"],
            "1.0",
            "1.0 Renamed waits",
        ),
        (
            "another repository by now",
            "repository: 'mirror/{repository}'",
            &["1.0=a, gone 30"],
            "1.0",
            "1.0 Renamed due",
        ),
        (
            "a version of a tag that is kept by its digest",
            "tags: ['{tag}-{digest12}']",
            &["1.0-ca978112ca1b=a, from 1.0, gone 99"],
            "1.0",
            "",
        ),
        (
            "a version of a tag that is not wanted any more",
            "tags: ['{tag}-{digest12}']",
            &["1.0-ca978112ca1b=a, from 1.0"],
            "2.0 -1.0",
            "1.0-ca978112ca1b NotSelected waits",
        ),
        (
            "the name under which a moved tag is kept",
            "previousTag: '{tag}-previous'",
            &["1.0-previous=a, from 1.0, gone 99"],
            "1.0",
            "",
        ),
        (
            "written to another registry",
            "",
            &["1.0=a, at old.example.com, gone 99"],
            "2.0",
            "",
        ),
        (
            "nobody knows where it was written",
            "",
            &["1.0=a, nowhere, gone 99"],
            "2.0",
            "",
        ),
    ];
    for (name, destination, recorded, selected, expected) in cases {
        let mirror = mirror("", "", destination);
        let found = found(&mirror, selected, recorded, Clock::Steady);
        assert_eq!(tell(&found), expected, "{name}");
    }
}

#[test]
fn how_a_tag_came_to_be_there_counts() {
    let kept = "1.0 SourceGone kept: it was there before: spec.prune.adopted is Keep";
    let cases = [
        ("written", "", "1.0=a, gone 30", "1.0 SourceGone due"),
        ("adopted", "", "1.0=a, gone 30, adopted", kept),
        (
            "adopted, and included",
            "adopted: Include",
            "1.0=a, gone 30, adopted",
            "1.0 SourceGone due",
        ),
        (
            "a push that nobody saw end",
            "",
            "1.0=a, gone 99, pending",
            "",
        ),
        (
            "the same, adopted or not",
            "adopted: Include",
            "1.0=a, gone 99, pending",
            "",
        ),
    ];
    for (name, prune, recorded, expected) in cases {
        let mirror = mirror(prune, "", "");
        let found = found(&mirror, "2.0", &[recorded], Clock::Steady);
        assert_eq!(tell(&found), expected, "{name}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn time_counts_that_was_seen() {
    use Clock::{Jumped, New, Steady};
    let year = 365 * 24;
    let behind = format!("1.0=a, gone {}, looked {}", 30 - year, 1 - year);
    let ahead = format!("1.0=a, gone {}, looked {year}", year + 2);
    let cases = [
        ("found for the first time", "1.0=a", "", Steady, "waits"),
        (
            "for the first time, without grace",
            "1.0=a",
            "grace: 0s",
            Steady,
            "waits",
        ),
        (
            "for the second time, without grace",
            "1.0=a, gone 0",
            "grace: 0s",
            Steady,
            "due",
        ),
        ("a minute too early", "1.0=a, gone 23", "", Steady, "waits"),
        (
            "at the end of the grace",
            "1.0=a, gone 24",
            "",
            Steady,
            "due",
        ),
        ("long after", "1.0=a, gone 99", "", Steady, "due"),
        ("by a new process", "1.0=a, gone 99", "", New, "due"),
        (
            "by one that did not run for a day",
            "1.0=a, gone 30, looked 29",
            "",
            New,
            "due",
        ),
        (
            "by one that did not run for a month",
            "1.0=a, gone 745, looked 744",
            "",
            New,
            "due",
        ),
        (
            "by one that did not run for longer",
            "1.0=a, gone 747, looked 746",
            "",
            New,
            "waits doubtful",
        ),
        (
            "the same, with a grace that is as long",
            "1.0=a, gone 747, looked 746",
            "grace: 746h",
            New,
            "due",
        ),
        (
            "the clock is a year ahead",
            ahead.as_str(),
            "",
            New,
            "waits doubtful",
        ),
        (
            "the same, and the process saw it",
            "1.0=a, gone 9000, looked 8999",
            "",
            Jumped,
            "waits doubtful",
        ),
        (
            "the clock is a year behind",
            behind.as_str(),
            "",
            New,
            "due doubtful",
        ),
        (
            "the same, before the grace had passed",
            "1.0=a, gone -8700, looked -8710",
            "",
            New,
            "waits doubtful",
        ),
        (
            "the same, and the process saw it",
            "1.0=a, gone -8700, looked -8710",
            "",
            Jumped,
            "waits doubtful",
        ),
        (
            "a clock that is behind, and said to be steady",
            "1.0=a, gone -10, looked -10",
            "",
            Steady,
            "waits doubtful",
        ),
    ];
    for (name, recorded, prune, clock, expected) in cases {
        let mirror = mirror(prune, "", "");
        let found = found(&mirror, "2.0", &[recorded], clock);
        let [candidate] = found.candidates.as_slice() else {
            panic!("{name}: {found:?}");
        };
        let is = if candidate.is_over { "due" } else { "waits" };
        let told = if found.is_clock_doubtful {
            format!("{is} doubtful")
        } else {
            is.to_owned()
        };
        assert_eq!(told, expected, "{name}");
        let Unwanted { since, seen, .. } = candidate.unwanted;
        assert!(since <= seen && seen <= now(), "{name}: {since} {seen}");
    }
}

#[test]
fn time_that_does_not_count_is_not_lost() {
    // Ten hours had passed when the clock went ahead by a year: fourteen are left.
    let mirror = mirror("", "", "");
    let found = found(
        &mirror,
        "2.0",
        &["1.0=a, gone 8770, looked 8760"],
        Clock::New,
    );
    let candidate = &found.candidates[0];
    assert_eq!(candidate.unwanted.since, ago(10));
    assert_eq!(candidate.unwanted.due(mirror.prune.grace), ago(-14));
}

#[test]
fn a_look_is_put_on_record_now_and_then() {
    let mirror = mirror("", "", "");
    let seen = |recorded: &str| {
        let found = found(&mirror, "2.0", &[recorded], Clock::Steady);
        found.candidates[0].unwanted.seen
    };
    assert_eq!(
        seen("1.0=a, gone 10, looked 5"),
        ago(5),
        "a quarter of the grace has not passed"
    );
    assert_eq!(seen("1.0=a, gone 10, looked 6"), now(), "a quarter of it");
    assert_eq!(
        seen("1.0=a, gone 25, looked 2"),
        now(),
        "all of it, for the first time"
    );
    assert_eq!(
        seen("1.0=a, gone 90, looked 60"),
        ago(60),
        "all of it, long ago"
    );
    assert_eq!(seen("1.0=a, gone 300, looked 200"), now(), "a week later");
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn policies_retain() {
    let cases: [(&str, &str, &[&str], &str); 17] = [
        (
            "by name",
            "keepTags: ['stable-*']",
            &["stable-1=a, gone 30"],
            "stable-1 SourceGone kept: policy keep: keepTags stable-*",
        ),
        (
            "by the name at the source",
            "keepTags: ['stable-*']",
            &["x=a, from stable-1, gone 30"],
            "x SourceGone kept: policy keep: keepTags stable-*",
        ),
        (
            "by another name",
            "keepTags: ['stable-*']",
            &["edge=a, gone 30"],
            "edge SourceGone due",
        ),
        (
            "before it is due, too",
            "keepTags: ['*']",
            &["edge=a"],
            "edge SourceGone kept: policy keep: keepTags *",
        ),
        (
            "the young",
            "keepYoungerThan: 720h",
            &["1.0=a, gone 30, seen 719"],
            "1.0 SourceGone kept: policy keep: keepYoungerThan 720h",
        ),
        (
            "not the old",
            "keepYoungerThan: 720h",
            &["1.0=a, gone 30, seen 720"],
            "1.0 SourceGone due",
        ),
        (
            "what is of the future",
            "keepYoungerThan: 720h",
            &["1.0=a, gone 30, seen -8760"],
            "1.0 SourceGone kept: policy keep: keepYoungerThan 720h",
        ),
        (
            "the newest by version",
            "keepNewest: 2",
            &["1.9=a, gone 30", "1.10=b, gone 30", "1.2=c, gone 30"],
            "1.10 SourceGone kept: policy keep: keepNewest 2 | 1.2 SourceGone due | 1.9 SourceGone kept: policy keep: keepNewest 2",
        ),
        (
            "wanted ones count among the newest",
            "keepNewest: 1",
            &["2.0=a", "1.9=b, gone 30"],
            "1.9 SourceGone due",
        ),
        (
            "within each variant",
            "keepNewest: 1",
            &["1.9=a, gone 30", "1.8-alpine=b, gone 30"],
            "1.8-alpine SourceGone kept: policy keep: keepNewest 1 | 1.9 SourceGone kept: policy keep: keepNewest 1",
        ),
        (
            "of what is no version, by first sight",
            "keepNewest: 1",
            &["edge=a, gone 30, seen 500", "main=b, gone 30, seen 400"],
            "edge SourceGone due | main SourceGone kept: policy keep: keepNewest 1",
        ),
        (
            "of equal versions, by first sight",
            "keepNewest: 1",
            &["1.0=a, gone 30, seen 500", "v1.0=b, gone 30, seen 400"],
            "1.0 SourceGone due | v1.0 SourceGone kept: policy keep: keepNewest 1",
        ),
        (
            "none of the newest",
            "keepNewest: 0",
            &["1.0=a, gone 30"],
            "1.0 SourceGone due",
        ),
        (
            "by any of the rules",
            "keepTags: [a], keepYoungerThan: 10h",
            &["a=a, gone 30", "b=b, gone 30, seen 5", "c=c, gone 30"],
            "a SourceGone kept: policy keep: keepTags a | b SourceGone kept: policy keep: keepYoungerThan 10h | c SourceGone due",
        ),
        (
            "rules before the way it came",
            "keepTags: ['*']",
            &["1.0=a, gone 30, adopted"],
            "1.0 SourceGone kept: policy keep: keepTags *",
        ),
        (
            "in a repository that no entry names any more",
            "keepTags: ['*']",
            &["1.0=a, of library/other, gone 30"],
            "1.0 RepositoryRemoved kept: policy keep: keepTags *",
        ),
        (
            "a tag that shares its digest with one that is kept",
            "keepTags: [a]",
            &["a=a, gone 30", "b=a, gone 30"],
            "a SourceGone kept: policy keep: keepTags a | b SourceGone due",
        ),
    ];
    for (name, retain, recorded, expected) in cases {
        let mirror = mirror("", retain, "");
        let found = found(&mirror, "2.0", recorded, Clock::Steady);
        assert_eq!(tell(&found), expected, "{name}");
    }
}

#[test]
fn tags_that_share_a_digest_are_named() {
    let mirror = mirror("", "", "");
    let recorded = ["1=a, gone 30", "2=a", "3=b", "4=a, gone 3"];
    let found = found(&mirror, "2", &recorded, Clock::Steady);
    let first: Vec<&str> = found.candidates[0]
        .shared_with
        .iter()
        .map(Tag::as_str)
        .collect();
    assert_eq!(first, ["2", "4"]);
}

/// Due tags of this many on record.
fn brakes(due: usize, recorded: usize) -> Brakes {
    let mirror = mirror("", "", "");
    let texts: Vec<String> = (0..due)
        .map(|number| format!("{number}=a, gone 30"))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let found = found(&mirror, "2.0", &texts, Clock::Steady);
    Brakes::of(&found.candidates, recorded)
}

#[test]
fn many_tags_need_approval() {
    let cases = [
        ("nothing is due", "", 0, 100, "free"),
        ("as many as may go", "maxDeletes: 3", 3, 100, "free"),
        (
            "one more",
            "maxDeletes: 3",
            4,
            100,
            "4 of 100 tags are due, more than spec.prune.maxDeletes, 3,",
        ),
        (
            "none may go",
            "maxDeletes: 0",
            1,
            100,
            "1 of 100 tags are due, more than spec.prune.maxDeletes, 0,",
        ),
        (
            "as large a share as may go",
            "maxPercent: 20",
            20,
            100,
            "free",
        ),
        (
            "a larger one",
            "maxPercent: 20",
            21,
            100,
            "21 of 100 tags are due, more than spec.prune.maxPercent, 20,",
        ),
        (
            "a larger one of few",
            "maxPercent: 20",
            1,
            4,
            "1 of 4 tags are due, more than spec.prune.maxPercent, 20,",
        ),
        (
            "no share",
            "maxPercent: 0",
            1,
            100,
            "1 of 100 tags are due, more than spec.prune.maxPercent, 0,",
        ),
        ("all of them", "maxPercent: 100", 4, 4, "free"),
        (
            "both bounds are exceeded",
            "maxDeletes: 1",
            4,
            4,
            "4 of 4 tags are due, more than spec.prune.maxDeletes, 1,",
        ),
    ];
    for (name, prune, due, recorded, expected) in cases {
        let pruning = mirror(prune, "", "").prune;
        match brakes(due, recorded).judge(&pruning) {
            Passage::Free => assert_eq!(expected, "free", "{name}"),
            Passage::Approved => panic!("{name}: nobody approved"),
            Passage::Paused(message) => assert!(message.starts_with(expected), "{name}: {message}"),
        }
    }
}

#[test]
fn exactly_one_plan_is_approved() {
    let brakes = brakes(4, 4);
    let mut pruning = mirror("", "", "").prune;
    pruning.approved.clone_from(&brakes.plan);
    assert_eq!(brakes.judge(&pruning), Passage::Approved);

    pruning.approved = self::brakes(3, 4).plan;
    let Passage::Paused(message) = brakes.judge(&pruning) else {
        panic!("another plan was approved");
    };
    let plan = brakes.plan.unwrap();
    assert!(
        message.contains("the annotation approves another plan"),
        "{message}"
    );
    assert!(
        message.ends_with(&format!("transship.dev/approve-prune is {plan}")),
        "{message}"
    );
}

#[test]
fn a_plan_names_tags_with_their_digests() {
    let mirror = mirror("", "keepTags: [kept]", "");
    let plan = |recorded: &[&str]| {
        let found = found(&mirror, "2.0", recorded, Clock::Steady);
        Brakes::of(&found.candidates, 10).plan
    };
    let first = plan(&["1=a, gone 30", "2=b, gone 30"]);
    let same = [
        ("another order", plan(&["2=b, gone 30", "1=a, gone 30"])),
        ("another age", plan(&["1=a, gone 60", "2=b, gone 90"])),
        (
            "one more that waits",
            plan(&["1=a, gone 30", "2=b, gone 30", "3=c, gone 1"]),
        ),
        (
            "one more that is kept",
            plan(&["1=a, gone 30", "2=b, gone 30", "kept=c, gone 30"]),
        ),
    ];
    for (name, plan) in same {
        assert_eq!(plan, first, "{name}");
    }
    let others = [
        ("another digest", plan(&["1=a, gone 30", "2=c, gone 30"])),
        ("another tag", plan(&["1=a, gone 30", "3=b, gone 30"])),
        (
            "one more",
            plan(&["1=a, gone 30", "2=b, gone 30", "3=c, gone 30"]),
        ),
        ("one less", plan(&["1=a, gone 30"])),
        ("none", plan(&[])),
    ];
    for (name, plan) in others {
        assert_ne!(plan, first, "{name}");
    }
}

#[test]
fn a_round_that_does_not_know_enough_deletes_nothing() {
    let failure = Failure {
        subject: "docker.io/library/app".to_owned(),
        reason: Reason::AccessDenied,
        message: "403 Forbidden".to_owned(),
        next_attempt_time: None,
        is_of_tag: false,
    };
    let some = selection("2.0");
    let none = selection("-2.0");
    let cases = [
        ("all is well", None, &some, true, 0, None),
        (
            "something failed",
            Some(&failure),
            &some,
            true,
            0,
            Some((
                Reason::AccessDenied,
                "nothing is deleted in a round that fails: docker.io/library/app: 403 Forbidden",
            )),
        ),
        (
            "nothing is selected any more",
            None,
            &none,
            true,
            0,
            Some((
                Reason::PrunePaused,
                "nothing of library/app is selected any more: nothing is deleted, in case that is a mistake; take the repository out of spec.images if it is not",
            )),
        ),
        (
            "nothing is selected, and never was",
            None,
            &none,
            false,
            0,
            None,
        ),
        (
            "the records were lost",
            None,
            &some,
            true,
            3,
            Some((
                Reason::PrunePaused,
                "3 tags were right and not on record: the records were lost, or are new, and are rebuilt first",
            )),
        ),
    ];
    for (name, worst, selection, has_records, rebuilt, expected) in cases {
        let stop = find_stop(worst, selection, |_| has_records, rebuilt);
        let stop = stop
            .as_ref()
            .map(|stop| (stop.reason, stop.message.as_str()));
        assert_eq!(stop, expected, "{name}");
    }
}
