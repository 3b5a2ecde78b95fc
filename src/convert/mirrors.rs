//! Rules as mirrors and policies: what has source, destination and options in common is one mirror.

use std::collections::{BTreeMap, BTreeSet};

use super::conversion::{Conversion, Gap};
use super::patterns;
use super::rule::{Draft, Naming, Newest, Options, Order, Referrers, Rule, Selection, Tags, Times};
use super::yaml::{self, Yaml};
use crate::oci::Registry;

/// Most entries of a mirror.
const IMAGES: usize = 256;
/// Most destinations of a mirror.
const DESTINATIONS: usize = 8;
/// Most patterns of a selection.
const PATTERNS: usize = 16;
/// Longest name of an object that is made of other names.
const NAME_LENGTH: usize = 63;

/// The documents, as they come to be.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// What stands in front of all documents.
    head: Vec<Gap>,
    mirrors: Vec<Mirror>,
    policies: Vec<(String, Selection)>,
    /// Selections that are a policy, since several entries have them and none has room for them.
    shared: Vec<Selection>,
    logins: BTreeSet<Registry>,
    insecure: BTreeSet<Registry>,
}

#[derive(Debug)]
struct Mirror {
    group: Option<String>,
    source: Registry,
    options: Options,
    renamed: Option<String>,
    entries: Vec<Entry>,
    /// Registries and templates of repositories.
    destinations: Vec<(Registry, String)>,
}

#[derive(Clone, Debug)]
struct Entry {
    repository: String,
    /// The name that takes its place, where the template does not give the right one.
    r#as: Option<String>,
    tags: Tags,
    gaps: Vec<Gap>,
}

/// What an entry takes.
struct Parts {
    /// Tags and globs.
    tags: Vec<String>,
    /// Whether tags may be missing.
    may_lack: bool,
    selections: Vec<Selection>,
}

// === impl Sheet ===

impl Sheet {
    pub(super) fn add(&mut self, draft: Draft) {
        let Draft {
            rules,
            logins,
            insecure,
            gaps,
        } = draft;
        self.head.extend(gaps);
        self.head.sort_by_key(|gap| gap.position);
        self.logins.extend(logins);
        self.insecure.extend(insecure);
        let names = choose_names(&rules);
        for (rule, named) in rules.into_iter().zip(names) {
            self.place(rule, named);
        }
        self.join_destinations();
        self.split_large();
        self.share_selections();
    }

    /// Puts a rule into the mirror that it has everything in common with.
    fn place(&mut self, rule: Rule, named: Named) {
        let Rule {
            group,
            source,
            repository,
            destination,
            naming: _,
            tags,
            options,
            gaps,
        } = rule;
        let destination = (destination, named.template);
        let renamed = tags.renamed.clone();
        let entry = Entry {
            repository,
            r#as: named.r#as,
            tags,
            gaps,
        };
        let mirror = self.mirrors.iter_mut().find(|mirror| {
            mirror.source == source
                && mirror.options == options
                && mirror.renamed == renamed
                && mirror.destinations == [destination.clone()]
                && mirror
                    .entries
                    .iter()
                    .all(|known| known.repository != entry.repository || known.r#as == entry.r#as)
        });
        let Some(mirror) = mirror else {
            self.mirrors.push(Mirror {
                group,
                source,
                options,
                renamed,
                entries: vec![entry],
                destinations: vec![destination],
            });
            return;
        };
        if mirror.group != group {
            mirror.group = None;
        }
        let same = mirror
            .entries
            .iter_mut()
            .find(|known| known.repository == entry.repository);
        match same {
            Some(known) => {
                known.tags.or(entry.tags);
                known.gaps.extend(entry.gaps);
            }
            None => mirror.entries.push(entry),
        }
    }

    /// One mirror with several destinations in place of several mirrors of the same images.
    fn join_destinations(&mut self) {
        let mut joined: Vec<Mirror> = Vec::new();
        for mirror in self.mirrors.drain(..) {
            let same = joined.iter_mut().find(|known| {
                known.source == mirror.source
                    && known.options == mirror.options
                    && known.renamed == mirror.renamed
                    && known.destinations.len() < DESTINATIONS
                    && known.says_the_same(&mirror)
            });
            match same {
                Some(known) => known.destinations.extend(mirror.destinations),
                None => joined.push(mirror),
            }
        }
        self.mirrors = joined;
    }

    fn split_large(&mut self) {
        let mut small = Vec::new();
        for mut mirror in self.mirrors.drain(..) {
            while mirror.entries.len() > IMAGES {
                let rest = mirror.entries.split_off(IMAGES);
                small.push(Mirror {
                    group: mirror.group.clone(),
                    source: mirror.source.clone(),
                    options: mirror.options.clone(),
                    renamed: mirror.renamed.clone(),
                    destinations: mirror.destinations.clone(),
                    entries: std::mem::replace(&mut mirror.entries, rest),
                });
            }
            small.push(mirror);
        }
        self.mirrors = small;
    }

    fn share_selections(&mut self) {
        let mut seen = Vec::new();
        let entries = self.mirrors.iter().flat_map(|mirror| &mirror.entries);
        for entry in entries.filter(|entry| !entry.has_room()) {
            for selection in entry.parts().selections {
                if !seen.contains(&selection) {
                    seen.push(selection);
                } else if !self.shared.contains(&selection) {
                    self.shared.push(selection);
                }
            }
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
        documents.extend(self.logins.iter().map(secret));
        gaps.sort_by_key(|gap| gap.position);
        let head: Vec<String> = self
            .head
            .iter()
            .map(|gap| format!("not converted: {gap}"))
            .collect();
        let mut text = String::new();
        yaml::comments(&head, 0, &mut text);
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
            let name = Yaml::text(label(registry.as_str()));
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
            let name = names.unique(&label(registry.as_str()));
            let mut fields = vec![("name", Yaml::text(name))];
            fields.extend(self.endpoint(registry));
            if template != "{repository}" {
                fields.insert(2, ("repository", Yaml::text(template)));
            }
            if let Some(tag) = &mirror.renamed {
                fields.push(("tags", Yaml::texts([tag])));
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
        } = entry.parts();
        let mut fields = vec![("repository", Yaml::text(&entry.repository))];
        if !tags.is_empty() {
            fields.push(("tags", Yaml::texts(tags)));
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
        let map = Yaml::Map(fields);
        if entry.gaps.is_empty() {
            return map;
        }
        let notes = entry.gaps.iter().map(|gap| format!("not converted: {gap}"));
        Yaml::Noted(notes.collect(), Box::new(map))
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
}

// === impl Mirror ===

impl Mirror {
    /// The selections that all entries have in common, and that are not said by tags.
    fn common(&self) -> Option<Vec<Selection>> {
        let (first, rest) = self.entries.split_first()?;
        let selections = first.parts().selections;
        let is_common = |entry: &Entry| entry.parts().selections == selections;
        let are_common = !rest.is_empty() && !selections.is_empty() && rest.iter().all(is_common);
        are_common.then_some(selections)
    }

    /// Whether both copy the same images.
    fn says_the_same(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(|(one, other)| {
                one.repository == other.repository
                    && one.tags == other.tags
                    && other.gaps.is_empty()
            })
    }
}

// === impl Entry ===

impl Entry {
    /// What is taken, in the fields of an entry: tags and globs where they say the same.
    fn parts(&self) -> Parts {
        let literals = |selection: &Selection| {
            let patterns = selection.alone()?;
            let literals: Option<Vec<String>> = patterns
                .iter()
                .map(|pattern| patterns::literal(pattern))
                .collect();
            literals.filter(|literals| !literals.is_empty())
        };
        let mut tags = self.tags.literals.clone();
        let may_lack = tags.is_empty();
        let mut selections = Vec::new();
        for selection in &self.tags.selections {
            match literals(selection) {
                Some(literals) if may_lack => tags.extend(literals),
                _ => selections.push(selection.clone()),
            }
        }
        let may_lack = may_lack && !tags.is_empty();
        let globs: Option<Vec<Vec<String>>> = selections.iter().map(globs).collect();
        let Some(globs) = globs else {
            return Parts {
                tags,
                may_lack,
                selections,
            };
        };
        tags.extend(globs.concat());
        let takes_all = tags.iter().any(|tag| tag == "*");
        Parts {
            tags: if takes_all {
                vec!["*".to_owned()]
            } else {
                tags
            },
            may_lack: may_lack && !takes_all,
            selections: Vec::new(),
        }
    }

    /// Whether its selection stands on its line.
    fn has_room(&self) -> bool {
        let Parts {
            tags, selections, ..
        } = self.parts();
        let only = match selections.as_slice() {
            [] => return true,
            [only] => only,
            _ => return false,
        };
        let fields = vec![
            ("repository", Yaml::text(&self.repository)),
            ("tags", Yaml::texts(tags)),
            ("select", select(only)),
        ];
        Yaml::Map(fields).fits()
    }
}

// === names ===

/// Names that are taken.
#[derive(Debug, Default)]
struct Names(BTreeMap<String, usize>);

impl Names {
    fn unique(&mut self, wanted: &str) -> String {
        let wanted = label(wanted);
        let count = self.0.entry(wanted.clone()).or_default();
        *count += 1;
        match *count {
            1 => wanted,
            count => format!("{wanted}-{count}"),
        }
    }
}

/// A name that Kubernetes takes.
fn label(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut label = String::new();
    for character in lower.chars() {
        match character {
            'a'..='z' | '0'..='9' => label.push(character),
            _ if label.ends_with('-') || label.is_empty() => {}
            _ => label.push('-'),
        }
    }
    label.truncate(NAME_LENGTH - 4);
    match label.trim_end_matches('-') {
        "" => "mirror".to_owned(),
        label => label.to_owned(),
    }
}

// === templates ===

/// What gives a destination its name.
struct Named {
    template: String,
    r#as: Option<String>,
}

/// What gives each rule's destination its name: the template that most others share, or a name for that template.
fn choose_names(rules: &[Rule]) -> Vec<Named> {
    let candidates: Vec<Vec<String>> = rules.iter().map(templates).collect();
    let mut counts: BTreeMap<(&Registry, &Registry, &str), usize> = BTreeMap::new();
    for (rule, candidates) in rules.iter().zip(&candidates) {
        for candidate in candidates {
            *counts
                .entry((&rule.source, &rule.destination, candidate.as_str()))
                .or_default() += 1;
        }
    }
    let choose = |(rule, candidates): (&Rule, &Vec<String>)| {
        let ends = (&rule.source, &rule.destination);
        let count = |candidate: &str| counts.get(&(ends.0, ends.1, candidate)).copied();
        let best = candidates
            .iter()
            .rev()
            .max_by_key(|candidate| count(candidate));
        let best = best.cloned().unwrap_or_default();
        // Where it stands alone, a name within what the others share saves a mirror.
        let shared = counts
            .iter()
            .filter(|((source, destination, template), count)| {
                (*source, *destination) == ends && template.contains('{') && **count > 1
            })
            .max_by_key(|(_, count)| **count)
            .map(|((_, _, template), _)| *template);
        if count(&best) == Some(1)
            && let Some(shared) = shared
            && let Some(name) = name_for(rule, shared)
        {
            return Named {
                template: shared.to_owned(),
                r#as: Some(name),
            };
        }
        Named {
            template: best,
            r#as: None,
        }
    };
    rules.iter().zip(&candidates).map(choose).collect()
}

/// The name that a template makes a rule's destination of.
fn name_for(rule: &Rule, template: &str) -> Option<String> {
    let Naming::Repository(destination) = &rule.naming else {
        return None;
    };
    let (before, is_whole) = match template.strip_suffix("{repository}") {
        Some(before) => (before, true),
        None => (template.strip_suffix("{name}")?, false),
    };
    let name = destination.as_str().strip_prefix(before)?;
    let fits = !name.is_empty() && !before.contains('{') && (is_whole || !name.contains('/'));
    fits.then(|| name.to_owned())
}

/// All templates that give a rule's destination its name, the most general one first.
fn templates(rule: &Rule) -> Vec<String> {
    let destination = match &rule.naming {
        Naming::Template(template) => return vec![template.clone()],
        Naming::Repository(repository) => repository.as_str(),
    };
    let repository = rule.repository.as_str();
    let (namespace, name) = repository.rsplit_once('/').unwrap_or(("", repository));
    let registry = rule.source.as_str().replace(':', "-");
    let full = format!("{registry}/{repository}");
    let with_registry = format!("{registry}/{name}");
    let parts = [
        (full.as_str(), "{registry}/{repository}"),
        (repository, "{repository}"),
        (with_registry.as_str(), "{registry}/{name}"),
        (name, "{name}"),
    ];
    let mut templates: Vec<String> = parts
        .into_iter()
        .filter_map(|(text, template)| replace_end(destination, text, template))
        .collect();
    if !namespace.is_empty()
        && let Some(rest) = destination.strip_suffix(name)
        && let Some(template) =
            replace_end(rest.trim_end_matches(['/', '-']), namespace, "{namespace}")
    {
        let separator = rest
            .get(rest.trim_end_matches(['/', '-']).len()..)
            .unwrap_or("/");
        if separator != "/" && !separator.is_empty() {
            templates.push(format!("{template}{separator}{{name}}"));
        }
    }
    templates.push(destination.to_owned());
    templates
}

/// `template` in place of the last components.
fn replace_end(text: &str, end: &str, template: &str) -> Option<String> {
    let before = text.strip_suffix(end)?;
    (before.is_empty() || before.ends_with('/')).then(|| format!("{before}{template}"))
}

// === values ===

/// A selection as globs, where globs say the same.
fn globs(selection: &Selection) -> Option<Vec<String>> {
    if selection.takes_all() {
        return Some(vec!["*".to_owned()]);
    }
    let patterns = selection.alone()?;
    patterns
        .iter()
        .map(|pattern| patterns::as_glob(pattern))
        .collect()
}

fn select(selection: &Selection) -> Yaml {
    let Selection {
        include,
        exclude,
        extract,
        semver,
        newest,
    } = selection;
    let mut fields = Vec::new();
    for (name, patterns) in [("include", include), ("exclude", exclude)] {
        if !patterns.is_empty() {
            fields.push((name, Yaml::texts(few(patterns))));
        }
    }
    if let Some(extract) = extract {
        let mut parts = vec![("pattern", Yaml::text(&extract.pattern))];
        parts.push(("value", Yaml::text(&extract.value)));
        fields.push(("extract", Yaml::Map(parts)));
    }
    if let Some(semver) = semver {
        let mut parts = vec![("range", Yaml::text(&semver.range))];
        if semver.prereleases {
            parts.push(("prereleases", Yaml::text("Include")));
        }
        fields.push(("semver", Yaml::Map(parts)));
    }
    if let Some(Newest { count, by }) = newest {
        let mut parts = vec![("count", Yaml::bare(count))];
        match by {
            Order::Version => parts.push(("variants", Yaml::text("Together"))),
            Order::Number => parts.push(("by", Yaml::text("Number"))),
            Order::Name => parts.push(("by", Yaml::text("Name"))),
        }
        fields.push(("newest", Yaml::Map(parts)));
    }
    if fields.is_empty() {
        fields.push(("include", Yaml::texts([".*"])));
    }
    Yaml::Map(fields)
}

/// Patterns joined until there are few enough.
fn few(patterns: &[String]) -> Vec<String> {
    if patterns.len() <= PATTERNS {
        return patterns.to_vec();
    }
    let mut joined: Vec<String> = Vec::new();
    for pattern in patterns {
        match joined.last_mut() {
            Some(last) if last.len() + pattern.len() < crate::policy::pattern::PATTERN_LENGTH => {
                last.push('|');
                last.push_str(pattern);
            }
            _ => joined.push(pattern.clone()),
        }
    }
    joined
}

fn options(options: &Options) -> Vec<(&'static str, Yaml)> {
    let Options {
        platforms,
        referrers,
        frozen,
        previous_tag: _,
        times,
        suspended,
    } = options;
    let mut fields = Vec::new();
    if !platforms.is_empty() {
        let list = vec![
            ("mode", Yaml::text("List")),
            ("list", Yaml::texts(platforms)),
            ("absent", Yaml::text("Skip")),
        ];
        fields.push(("platforms", Yaml::Map(list)));
    }
    match referrers {
        Referrers::All => {}
        Referrers::None => {
            fields.push(("referrers", Yaml::Map(vec![("mode", Yaml::text("Skip"))])));
        }
        Referrers::Types(types) => fields.push((
            "referrers",
            Yaml::Map(vec![("artifactTypes", Yaml::texts(types))]),
        )),
    }
    if *frozen {
        fields.push(("tagMutability", Yaml::text("Freeze")));
    }
    match times {
        Times::Unsaid => {}
        Times::Every(interval) => fields.push(("interval", Yaml::text(interval))),
        Times::Cron(cron) => fields.push(("schedule", Yaml::Map(vec![("cron", Yaml::text(cron))]))),
    }
    if *suspended {
        fields.push(("suspend", Yaml::bare(true)));
    }
    fields
}

/// Where a person writes the credentials, which are not taken over.
fn secret(registry: &Registry) -> String {
    let config = format!(
        r#"{{"auths": {{"{registry}": {{"username": "CHANGE-ME", "password": "CHANGE-ME"}}}}}}"#
    );
    yaml::document(&[
        ("apiVersion", Yaml::text("v1")),
        ("kind", Yaml::text("Secret")),
        (
            "metadata",
            Yaml::Map(vec![("name", Yaml::text(label(registry.as_str())))]),
        ),
        ("type", Yaml::text("kubernetes.io/dockerconfigjson")),
        (
            "stringData",
            Yaml::Map(vec![(".dockerconfigjson", Yaml::Text(config))]),
        ),
    ])
}
