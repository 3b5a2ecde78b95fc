// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship suspend` and `resume`.

use serde_json::json;

use super::cluster::Cluster;
use crate::cli::args::{ClusterArgs, MirrorArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::output::Output;

/// Runs `kubectl transship suspend`, or `resume`.
pub(super) async fn run(
    args: &MirrorArgs,
    suspend: bool,
    place: &ClusterArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let (cluster, mirror) = Cluster::of_mirror(place, &args.name).await?;
    let name = &mirror.name;
    let was = cluster.mirror(name).await?.spec.suspend;
    if was != suspend {
        let change = json!({"spec": {"suspend": suspend}});
        cluster.change(name, &change).await?;
    }
    let told = match (suspend, was) {
        (true, false) => format!(
            "suspended: no round runs until {}",
            mirror.command("resume")
        ),
        (true, true) => "was suspended already".to_owned(),
        (false, true) => "resumed: its next round begins now".to_owned(),
        (false, false) => "was not suspended".to_owned(),
    };
    output.print(format!("{mirror}: {told}\n"))?;
    Ok(Exit::Success)
}
