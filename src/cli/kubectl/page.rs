// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship page`: one file for a browser, of what the person may read.

use std::io;

use super::cluster::Cluster;
use crate::cli::args::{ClusterArgs, PageArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::page::{PageScene, Search, render_page};
use crate::plan::mirror_home::MirrorHome;
use crate::plan::why::ImageAnswer;
use crate::runtime::clock;

/// Runs `kubectl transship page`.
pub(super) async fn run(
    args: &PageArgs,
    place: &ClusterArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let cluster = Cluster::connect(place, args.all_namespaces).await?;
    let listed = cluster.list_all(output).await?;
    let known = listed.known();
    let asked = args.images.iter();
    let answers = asked.map(|asked| {
        let unreadable = listed
            .unreadable
            .iter()
            .map(|unreadable| &unreadable.mirror);
        ImageAnswer::of(asked, &known).beside_unreadable(unreadable)
    });
    let answers: Vec<ImageAnswer> = answers.collect();
    let page = render_page(&PageScene {
        place: &cluster.place(),
        home: &MirrorHome::Cluster,
        known: &known,
        unreadable: &listed.unreadable,
        traffic: &[],
        sharing: None,
        search: Search::File(&answers),
        now: clock::now(),
    });
    output.print(page.map_err(|error| Error::Output(io::Error::other(error)))?)?;
    Ok(Exit::Success)
}
