// SPDX-License-Identifier: Apache-2.0

//! `transship images`: the images that manifests name, or that run in a cluster.

mod gathered;
mod manifests;
mod view;

use std::path::PathBuf;

use self::gathered::GatheredImages;
pub(super) use self::manifests::ManifestsError;
pub(super) use self::view::ImageList;
use super::args::{ImagesArgs, ImagesFormat};
use super::error::Error;
use super::exit::Exit;
use super::output::{Document, Output};
use super::table::one_line;
use super::units;
use crate::controller::workloads::{ClusterWorkloads, Gather as _};
use crate::convert::{Prefix, mirrors_of};
use crate::oci::Reference;
use crate::runtime::kubernetes::Clients;
use crate::runtime::shutdown::until_signal;

/// Fields without an image that are told one by one.
const NOTES: usize = 20;
/// Images in arguments and environment that are told one by one.
const MENTIONED: usize = 5;
/// What is left out of mirrors is told one by one up to here.
const COMMENTS: usize = 200;

/// The kind of what machines read.
pub(super) const KIND: &str = "ImageList";

impl Document for ImageList {
    const KIND: &'static str = KIND;
}

/// Runs `transship images`.
pub(super) async fn run(args: &ImagesArgs, output: &Output) -> Result<Exit, Error> {
    let files: Vec<PathBuf> = args.files.iter().chain(&args.filename).cloned().collect();
    if files.is_empty() && !args.from_cluster {
        let message = "name files or directories with manifests, - for standard input, or --from-cluster; tags of a repository are listed by `transship ls`";
        return Err(Error::Usage(message.to_owned()));
    }
    let to = destination(args)?;
    let empty = GatheredImages::new(&args.field);
    let mut images = manifests::read(&files, &empty)?;
    if args.from_cluster {
        let Some(of_cluster) = until_signal(ask_cluster(args, &empty)).await else {
            return Ok(Exit::Interrupted);
        };
        images.merge(of_cluster?);
    }
    let list = images.into_list();
    if !output.is_quiet() {
        tell_left_out(&list, output);
        tell_mentioned(&list, output);
    }
    print(args, to, &list, output)?;
    Ok(Exit::Success)
}

/// Where mirrors copy to.
fn destination(args: &ImagesArgs) -> Result<Option<&Prefix>, Error> {
    let is_mirror = args.output == ImagesFormat::Mirror;
    match &args.to {
        None if is_mirror => {
            let message = "say where the mirrors copy to: --to REGISTRY[/PREFIX]";
            Err(Error::Usage(message.to_owned()))
        }
        to => Ok(to.as_ref()),
    }
}

async fn ask_cluster(args: &ImagesArgs, empty: &GatheredImages) -> Result<GatheredImages, Error> {
    let context = args.context.as_deref();
    let clients = Clients::configure(args.kubeconfig.as_deref(), context).await;
    let clients = clients.map_err(ManifestsError::Kubernetes)?;
    let workloads = ClusterWorkloads::new(clients.call).with_extra(args.in_use_extra.clone());
    Ok(workloads.gather(empty).await?)
}

fn tell_left_out(list: &ImageList, output: &Output) {
    for left_out in list.left_out.iter().take(NOTES) {
        output.note(&format!("left out: {left_out}"));
    }
    let rest = list.left_out.len().saturating_sub(NOTES);
    if rest > 0 {
        output.note(&format!("left out: {rest} more, see -o json"));
    }
}

/// What may be pulled, too.
fn tell_mentioned(list: &ImageList, output: &Output) {
    for mentioned in list.mentioned.iter().take(MENTIONED) {
        output.note(&format!("not counted, but reads as an image: {mentioned}"));
    }
    let rest = list.mentioned.len().saturating_sub(MENTIONED);
    if rest > 0 {
        output.note(&format!("not counted, but reads as an image: {rest} more"));
    }
}

fn print(
    args: &ImagesArgs,
    to: Option<&Prefix>,
    list: &ImageList,
    output: &Output,
) -> Result<(), Error> {
    match (args.output, to) {
        (ImagesFormat::Name, _) => output.print(list.names()),
        (ImagesFormat::Mirror, Some(to)) => output.print(mirrors(args, to, list, output)?),
        (format, _) => output.print_value(format.document(), list, view::render),
    }
}

fn mirrors(
    args: &ImagesArgs,
    to: &Prefix,
    list: &ImageList,
    output: &Output,
) -> Result<String, Error> {
    let (there, others): (Vec<_>, Vec<_>) = list.references().partition(|image| to.has(image));
    let comments = comments(list, &there);
    if !there.is_empty() && !output.is_quiet() {
        let count = units::count(there.len(), "image", "images");
        output.note(&format!("note: at the destination already: {count}"));
    }
    let mirrors = mirrors_of(others, to, args.scoped);
    let mirrors = mirrors.map_err(|clash| Error::Usage(clash.to_string()))?;
    Ok(comments + &mirrors)
}

/// What stands in none of the mirrors, and why, in front of them.
fn comments(list: &ImageList, there: &[&Reference]) -> String {
    let there = there
        .iter()
        .map(|image| format!("{image}: at the destination already"));
    let left_out = list.left_out.iter().map(ToString::to_string);
    let all: Vec<String> = left_out.chain(there).collect();
    let mut lines: Vec<String> = all
        .iter()
        .take(COMMENTS)
        .map(|why| format!("# left out: {}\n", one_line(why)))
        .collect();
    let rest = all.len().saturating_sub(COMMENTS);
    if rest > 0 {
        lines.push(format!("# left out: {rest} more\n"));
    }
    lines.concat()
}
