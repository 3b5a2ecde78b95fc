// SPDX-License-Identifier: Apache-2.0

//! Mirrors and policies as documents.

use std::collections::BTreeSet;

use super::conversion::{Conversion, Gap};
use super::mirrors::{Entry, Mirror, mirrors};
use super::names::{Names, label, short};
use super::options::options;
use super::rule::{Draft, Selection};
use super::selection::{Parts, select};
use super::yaml::{self, Yaml};
use crate::oci::Registry;

/// The name of the Secret, where it holds the credentials of several registries.
const LOGINS: &str = "registries";

/// The documents, as they come to be.
#[derive(Debug)]
pub(super) struct Sheet {
    /// What stands in front of all documents.
    head: Vec<Gap>,
    mirrors: Vec<Mirror>,
    policies: Vec<(String, Selection)>,
    /// Selections that are a policy: several entries have them, and write more lines each on their own.
    shared: Vec<Selection>,
    logins: BTreeSet<Registry>,
    insecure: BTreeSet<Registry>,
}

// === impl Sheet ===

impl Sheet {
    pub(super) fn new(draft: Draft) -> Self {
        let Draft {
            rules,
            logins,
            insecure,
            mut gaps,
        } = draft;
        gaps.sort_by_key(|gap| gap.position);
        let mirrors = mirrors(rules);
        Self {
            head: gaps,
            shared: shared(&mirrors),
            mirrors,
            policies: Vec::new(),
            logins,
            insecure,
        }
    }

    /// Writes everything.
    pub(super) fn into_conversion(mut self) -> Conversion {
        let mut names = Names::default();
        let mut documents = Vec::new();
        let mirrors = std::mem::take(&mut self.mirrors);
        let mut gaps: Vec<Gap> = self.head.clone();
        for mirror in &mirrors {
            gaps.extend(mirror.entries.iter().flat_map(|entry| entry.gaps.clone()));
            documents.push(self.write_mirror(mirror, &mut names));
        }
        for (name, selection) in &self.policies {
            documents.push(yaml::document(&[
                ("apiVersion", Yaml::text("transship.dev/v1alpha1")),
                ("kind", Yaml::text("ImagePolicy")),
                ("metadata", Yaml::Map(vec![("name", Yaml::text(name))])),
                ("spec", Yaml::Map(vec![("select", select(selection))])),
            ]));
        }
        documents.extend(self.secret());
        gaps.sort_by_key(|gap| gap.position);
        let mut text = String::new();
        yaml::comments(&notes(&self.head), 0, &mut text);
        text.push_str(&documents.join("---\n"));
        Conversion { yaml: text, gaps }
    }

    fn write_mirror(&mut self, mirror: &Mirror, names: &mut Names) -> String {
        let name = names.unique(
            &mirror
                .group
                .clone()
                .unwrap_or_else(|| label(mirror.source.as_str())),
        );
        let common = mirror
            .common()
            .filter(|common| common.iter().all(|one| self.shared.contains(one)));
        let entries = mirror
            .entries
            .iter()
            .map(|entry| self.entry(entry, &name, common.is_some()))
            .collect();
        let mut spec = vec![
            ("source", Yaml::Map(self.endpoint(&mirror.source))),
            ("images", Yaml::List(entries)),
        ];
        spec.extend(self.selections(common.as_deref().unwrap_or_default(), &name));
        spec.push(("destinations", Yaml::List(self.destinations(mirror))));
        spec.extend(options(&mirror.options));
        yaml::document(&[
            ("apiVersion", Yaml::text("transship.dev/v1alpha1")),
            ("kind", Yaml::text("ImageMirror")),
            ("metadata", Yaml::Map(vec![("name", Yaml::text(name))])),
            ("spec", Yaml::Map(spec)),
        ])
    }

    fn endpoint(&self, registry: &Registry) -> Vec<(&'static str, Yaml)> {
        let mut fields = vec![("registry", Yaml::text(registry.as_str()))];
        if self.logins.contains(registry) {
            let name = Yaml::text(self.secret_name());
            fields.push(("secretRef", Yaml::Map(vec![("name", name)])));
        }
        if self.insecure.contains(registry) {
            fields.push(("insecure", Yaml::bare(true)));
        }
        fields
    }

    fn destinations(&self, mirror: &Mirror) -> Vec<Yaml> {
        let mut names = Names::default();
        let destination = |(registry, template): &(Registry, String)| {
            let name = names.unique(&short(registry));
            let mut fields = vec![("name", Yaml::text(name))];
            fields.extend(self.endpoint(registry));
            if template != "{repository}" {
                fields.insert(2, ("repository", Yaml::text(template)));
            }
            if let Some(previous) = &mirror.options.previous_tag {
                fields.push(("previousTag", Yaml::text(previous)));
            }
            Yaml::Map(fields)
        };
        mirror.destinations.iter().map(destination).collect()
    }

    fn entry(&mut self, entry: &Entry, mirror: &str, are_common: bool) -> Yaml {
        let Parts {
            tags,
            may_lack,
            selections,
        } = entry.tags.parts();
        let mut fields = vec![("repository", Yaml::text(&entry.repository))];
        if !tags.is_empty() {
            fields.push(("tags", Yaml::texts(tags)));
        }
        if !entry.tags.digests.is_empty() {
            fields.push(("digests", Yaml::texts(&entry.tags.digests)));
        }
        if may_lack {
            fields.push(("absent", Yaml::text("Skip")));
        }
        if !are_common {
            fields.extend(self.selections(&selections, mirror));
        }
        if let Some(name) = &entry.r#as {
            fields.push(("as", Yaml::text(name)));
        }
        if !entry.tags.retag.is_empty() {
            let pairs = entry.tags.retag.iter();
            let pairs = pairs.map(|(from, to)| (from.clone(), to.clone()));
            fields.push(("retag", Yaml::Pairs(pairs.collect())));
        }
        let map = Yaml::Map(fields);
        if entry.gaps.is_empty() {
            return map;
        }
        Yaml::Noted(notes(&entry.gaps), Box::new(map))
    }

    /// The first selection that no other entry has in its place, the others as policies.
    fn selections(&mut self, selections: &[Selection], mirror: &str) -> Vec<(&'static str, Yaml)> {
        let own = selections
            .iter()
            .position(|selection| !self.shared.contains(selection));
        let mut fields = Vec::new();
        let mut policies = Vec::new();
        for (index, selection) in selections.iter().enumerate() {
            if Some(index) == own {
                fields.push(("select", select(selection)));
                continue;
            }
            let name = Yaml::text(self.policy(selection, mirror));
            policies.push(Yaml::Map(vec![("name", name)]));
        }
        if !policies.is_empty() {
            fields.push(("policyRefs", Yaml::List(policies)));
        }
        fields
    }

    /// The name of the policy that selects so.
    fn policy(&mut self, selection: &Selection, mirror: &str) -> String {
        let known = self.policies.iter().find(|(_, known)| known == selection);
        if let Some((name, _)) = known {
            return name.clone();
        }
        let name = format!("{mirror}-{}", self.policies.len() + 1);
        self.policies.push((name.clone(), selection.clone()));
        name
    }

    fn secret_name(&self) -> String {
        let mut logins = self.logins.iter();
        match (logins.next(), logins.next()) {
            (Some(only), None) => short(only),
            _ => LOGINS.to_owned(),
        }
    }

    /// Where a person writes the credentials, which are not taken over.
    fn secret(&self) -> Option<String> {
        let login = |registry: &Registry| {
            format!(r#""{registry}": {{"username": "CHANGE-ME", "password": "CHANGE-ME"}}"#)
        };
        let logins: Vec<String> = self.logins.iter().map(login).collect();
        let config = match logins.as_slice() {
            [] => return None,
            [only] => Yaml::Text(format!(r#"{{"auths": {{{only}}}}}"#)),
            several => {
                let text = format!("{{\"auths\": {{{}}}}}", several.join(",\n"));
                Yaml::Lines(text.lines().map(str::to_owned).collect())
            }
        };
        Some(yaml::document(&[
            ("apiVersion", Yaml::text("v1")),
            ("kind", Yaml::text("Secret")),
            (
                "metadata",
                Yaml::Map(vec![("name", Yaml::text(self.secret_name()))]),
            ),
            ("type", Yaml::text("kubernetes.io/dockerconfigjson")),
            ("stringData", Yaml::Map(vec![(".dockerconfigjson", config)])),
        ]))
    }
}

/// Selections that take fewer lines as a policy than in each entry that has them.
fn shared(mirrors: &[Mirror]) -> Vec<Selection> {
    let mut seen: Vec<(Selection, usize)> = Vec::new();
    let entries = mirrors.iter().flat_map(|mirror| &mirror.entries);
    for entry in entries.filter(|entry| !entry.has_room()) {
        for selection in entry.tags.parts().selections {
            match seen.iter_mut().find(|(known, _)| *known == selection) {
                Some((_, count)) => *count += 1,
                None => seen.push((selection, 1)),
            }
        }
    }
    let is_worth = |(selection, count): &(Selection, usize)| {
        // Fields that stand on lines of their own, and the line above them.
        let lines = selection.len() + 1;
        *count > 1 && count * lines > lines + 6
    };
    seen.into_iter()
        .filter(is_worth)
        .map(|(selection, _)| selection)
        .collect()
}

fn notes(gaps: &[Gap]) -> Vec<String> {
    let note = |gap: &Gap| format!("not converted: {gap}");
    gaps.iter().map(note).collect()
}

// === impl Mirror ===

impl Mirror {
    /// The selections that all entries have in common, and that are not said by tags.
    fn common(&self) -> Option<Vec<Selection>> {
        let (first, rest) = self.entries.split_first()?;
        let selections = first.tags.parts().selections;
        let is_common = |entry: &Entry| entry.tags.parts().selections == selections;
        let are_common = !rest.is_empty() && !selections.is_empty() && rest.iter().all(is_common);
        are_common.then_some(selections)
    }
}

// === impl Entry ===

impl Entry {
    /// Whether its selection stands on its line.
    fn has_room(&self) -> bool {
        let Parts {
            tags, selections, ..
        } = self.tags.parts();
        let only = match selections.as_slice() {
            [] => return true,
            [only] => only,
            _ => return false,
        };
        let mut fields = vec![
            ("repository", Yaml::text(&self.repository)),
            ("tags", Yaml::texts(tags)),
            ("select", select(only)),
        ];
        fields.extend(self.r#as.as_ref().map(|name| ("as", Yaml::text(name))));
        Yaml::Map(fields).fits()
    }
}
