// SPDX-License-Identifier: Apache-2.0

//! `transship controller`: the mirrors of a cluster.

use std::num::NonZeroU8;

use super::args::{ControllerArgs, PageAddress};
use super::error::Error;
use super::exit::Exit;
use super::trust;
use crate::controller::page::PageSettings;
use crate::controller::{self, JobImage, JobSettings, Settings};
use crate::runtime::lease::shards::Division;
use crate::runtime::shutdown;

/// Most bytes of authorities that go along with a Job: a variable of the environment takes no more.
const CA_BYTES: usize = 96 * 1024;

/// Runs until a signal comes, or until the lease is lost.
pub(super) async fn run(args: &ControllerArgs) -> Result<Exit, Error> {
    let ControllerArgs {
        kubeconfig,
        context,
        watch_namespaces,
        lease_namespace,
        lease_name,
        listen_address,
        events_address,
        page_address,
        page_auth,
        concurrent_rounds,
        rounds_per_namespace,
        max_mirror_timeout,
        max_read_memory,
        max_tags_per_mirror,
        disable_prune,
        in_use,
        in_use_extra,
        boundaries,
        // Read by `division`.
        shards: _,
        job_image,
    } = args;
    let ca_pem = boundaries
        .ca_file
        .as_deref()
        .map(trust::read_authorities)
        .transpose()?;
    let jobs = job_image.as_ref();
    let jobs = jobs.map(|image| job_settings(image, args, ca_pem.as_deref()));
    let page = page_address.map(|address| page_settings(address, *page_auth));
    let settings = Settings {
        kubeconfig: kubeconfig.clone(),
        context: context.clone(),
        namespaces: watch_namespaces.iter().map(ToString::to_string).collect(),
        lease_namespace: lease_namespace.as_ref().map(ToString::to_string),
        lease_name: lease_name.to_string(),
        division: division(args)?,
        listen_address: *listen_address,
        events_address: *events_address,
        page: page.transpose()?,
        concurrent_rounds: concurrent_rounds.get(),
        rounds_per_namespace: rounds_per_namespace.get(),
        read_memory: max_read_memory.as_ref().map(trust::bytes),
        tags_per_mirror: max_tags_per_mirror.get(),
        longest_round: *max_mirror_timeout,
        prunes: !disable_prune,
        looks_at_workloads: *in_use,
        in_use_extra: in_use_extra.clone(),
        boundaries: boundaries.boundaries(),
        trusted_realms: boundaries.realms(),
        identities: trust::identities(ca_pem.as_deref())?,
        identity_namespaces: boundaries.identity_namespaces(),
        jobs: jobs.transpose()?,
        ca_pem,
    };
    controller::run(settings, shutdown::on_signal()).await?;
    Ok(Exit::Success)
}

/// How the work is divided. One shard is all of it, as without any.
fn division(args: &ControllerArgs) -> Result<Option<Division>, Error> {
    let Some(count) = NonZeroU8::new(args.shards).filter(|count| count.get() > 1) else {
        return Ok(None);
    };
    if args.events_address.is_some() {
        return Err(Error::Usage(
            "--shards and --events-address exclude each other: an event would have to reach the controller that works \
             on the mirror"
                .to_owned(),
        ));
    }
    if args.watch_namespaces.len() > 1 {
        return Err(Error::Usage(
            "--shards needs all namespaces or a single one of --watch-namespaces".to_owned(),
        ));
    }
    Ok(Some(Division::of(count)))
}

/// Where the page is served, unless everybody would see everything there.
fn page_settings(address: PageAddress, asks_who: bool) -> Result<PageSettings, Error> {
    let settings = PageSettings::new(address.socket(), asks_who);
    settings.map_err(|unguarded| {
        Error::Usage(format!(
            "--page-address: {unguarded}: add --page-auth, or serve it at loopback, for kubectl port-forward"
        ))
    })
}

/// What Jobs are made with: the boundaries hold for their pods, too.
fn job_settings(
    image: &JobImage,
    args: &ControllerArgs,
    ca_pem: Option<&[u8]>,
) -> Result<JobSettings, Error> {
    let ca_pem = ca_pem.map(|pem| String::from_utf8_lossy(pem).into_owned());
    if let Some(pem) = ca_pem.as_ref().filter(|pem| pem.len() > CA_BYTES) {
        return Err(Error::Usage(format!(
            "--ca-file has {} bytes, and with --job-image it may have {CA_BYTES}: it goes along with each Job",
            pem.len()
        )));
    }
    let mut arguments = args.boundaries.flags();
    let tags = args.max_tags_per_mirror;
    arguments.push(format!("--max-tags-per-mirror={tags}"));
    Ok(JobSettings {
        image: image.clone(),
        arguments,
        ca_pem,
    })
}
