//! `transship copy`: one image, or all tags of a repository, without a document.

use std::time::Instant;

use futures::{StreamExt, stream};
use serde::Serialize;

use super::address::image_name;
use super::args::{CopyArgs, OutputArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::interrupt::until_interrupted;
use super::output::Output;
use super::progress::Progress;
use super::sync::exit;
use super::table::Table;
use super::trust::Trust;
use super::{summary, units};
use crate::api::{AbsentPlatform, IndexMode, Reason, ReferrersMode};
use crate::copy::{self, Action, Done, Endpoint, Engine, Job, Origin, TagPush, Target, endpoint};
use crate::oci::{Digest, Platform, Reference, Tag, TagOrDigest};
use crate::plan::Platforms;
use crate::sync::report::{Failure, MirrorReport, Outcome, TagReport, Totals};
use crate::sync::{Observer, Report};

/// Tags that are copied at once. What a registry bears is decided by its own limits.
const TAGS: usize = 32;

/// Where images are copied from and to, and how.
struct Copy {
    engine: Engine,
    origin: Origin,
    target: Target,
    /// The source and the destination as people write them, without tag or digest.
    names: (String, String),
    platforms: Platforms,
    referrers: ReferrersMode,
}

/// One image of the source, and its tag at the destination; none where it is known by its digest only.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    from: TagOrDigest,
    to: Option<Tag>,
}

/// What machines read of a copy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CopyDocument<'a> {
    /// Images that were not found.
    failures: &'a [Failure],
    tags: &'a [TagReport],
    totals: Totals,
}

/// Runs `transship copy`.
pub(super) async fn run(args: &CopyArgs, output: &Output) -> Result<Exit, Error> {
    let chosen = choose(args)?;
    let began = Instant::now();
    let progress = Progress::new(output);
    let copy = Copy::open(args, copy::Progress::none().with(progress.clone())).await?;
    let done = until_interrupted(async {
        let items = match chosen {
            Some(item) => vec![item],
            None => copy.list().await?,
        };
        progress.planned(items.len());
        Ok::<_, Error>(copy.run(items, &*progress).await)
    })
    .await;
    progress.finish();
    let Some(copied) = done else {
        output.note("interrupted: what is done stays, the same command does the rest");
        return Ok(Exit::Interrupted);
    };
    let report = Report {
        mirrors: vec![copied?],
    };
    let line = summary::line(&report.totals(), began.elapsed());
    let OutputArgs { output: format } = args.output;
    output.print_value(format, &document(&report), |_| {
        let table = if output.is_quiet() {
            String::new()
        } else {
            table(&report)
        };
        summary::paragraphs([table, summary::failures(&report), line + "\n"])
    })?;
    Ok(exit(&report))
}

fn document(report: &Report) -> CopyDocument<'_> {
    let copied = report.mirrors.first();
    CopyDocument {
        failures: copied.map_or(&[], |copied| &copied.failures),
        tags: copied.map_or(&[], |copied| &copied.tags),
        totals: report.totals(),
    }
}

/// The table of a copy: one row for each tag.
fn table(report: &Report) -> String {
    let mut table = Table::new(["SOURCE", "DESTINATION", "DIGEST", "ACTION", "SENT"]);
    for tag in report.mirrors.iter().flat_map(|copied| &copied.tags) {
        let TagReport {
            source,
            destination: _,
            target,
            source_digest,
            outcome,
        } = tag;
        let (digest, action, bytes) = match outcome {
            Outcome::Copied { digest, bytes } => (digest, "copied", *bytes),
            Outcome::Retagged { digest } => (digest, "retagged", 0),
            Outcome::Unchanged | Outcome::Frozen => (source_digest, "unchanged", 0),
            Outcome::Planned { .. } => (source_digest, "planned", 0),
            Outcome::Failed(_) => (source_digest, "failed", 0),
        };
        table.row([
            source.clone(),
            target.clone(),
            digest.to_string(),
            action.to_owned(),
            units::bytes(bytes),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    table.to_string()
}

/// The image that the arguments name, or nothing where they name all tags.
fn choose(args: &CopyArgs) -> Result<Option<Item>, Error> {
    let (source, destination) = (&args.source, &args.destination);
    if args.all_tags {
        return match (source.is_bare(), destination.is_bare()) {
            (true, true) => Ok(None),
            (false, _) => Err(Error::Usage(
                "SRC names one image, --all-tags copies all: leave out its tag or digest"
                    .to_owned(),
            )),
            (true, false) => Err(Error::Usage(
                "DST names one image, --all-tags copies all: leave out its tag or digest"
                    .to_owned(),
            )),
        };
    }
    if destination.digest.is_some() {
        return Err(Error::Usage(
            "DST has a digest, which the content alone decides: write a tag or none".to_owned(),
        ));
    }
    let own = match source.target() {
        TagOrDigest::Tag(tag) => Some(tag),
        TagOrDigest::Digest(_) => source.tag.clone(),
    };
    Ok(Some(Item {
        from: source.target(),
        to: destination.tag.clone().or(own),
    }))
}

// === impl Copy ===

impl Copy {
    async fn open(args: &CopyArgs, events: copy::Progress) -> Result<Self, Error> {
        let connector = Connector::new(Trust::read(&args.registry)?);
        let (source, destination) = (&args.source, &args.destination);
        let open = async |reference: &Reference| {
            let client = connector.client(&reference.registry, Some(&reference.repository));
            Ok::<_, Error>(Endpoint::Registry(client.await?))
        };
        let name =
            |reference: &Reference| format!("{}/{}", reference.registry, reference.repository);
        Ok(Self {
            engine: Engine::new(events),
            origin: Origin {
                endpoint: open(source).await?,
                repository: source.repository.clone(),
            },
            target: Target {
                endpoint: open(destination).await?,
                repository: destination.repository.clone(),
                tags: Vec::new(),
            },
            names: (name(source), name(destination)),
            platforms: platforms(&args.platform),
            referrers: if args.no_referrers {
                ReferrersMode::Skip
            } else {
                ReferrersMode::Copy
            },
        })
    }

    /// Every tag of the source but those that belong to referrers, which come with their images.
    async fn list(&self) -> Result<Vec<Item>, Error> {
        let Origin {
            endpoint,
            repository,
        } = &self.origin;
        let tags = endpoint.list_tags(repository).await?;
        let items = tags
            .into_iter()
            .filter(|tag| !tag.is_referrers_tag())
            .map(|tag| Item {
                from: TagOrDigest::Tag(tag.clone()),
                to: Some(tag),
            });
        Ok(items.collect())
    }

    /// Copies the items; one failure does not stop the others. The report has them in their order.
    async fn run(&self, items: Vec<Item>, observer: &dyn Observer) -> MirrorReport {
        let mut report = MirrorReport::new("");
        let mut results = stream::iter(items)
            .map(|item| async move {
                let copied = self.copy(&item).await;
                if let Ok(tag) = &copied {
                    observer.finished(tag);
                }
                copied
            })
            .buffered(TAGS);
        while let Some(copied) = results.next().await {
            match copied {
                Ok(tag) => report.tags.push(tag),
                Err(failure) => report.failures.push(failure),
            }
        }
        report
    }

    async fn copy(&self, Item { from, to }: &Item) -> Result<TagReport, Failure> {
        let (source, destination) = &self.names;
        let source = image_name(source, from);
        let digest = self.resolve(from, &source).await?;
        let name = to.clone().map_or(digest.clone().into(), TagOrDigest::from);
        let target = image_name(destination, &name);
        let outcome = self.bring(&digest, to.as_ref(), &target).await;
        Ok(TagReport {
            source,
            destination: self.target.endpoint.name(),
            target,
            source_digest: digest,
            outcome: outcome.unwrap_or_else(Outcome::Failed),
        })
    }

    async fn resolve(&self, from: &TagOrDigest, source: &str) -> Result<Digest, Failure> {
        let Origin {
            endpoint,
            repository,
        } = &self.origin;
        let resolved = endpoint.resolve(repository, from, None).await;
        resolved
            .map_err(|error| failed(source, &error))?
            .ok_or_else(|| Failure {
                subject: source.to_owned(),
                reason: Reason::NotFound,
                message: format!("{source} does not exist"),
                next_attempt_time: None,
            })
    }

    /// Copies what the destination lacks.
    async fn bring(
        &self,
        digest: &Digest,
        tag: Option<&Tag>,
        target: &str,
    ) -> Result<Outcome, Failure> {
        let copying = |error: copy::Error| Failure {
            subject: target.to_owned(),
            reason: error.reason(),
            message: error.to_string(),
            next_attempt_time: error.retry_at(),
        };
        let expected = self
            .engine
            .expected_digest(&self.origin, digest, &self.platforms);
        let expected = expected.await.map_err(copying)?;
        let name = tag.map_or(expected.clone().into(), |tag| tag.clone().into());
        let Target {
            endpoint,
            repository,
            ..
        } = &self.target;
        let current = endpoint.resolve(repository, &name, None).await;
        let current = current.map_err(|error| failed(target, &error))?;
        if current.as_ref() == Some(&expected) {
            return Ok(Outcome::Unchanged);
        }
        let tags = tag.map(|tag| TagPush {
            tag: tag.clone(),
            current,
            previous: None,
        });
        let job = Job {
            origin: self.origin.clone(),
            digest: digest.clone(),
            platforms: self.platforms.clone(),
            referrers: self.referrers,
            targets: vec![Target {
                tags: tags.into_iter().collect(),
                ..self.target.clone()
            }],
        };
        let results = self.engine.copy(&job).await.into_iter().next();
        results.map_or(Ok(Outcome::Unchanged), |done| {
            done.map(outcome).map_err(copying)
        })
    }
}

fn outcome(
    Done {
        digest,
        action,
        bytes,
    }: Done,
) -> Outcome {
    match action {
        Action::Unchanged => Outcome::Unchanged,
        Action::Retagged => Outcome::Retagged { digest },
        Action::Copied => Outcome::Copied { digest, bytes },
    }
}

fn failed(subject: &str, error: &endpoint::Error) -> Failure {
    Failure {
        subject: subject.to_owned(),
        reason: error.reason(),
        message: error.to_string(),
        next_attempt_time: error.retry_at(),
    }
}

fn platforms(list: &[Platform]) -> Platforms {
    if list.is_empty() {
        return Platforms::All;
    }
    Platforms::List {
        platforms: list.to_vec(),
        absent: AbsentPlatform::Fail,
        index: IndexMode::Rewrite,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Arguments, Command};
    use super::*;

    fn chosen(arguments: &[&str]) -> String {
        let words = ["transship", "copy"].iter().chain(arguments);
        let Command::Copy(args) = Arguments::try_parse_from(words).unwrap().command else {
            panic!("{arguments:?}")
        };
        match choose(&args) {
            Ok(None) => "all tags".to_owned(),
            Ok(Some(Item { from, to })) => {
                format!(
                    "{from} to {}",
                    to.map_or("no tag".to_owned(), |tag| tag.to_string())
                )
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_arguments_name_one_image_or_all_tags() {
        let digest = Digest::sha256(b"a");
        let pinned = format!("app@{digest}");
        let named = format!("app:1@{digest}");
        let cases: [(&str, &[&str], String); 11] = [
            (
                "neither has a tag",
                &["app", "b.test/app"],
                "latest to latest".to_owned(),
            ),
            (
                "the source's tag",
                &["app:1", "b.test/app"],
                "1 to 1".to_owned(),
            ),
            (
                "another tag",
                &["app:1", "b.test/app:2"],
                "1 to 2".to_owned(),
            ),
            (
                "a digest",
                &[&pinned, "b.test/app"],
                format!("{digest} to no tag"),
            ),
            (
                "a digest and a tag",
                &[&pinned, "b.test/app:2"],
                format!("{digest} to 2"),
            ),
            (
                "a digest with a tag",
                &[&named, "b.test/app"],
                format!("{digest} to 1"),
            ),
            ("all", &["-a", "app", "b.test/app"], "all tags".to_owned()),
            (
                "all of one",
                &["-a", "app:1", "b.test/app"],
                "SRC names one image, --all-tags copies all: leave out its tag or digest"
                    .to_owned(),
            ),
            (
                "all to one",
                &["-a", "app", "b.test/app:1"],
                "DST names one image, --all-tags copies all: leave out its tag or digest"
                    .to_owned(),
            ),
            (
                "to a digest",
                &["app", &pinned],
                "DST has a digest, which the content alone decides: write a tag or none".to_owned(),
            ),
            (
                "latest to a tag",
                &["app", "b.test/app:2"],
                "latest to 2".to_owned(),
            ),
        ];
        for (name, arguments, expected) in cases {
            assert_eq!(chosen(arguments), expected, "{name}");
        }
    }

    #[test]
    fn tags_in_a_table() {
        let tag = |tag: &str, outcome| TagReport {
            source: format!("docker.io/library/app:{tag}"),
            destination: "b.test".to_owned(),
            target: format!("b.test/app:{tag}"),
            source_digest: Digest::sha256(b"source"),
            outcome,
        };
        let copied = Outcome::Copied {
            digest: Digest::sha256(b"rewritten"),
            bytes: 3_400_000,
        };
        let mut report = MirrorReport::new("");
        report.tags = vec![tag("1", copied), tag("2", Outcome::Unchanged)];
        insta::assert_snapshot!(table(&Report { mirrors: vec![report] }), @r"
        SOURCE                    DESTINATION    DIGEST                                                                    ACTION      SENT
        docker.io/library/app:1   b.test/app:1   sha256:04d96d8a91ea74aa0ec9adb2f390d4f025b3a4517bae57226f0903962de682b0   copied      3.4 MB
        docker.io/library/app:2   b.test/app:2   sha256:41cf6794ba4200b839c53531555f0f3998df4cbb01a4d5cb0b94e3ca5e23947d   unchanged   0 B
        ");
    }
}
