//! `transship copy`: one image, or all tags of a repository, without a document.

mod transfer;

use std::time::Instant;

use serde::Serialize;

use self::transfer::{Item, Transfer};
use super::args::{CopyArgs, OutputArgs};
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use super::progress::Progress;
use super::report::exit;
use super::table::Table;
use super::{summary, units};
use crate::copy;
use crate::oci::TagOrDigest;
use crate::plan::report::{Failure, Outcome, TagReport, Totals};
use crate::runtime::shutdown::until_signal;
use crate::sync::Report;

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
    let events = copy::Progress::none().with(progress.clone());
    let transfer = Transfer::open(args, events).await?;
    let done = until_signal(async {
        let items = match chosen {
            Some(item) => vec![item],
            None => transfer.list().await?,
        };
        progress.expect(items.len());
        Ok::<_, Error>(transfer.run(items, &*progress).await)
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
            selected_by: _,
            outcome,
        } = tag;
        let (digest, action, bytes) = match outcome {
            Outcome::Copied { digest, bytes } => (digest, "copied", *bytes),
            Outcome::Retagged { digest } => (digest, "retagged", 0),
            Outcome::Completed { digest, bytes } => (digest, "completed", *bytes),
            Outcome::Unchanged | Outcome::Frozen => (source_digest, "unchanged", 0),
            Outcome::Planned { .. } => (source_digest, "planned", 0),
            Outcome::Refused(_) => (source_digest, "refused", 0),
            Outcome::Quarantined(_) => (source_digest, "quarantined", 0),
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Arguments, Command};
    use super::*;
    use crate::oci::Digest;
    use crate::plan::report::MirrorReport;

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
            selected_by: Vec::new(),
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
