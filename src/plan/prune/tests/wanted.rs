// SPDX-License-Identifier: Apache-2.0

//! What the spec still asks for.

use std::collections::BTreeMap;

use super::*;
use crate::plan::naming::Rename;
use crate::plan::template::RepositoryTemplate;

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn what_is_wanted_and_why_the_rest_is_not() {
    let cases: [(&str, &str, &[&str], &str, &str); 24] = [
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
            &["1.0=a", "v1.0=a, from 1.0, claimed"],
            "1.0",
            "1.0 Renamed waits",
        ),
        (
            "another name by now, which is not there yet",
            "tags: ['v{tag}']",
            &["1.0=a, gone 30"],
            "1.0",
            "1.0 Renamed kept: its image is not there under its new name yet",
        ),
        (
            "another name by now, of which nobody saw the push end",
            "tags: ['v{tag}']",
            &["1.0=a, gone 30", "v1.0=a, from 1.0, claimed, pending"],
            "1.0",
            "1.0 Renamed kept: its image is not there under its new name yet",
        ),
        (
            "another name by now, which another image has",
            "tags: ['v{tag}']",
            &["1.0=a, gone 30", "v1.0=a, from 2.0, claimed"],
            "1.0",
            "1.0 Renamed kept: its image is not there under its new name yet",
        ),
        (
            "two names by now, of which one is there",
            "tags: ['v{tag}', 'w{tag}']",
            &["1.0=a, gone 30", "v1.0=a, from 1.0, claimed"],
            "1.0",
            "1.0 Renamed kept: its image is not there under its new name yet",
        ),
        (
            "two names by now",
            "tags: ['v{tag}', 'w{tag}']",
            &[
                "1.0=a, gone 30",
                "v1.0=a, from 1.0, claimed",
                "w1.0=b, from 1.0, claimed, adopted",
            ],
            "1.0",
            "1.0 Renamed due",
        ),
        (
            "the version of a tag by now, which has moved since",
            "tags: ['{tag}-{digest12}']",
            &["1.0=a, gone 30", "1.0-3e23e8160039=b, from 1.0, claimed"],
            "1.0",
            "1.0 Renamed due",
        ),
        (
            "another repository by now",
            "repository: 'mirror/{repository}'",
            &["1.0=a, gone 30", "1.0=a, in mirror/library/app, claimed"],
            "1.0",
            "1.0 Renamed due",
        ),
        (
            "another repository by now, which is not there yet",
            "repository: 'mirror/{repository}'",
            &["1.0=a, gone 30"],
            "1.0",
            "1.0 Renamed kept: its image is not there under its new name yet",
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

/// A tag is wanted under the names of the entries that want it, and of no others.
#[test]
fn what_is_wanted_has_the_names_of_its_entries() {
    let naming = |template: &str| {
        let template = RepositoryTemplate::parse(template).unwrap();
        let replacements = Vec::new();
        let rename = Rename {
            template,
            replacements,
        };
        Naming::new(Some(rename), BTreeMap::new())
    };
    let retag = |tag: &str, name: &str| {
        let tags = [(tag.parse().unwrap(), name.parse().unwrap())];
        Naming::new(None, tags.into())
    };
    let mirror = mirror("", "", "");
    let renamed = "1.0 Renamed kept: its image is not there under its new name yet";
    let cases: [(&[Naming], &str); 6] = [
        (&[Naming::default()], ""),
        (&[naming("apps/{name}")], renamed),
        (&[naming("apps/{name}"), Naming::default()], ""),
        (&[naming("{repository}")], ""),
        (&[retag("1.0", "stable")], renamed),
        (&[retag("2.0", "stable")], ""),
    ];
    let app: Repository = "library/app".parse().unwrap();
    let tag: Tag = "1.0".parse().unwrap();
    for (namings, expected) in cases {
        let mut selection = Selection::default();
        for naming in namings {
            let none = std::iter::empty::<(&Tag, &NotSelected)>();
            selection.add(&app, naming, true, std::iter::once(&tag), none);
        }
        let written = written("1.0=a");
        let recorded = [written.recorded()];
        let found = find_candidates(&mirror, &selection, &recorded, Clock::Steady, now());
        assert_eq!(tell(&found), expected, "{namings:?}");
    }
}
