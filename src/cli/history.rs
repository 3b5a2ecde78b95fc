// SPDX-License-Identifier: Apache-2.0

//! `transship history`: the steps that made an image, and what each of them weighs.

use schemars::JsonSchema;
use serde::Serialize;

use super::address::image_name;
use super::args::{HistoryArgs, OutputArgs};
use super::config::Step;
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::image::Named;
use super::look::Look;
use super::open::open;
use super::output::{Document, Output};
use super::table::Table;
use super::units;
use crate::oci::{Content, Descriptor, Digest};
use crate::runtime::shutdown::until_signal;

/// The longest step that is shown where nobody asked for all of it, in characters.
const STEP: usize = 60;

/// The kind of what machines read.
pub(super) const KIND: &str = "History";

/// What machines read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HistoryView {
    /// The image as it was named.
    reference: String,
    platform: String,
    digest: Digest,
    history: Vec<StepView>,
}

/// One step of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StepView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    pub(super) created_by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) comment: String,
    pub(super) empty_layer: bool,
    /// Bytes of the layer as it is stored, compressed; none of a step without a layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    /// The layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<Digest>,
}

impl Document for HistoryView {
    const KIND: &'static str = KIND;
}

/// Runs `transship history`.
pub(super) async fn run(args: &HistoryArgs, output: &Output) -> Result<Exit, Error> {
    let HistoryArgs {
        reference,
        platform,
        no_trunc,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let connector = Connector::open(registry)?;
    let looked = until_signal(async {
        let Named { source, target } = open(&connector, reference).await?;
        let root = source.fetch_named(&target).await?;
        let entry = source.select(&root, platform.as_ref()).await?;
        let Content::Image(manifest) = entry.manifest.content() else {
            return Err(Error::Image(format!("{reference} is no image")));
        };
        let config = source.config(manifest).await?;
        let config = config
            .ok_or_else(|| Error::Image(format!("{reference} has no config: it is no image")))?;
        Ok(HistoryView {
            reference: image_name(&source.name, &target),
            platform: config.platform.to_string(),
            digest: entry.manifest.digest().clone(),
            history: steps(config.history, &manifest.layers),
        })
    });
    let Some(view) = looked.await else {
        return Ok(Exit::Interrupted);
    };
    output.print_value(*format, &view?, |view, look| {
        let look = if *no_trunc { Look::everything() } else { look };
        // The newest first, as docker has it.
        let steps: Vec<StepView> = view.history.iter().rev().cloned().collect();
        table(&steps, look)
    })?;
    Ok(Exit::Success)
}

/// The steps with their layers, as far as builders wrote them down: those that made none are counted out.
pub(super) fn steps(history: Vec<Step>, layers: &[Descriptor]) -> Vec<StepView> {
    let made = history.iter().filter(|step| !step.empty_layer).count();
    // Where there are more layers than steps, a base image came without its history.
    let mut layers = layers.iter().skip(layers.len().saturating_sub(made));
    let view = |step: Step| {
        let Step {
            created,
            created_by,
            comment,
            empty_layer,
        } = step;
        let layer = if empty_layer { None } else { layers.next() };
        StepView {
            created,
            created_by,
            comment,
            empty_layer,
            size: layer.map(|layer| layer.size),
            digest: layer.map(|layer| layer.digest.clone()),
        }
    };
    history.into_iter().map(view).collect()
}

/// The steps as a table, in their order.
pub(super) fn table(steps: &[StepView], look: Look) -> String {
    let mut table = Table::new(["CREATED", "SIZE", "STEP"]);
    for step in steps {
        let text = one_space(&step.created_by);
        let text = if look.is_wide { text } else { cut(&text) };
        table.row([
            step.created.as_deref().map(seconds).unwrap_or_default(),
            units::bytes(step.size.unwrap_or_default()),
            text,
        ]);
    }
    table.fit(look.width)
}

/// A time without its fractions of a second.
fn seconds(time: &str) -> String {
    let parsed: Result<jiff::Timestamp, _> = time.parse();
    parsed.map_or(time.to_owned(), |time| format!("{time:.0}"))
}

/// A step as its builder was told: without the shell that runs it, and with one blank for several.
fn one_space(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let shell = text.strip_prefix("/bin/sh -c ");
    match shell.map(|step| step.strip_prefix("#(nop) ").ok_or(step)) {
        Some(Ok(step)) => step.to_owned(),
        Some(Err(step)) => format!("RUN {step}"),
        None => text,
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= STEP {
        return text.to_owned();
    }
    text.chars().take(STEP - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(by: &str, empty_layer: bool) -> Step {
        Step {
            created: Some("2026-01-02T03:04:05.678901234Z".to_owned()),
            created_by: by.to_owned(),
            comment: String::new(),
            empty_layer,
        }
    }

    fn layer(size: u64) -> Descriptor {
        Descriptor {
            size,
            ..Descriptor::of("a/b".into(), &size.to_be_bytes())
        }
    }

    fn history() -> Vec<Step> {
        vec![
            step("/bin/sh -c #(nop) ADD file:abc in / ", false),
            step("ENV A=1", true),
            step(
                "/bin/sh -c apk add --no-cache   curl git openssh-client build-base python3 py3-pip",
                false,
            ),
        ]
    }

    #[test]
    fn steps_have_the_sizes_of_their_layers() {
        let sizes = |layers: &[Descriptor]| -> Vec<Option<u64>> {
            steps(history(), layers)
                .iter()
                .map(|step| step.size)
                .collect()
        };
        assert_eq!(sizes(&[layer(3), layer(4)]), [Some(3), None, Some(4)]);
        assert_eq!(
            sizes(&[layer(9), layer(3), layer(4)]),
            [Some(3), None, Some(4)]
        );
        assert_eq!(sizes(&[layer(3)]), [Some(3), None, None]);
    }

    #[test]
    fn history_as_a_table() {
        let steps = steps(history(), &[layer(3_400_000), layer(12_000)]);
        let looks = [Some(80), Some(100), Some(200)].map(|width| Look {
            is_wide: false,
            width,
        });
        let tables = looks.map(|look| table(&steps, look));
        insta::assert_snapshot!(tables.join("\n"));
        insta::assert_snapshot!(table(&steps, Look::everything()));
    }
}
