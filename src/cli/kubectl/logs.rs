// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship logs`: what the controller says of a mirror.

use futures::stream::{self, BoxStream, SelectAll, StreamExt as _};
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt as _};
use serde_json::Value;

use super::cluster::{Cluster, place as place_of};
use super::error::PluginError;
use crate::cli::args::{ClusterArgs, LogsArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::table::one_line;
use crate::runtime::shutdown::until_signal;

/// What the chart calls its pods.
const PODS: &str = "app.kubernetes.io/name=transship";
/// The container of these pods.
const CONTAINER: &str = "controller";
/// Where a person gets the rights from.
const ROLE: &str = ", which no role of the Helm chart has";

/// The lines of a pod.
type Lines = BoxStream<'static, std::io::Result<String>>;

/// Runs `kubectl transship logs`.
pub(super) async fn run(
    args: &LogsArgs,
    place: &ClusterArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let (cluster, mirror) = Cluster::of_mirror(place, &args.name).await?;
    let lines = open(&cluster, args).await?;
    let mirror = mirror.to_string();
    let printed = print(lines, &mirror, output);
    match until_signal(printed).await {
        Some(printed) => printed.map(|()| Exit::Success),
        None => Ok(Exit::Interrupted),
    }
}

/// The lines of all pods of the controller: only the one that holds the lease says anything of mirrors.
async fn open(cluster: &Cluster, args: &LogsArgs) -> Result<SelectAll<Lines>, PluginError> {
    let LogsArgs {
        name: _,
        follow,
        since,
        controller_namespace,
    } = args;
    let pods = |client| -> Api<Pod> { Api::namespaced(client, controller_namespace) };
    let calls = pods(cluster.clients.call.clone());
    let pods = pods(cluster.clients.log.clone());
    let failed = |verb, resource: &str, error: &kube::Error| {
        let place = place_of(Some(controller_namespace));
        cluster.refused(verb, resource.to_owned(), place, ROLE, error)
    };
    let listed = calls.list(&ListParams::default().labels(PODS)).await;
    let listed = listed.map_err(|error| failed("list", "pods", &error))?;
    if listed.items.is_empty() {
        let namespace = controller_namespace.clone();
        return Err(PluginError::NoController { namespace });
    }
    let since = since.map(|since| i64::try_from(since.as_std().as_secs()).unwrap_or(i64::MAX));
    let parameters = LogParams {
        container: Some(CONTAINER.to_owned()),
        follow: *follow,
        since_seconds: since,
        ..LogParams::default()
    };
    let mut all = stream::select_all(Vec::<Lines>::new());
    for pod in &listed.items {
        let lines = pods.log_stream(&pod.name_any(), &parameters).await;
        let lines = lines.map_err(|error| failed("get", "pods/log", &error))?;
        all.push(lines.lines().boxed());
    }
    Ok(all)
}

async fn print(mut lines: SelectAll<Lines>, mirror: &str, output: &Output) -> Result<(), Error> {
    while let Some(line) = lines.try_next().await.map_err(Error::Output)? {
        if is_about(&line, mirror) {
            output.print(one_line(&line) + "\n")?;
        }
    }
    Ok(())
}

/// Whether a line of the log is about a mirror: one in JSON by its fields or those of its spans, any other by its words.
fn is_about(line: &str, mirror: &str) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_str(line) else {
        return is_among_words(line, mirror);
    };
    let names = |value: Option<&Value>| value.and_then(Value::as_str) == Some(mirror);
    let spans = fields.get("spans").and_then(Value::as_array);
    let mut spans = fields
        .get("span")
        .into_iter()
        .chain(spans.into_iter().flatten());
    names(fields.get("mirror")) || spans.any(|span| names(span.get("mirror")))
}

/// Whether it stands there as a whole word.
fn is_among_words(line: &str, mirror: &str) -> bool {
    let is_of_name =
        |character: char| character.is_ascii_alphanumeric() || "-./".contains(character);
    let mut words = line.split(|character| !is_of_name(character));
    words.any(|word| word.trim_end_matches('.') == mirror)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_about_the_mirror_that_they_name() {
        let cases = [
            (
                r#"{"message":"failed","span":{"mirror":"platform/base","name":"round"}}"#,
                true,
            ),
            (
                r#"{"message":"failed","spans":[{"mirror":"platform/base"},{"name":"tag"}]}"#,
                true,
            ),
            (r#"{"message":"gone","mirror":"platform/base"}"#, true),
            (
                r#"{"message":"platform/base","span":{"mirror":"platform/base-images"}}"#,
                false,
            ),
            (r#"{"message":"holding the lease"}"#, false),
            (
                r#"INFO round{mirror="platform/base" cause=Requested}: the round ended"#,
                true,
            ),
            (
                r#"INFO round{mirror="platform/base-images"}: the round ended"#,
                false,
            ),
            (
                r#"INFO round{mirror="a-platform/base"}: the round ended"#,
                false,
            ),
            ("WARN nothing is known of platform/base.", true),
        ];
        for (line, expected) in cases {
            assert_eq!(is_about(line, "platform/base"), expected, "{line}");
        }
    }
}
