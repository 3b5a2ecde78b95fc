// SPDX-License-Identifier: Apache-2.0

//! The answers as YAML with comments. Written by hand, as a person reads on there.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::speech::Speech;
use crate::api::ObjectName;
use crate::api::image_mirror::PruneMode;
use crate::cli::args::{InitArgs, SourceRepository, TagChoice, TagPattern, UnwantedTags};
use crate::cli::documents::{self, DocumentsError};
use crate::convert::Prefix;
use crate::oci::Repository;
use crate::plan::Mirror;

/// The Secret with the authorities of registries.
pub(super) const AUTHORITY: &str = "registry-ca";
/// Longest name that is made of a repository's.
const NAME: usize = 50;

/// A mirror of one repository, and how it is written.
#[derive(Clone, Debug)]
pub(super) struct FirstMirror {
    pub(super) name: String,
    pub(super) namespace: Option<ObjectName>,
    pub(super) from: SourceRepository,
    pub(super) tags: TagChoice,
    pub(super) to: Prefix,
    pub(super) secret: Option<ObjectName>,
    pub(super) unwanted: UnwantedTags,
    pub(super) source_speech: Speech,
    pub(super) destination_speech: Speech,
}

// === impl FirstMirror ===

impl FirstMirror {
    /// One without a Secret that keeps every tag.
    pub(super) fn new(
        args: &InitArgs,
        from: &SourceRepository,
        tags: &TagChoice,
        to: &Prefix,
    ) -> Self {
        let name = args.name.as_ref().map(ObjectName::to_string);
        Self {
            name: name.unwrap_or_else(|| name_of(&from.repository)),
            namespace: args.namespace.clone(),
            from: from.clone(),
            tags: tags.clone(),
            to: to.clone(),
            secret: None,
            unwanted: UnwantedTags::Keep,
            source_speech: Speech::Usual,
            destination_speech: Speech::Usual,
        }
    }

    /// The mirror, by the checks that every file passes.
    pub(super) fn validate(&self) -> Result<Mirror, DocumentsError> {
        let name = "the mirror";
        let mut mirrors = documents::read_mirrors(&self.to_yaml(), name)?;
        let mirror = mirrors.pop();
        mirror.ok_or_else(|| DocumentsError::NoMirror {
            files: name.to_owned(),
            found: BTreeSet::new(),
        })
    }

    /// As it is written.
    pub(super) fn to_yaml(&self) -> String {
        let metadata = self.metadata();
        let (source, images) = (self.source(), self.images());
        let (destination, prune) = (self.destination(), self.prune());
        let mirror = format!(
            "\
# What is copied from where to where. All fields: kubectl explain imir.spec, or docs/mirrors.md
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {metadata}
spec:
  source:
{source}    # secretRef: {{name: …}} where it takes a login
  images:
{images}  # Several destinations get each image at once, and each byte is read once.
  destinations:
{destination}  interval: 1h        # how often every tag is looked at, which costs no pull; or schedule: {{cron: \"0 3 * * *\"}}
{prune}"
        );
        mirror + &self.policy()
    }

    /// Of the mirror, and of the policy that belongs to it.
    fn metadata(&self) -> String {
        let name = text(&self.name);
        match &self.namespace {
            Some(namespace) => format!("{{name: {name}, namespace: {}}}", text(namespace)),
            None => format!("{{name: {name}}}"),
        }
    }

    fn source(&self) -> String {
        let registry = text(&self.from.registry);
        let speech = self.spoken(self.source_speech, "    ");
        format!("    registry: {registry}\n{speech}")
    }

    fn images(&self) -> String {
        let repository = text(&self.from.repository);
        match &self.tags {
            TagChoice::Patterns(patterns) => {
                let patterns = patterns.iter().map(TagPattern::as_str).map(text);
                let patterns: Vec<String> = patterns.collect();
                format!(
                    "    - repository: {repository}
      # Tags and globs; with policyRefs: [{{name: …}}] an ImagePolicy chooses versions, and says what they must prove.
      tags: [{}]
",
                    patterns.join(", ")
                )
            }
            TagChoice::Versions(_) => format!(
                "    - repository: {repository}
      policyRefs: [{{name: {}}}]
      # tags: [latest] takes tags beside those that the policy chooses
",
                text(&self.name)
            ),
        }
    }

    fn destination(&self) -> String {
        let Prefix { registry, path } = &self.to;
        let path = path
            .as_ref()
            .map_or_else(String::new, |path| format!("{path}/"));
        let speech = self.spoken(self.destination_speech, "      ");
        let secret = match &self.secret {
            Some(secret) => format!(
                "      # of type kubernetes.io/dockerconfigjson, in the namespace of the mirror
      secretRef: {{name: {}}}",
                text(secret)
            ),
            None => "      # secretRef: {name: …} in a cluster; on the command line the login of this machine counts".to_owned(),
        };
        format!(
            "    - name: main
      registry: {}
      repository: {}
{speech}{secret}
",
            text(registry),
            text(format_args!("{path}{{repository}}"))
        )
    }

    fn prune(&self) -> &'static str {
        match self.unwanted.mode() {
            PruneMode::Retain => "  # prune: {mode: Plan} says which tags at the destination are no longer wanted\n",
            PruneMode::Plan => {
                "  # Says which tags at the destination are no longer wanted, and deletes none. Next: {mode: Delete}
  prune: {mode: Plan}
"
            }
            PruneMode::Delete => {
                "  # Deletes what Transship wrote and nobody wants or uses, and never much without approval: docs/pruning.md
  prune: {mode: Delete}
"
            }
        }
    }

    /// The policy that chooses versions, where one does.
    fn policy(&self) -> String {
        let TagChoice::Versions(range) = &self.tags else {
            return String::new();
        };
        format!(
            "---
# Which versions, and what they must prove: docs/selection.md, docs/policies.md
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {}
spec:
  select:
    semver: {{range: {}, prereleases: Exclude}}
    # newest: {{count: 3, by: Version}} takes the newest of them only
",
            self.metadata(),
            text(range)
        )
    }

    /// What is said of how a registry speaks, as lines.
    fn spoken(&self, speech: Speech, indent: &str) -> String {
        let line = match (speech, &self.secret) {
            (Speech::Usual, _) => return String::new(),
            (Speech::PlainHttp, _) => {
                "insecure: true   # plain HTTP: nothing is encrypted".to_owned()
            }
            (Speech::PerhapsPlainHttp, _) => {
                "# insecure: true   # it answered in plain HTTP; if that is how it should be"
                    .to_owned()
            }
            (Speech::PrivateAuthority, Some(_)) => {
                format!("certSecretRef: {{name: {AUTHORITY}}}   # its authority is in ca.crt there")
            }
            (Speech::PrivateAuthority, None) => {
                format!(
                    "# certSecretRef: {{name: {AUTHORITY}}}   # in a cluster; on the command line --ca-file counts"
                )
            }
        };
        format!("{indent}{line}\n")
    }

    /// Its registries that are spoken to like this.
    pub(super) fn registries_in(&self, speech: Speech) -> Vec<String> {
        let registries = [
            (self.source_speech, &self.from.registry),
            (self.destination_speech, &self.to.registry),
        ];
        let spoken = registries.into_iter().filter(|(has, _)| *has == speech);
        spoken.map(|(_, registry)| registry.to_string()).collect()
    }

    /// Whether one of its registries is spoken to like this.
    pub(super) fn speaks(&self, speech: Speech) -> bool {
        !self.registries_in(speech).is_empty()
    }
}

/// A text in YAML, quoted as in JSON.
fn text(value: impl Display) -> String {
    serde_json::Value::from(value.to_string()).to_string()
}

/// The last part of a repository, as objects may be called.
fn name_of(repository: &Repository) -> String {
    let last = repository.as_str().rsplit('/').next().unwrap_or_default();
    let word = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    };
    let name: String = last.chars().take(NAME).map(word).collect();
    name.trim_end_matches('-').to_owned()
}
