// SPDX-License-Identifier: Apache-2.0

//! Small files of each tool, and what the tool takes with them, by its documentation, of the tags of real images.
//!
//! ```text
//! === title
//! the file
//! +++
//! team/app registry.example.com/mirror/app: 1.0 2.0>latest     2.0 is latest there
//! not converted: a part of why
//! ```
//!
//! What is expected was worked out with other programs: expressions by Python's, versions as the documents of
//! Masterminds/semver and blang/semver say. regsync and skopeo are asked themselves, see `originals`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use transship::api::document::{self, Resource};
use transship::api::{ImageMirror, ImagePolicy};
use transship::convert::{Conversion, Form, convert};
use transship::oci::{Repository, Tag};
use transship::plan::select::Times;
use transship::plan::{self, ImageEntry, Mirror};

use super::originals::FAMILIES;
use super::{folder, surroundings};

/// The forms with cases here, and how many: a case that is not read is not tested.
const COUNTS: [(Form, usize); 9] = [
    (Form::Dregsy, 33),
    (Form::Flux, 30),
    (Form::FluxMirror, 30),
    (Form::Harbor, 30),
    (Form::ImageSyncer, 31),
    (Form::OcMirror, 30),
    (Form::Ocync, 31),
    (Form::Skopeo, 13),
    (Form::Zot, 31),
];

/// Repositories at source and destination, and the tags that are taken.
type Taken = BTreeMap<String, BTreeSet<String>>;

struct Case {
    title: String,
    file: String,
    taken: Taken,
    gaps: Vec<String>,
}

fn cases(form: Form) -> Vec<Case> {
    let path = folder().join(format!("cases/{}.txt", form.name()));
    let text = fs::read_to_string(path).unwrap();
    let read = |text: &str| {
        let (title, rest) = text.split_once('\n').unwrap();
        let (file, expected) = rest.split_once("\n+++\n").expect(title);
        let mut case = Case {
            title: title.to_owned(),
            file: format!("{file}\n"),
            taken: Taken::new(),
            gaps: Vec::new(),
        };
        for line in expected.lines().filter(|line| !line.is_empty()) {
            let (what, rest) = line.split_once(": ").expect(line);
            if what == "not converted" {
                case.gaps.push(rest.to_owned());
                continue;
            }
            let tags = rest.split(' ').map(str::to_owned).collect();
            case.taken.insert(what.to_owned(), tags);
        }
        case
    };
    text.split("=== ").skip(1).map(read).collect()
}

/// What the mirrors of documents take of all images.
fn taken(yaml: &str) -> Taken {
    let documents = document::parse(yaml, "converted").unwrap().documents;
    let policies: Vec<&ImagePolicy> = documents
        .iter()
        .filter_map(|document| match &document.resource {
            Resource::ImagePolicy(policy) => Some(&**policy),
            Resource::ImageMirror(_) | Resource::MirroredRepository(_) | Resource::Secret(_) => {
                None
            }
        })
        .collect();
    let mut taken = Taken::new();
    for document in &documents {
        if let Resource::ImageMirror(mirror) = &document.resource {
            let mirror = validated(mirror, &policies);
            for entry in &mirror.images {
                take(&mirror, entry, &mut taken);
            }
        }
    }
    taken
}

fn validated(mirror: &ImageMirror, policies: &[&ImagePolicy]) -> Mirror {
    plan::validate(mirror, policies).unwrap_or_else(|invalid| panic!("{invalid:?}"))
}

fn take(mirror: &Mirror, entry: &ImageEntry, taken: &mut Taken) {
    for (name, tags) in FAMILIES {
        let repository: Repository = name.parse().unwrap();
        if !entry.repository.covers(&repository) {
            continue;
        }
        let listing: Vec<Tag> = tags.split(' ').map(|tag| tag.parse().unwrap()).collect();
        let selected = entry.select(&listing, &BTreeSet::new(), &Times::default());
        let found: BTreeSet<String> = selected
            .unwrap()
            .tags
            .into_iter()
            .map(|wanted| wanted.tag)
            .filter(|tag| listing.contains(tag))
            .map(|tag| match entry.naming.tag(&tag) {
                same if *same == tag => tag.to_string(),
                other => format!("{tag}>{other}"),
            })
            .collect();
        if found.is_empty() {
            continue;
        }
        for destination in &mirror.destinations {
            let registry = &mirror.source.registry;
            let named = destination.repository_of(&entry.naming, registry, &repository);
            let place = format!("{name} {}/{}", destination.registry, named.unwrap());
            taken.entry(place).or_default().extend(found.clone());
        }
    }
}

#[test]
fn converted_files_take_what_the_documents_of_their_tools_say() {
    let mut wrong = Vec::new();
    for (form, count) in COUNTS {
        let cases = cases(form);
        assert_eq!(cases.len(), count, "{}", form.name());
        for case in cases {
            let Case {
                title,
                file,
                taken: expected,
                gaps: reasons,
            } = case;
            let name = format!("{}: {title}", form.name());
            let Conversion { yaml, gaps } = match convert(form, &file, "file", &surroundings()) {
                Ok(conversion) => conversion,
                Err(error) => {
                    wrong.push(format!("{name}: {error}\n{file}"));
                    continue;
                }
            };
            let found = if yaml.contains("kind:") {
                taken(&yaml)
            } else {
                Taken::new()
            };
            let gaps: Vec<String> = gaps.iter().map(ToString::to_string).collect();
            let are_told = reasons.len() == gaps.len()
                && reasons
                    .iter()
                    .all(|reason| gaps.iter().any(|gap| gap.contains(reason)));
            if found != expected || !are_told {
                wrong.push(format!(
                    "{name}\nexpected {expected:?} {reasons:?}\n   found {found:?} {gaps:?}\n{file}\n{yaml}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "\n{}\n{} are wrong",
        wrong.join("\n"),
        wrong.len()
    );
}
