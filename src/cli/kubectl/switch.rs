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
    let name = &args.name;
    let cluster = Cluster::connect(place, false).await?;
    let mirror = format!("{}/{name}", cluster.namespace());
    let was = cluster.mirror(name).await?.spec.suspend;
    if was != suspend {
        let change = json!({"spec": {"suspend": suspend}});
        cluster.change(name, &change).await?;
    }
    let told = match (suspend, was) {
        (true, false) => "suspended: no round runs until kubectl transship resume",
        (true, true) => "was suspended already",
        (false, true) => "resumed: its next round begins now",
        (false, false) => "was not suspended",
    };
    output.print(format!("{mirror}: {told}\n"))?;
    Ok(Exit::Success)
}
