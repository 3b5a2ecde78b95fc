// SPDX-License-Identifier: Apache-2.0

//! `transship controller`: the mirrors of a cluster.

use std::num::NonZeroU8;

use super::args::{ControllerArgs, PageAddress};
use super::error::Error;
use super::exit::Exit;
use super::trust;
use crate::controller::page::PageSettings;
use crate::controller::{self, Settings};
use crate::plan::gates::Size;
use crate::registry::{Addresses, Boundaries};
use crate::runtime::lease::shards::Division;
use crate::runtime::shutdown;

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
        // Read by `division` and `boundaries`.
        shards: _,
        allow_addresses: _,
        deny_addresses: _,
        insecure_hosts: _,
        allowed_hosts: _,
        allowed_proxies: _,
        ca_file,
        trusted_realms,
        identity_namespaces,
    } = args;
    let ca_pem = ca_file.as_deref().map(trust::read_authorities);
    let ca_pem = ca_pem.transpose()?;
    let page = page_address.map(|address| page_settings(address, *page_auth));
    let settings = Settings {
        kubeconfig: kubeconfig.clone(),
        context: context.clone(),
        namespaces: watch_namespaces.clone(),
        lease_namespace: lease_namespace.clone(),
        lease_name: lease_name.clone(),
        division: division(args)?,
        listen_address: *listen_address,
        events_address: *events_address,
        page: page.transpose()?,
        concurrent_rounds: concurrent_rounds.get(),
        rounds_per_namespace: rounds_per_namespace.get(),
        read_memory: max_read_memory.as_ref().map(bytes),
        tags_per_mirror: max_tags_per_mirror.get(),
        longest_round: *max_mirror_timeout,
        prunes: !disable_prune,
        looks_at_workloads: *in_use,
        in_use_extra: in_use_extra.clone(),
        boundaries: boundaries(args),
        trusted_realms: trusted_realms.iter().map(ToString::to_string).collect(),
        identities: trust::identities(ca_pem.as_deref())?,
        identity_namespaces: identity_namespaces.clone(),
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

/// Where the controller may connect to, whatever mirrors say.
fn boundaries(args: &ControllerArgs) -> Boundaries {
    Boundaries {
        addresses: Addresses {
            allow: args.allow_addresses.clone(),
            deny: args.deny_addresses.clone(),
        },
        insecure_hosts: args.insecure_hosts.clone(),
        allowed_hosts: args.allowed_hosts.clone(),
        allowed_proxies: args.allowed_proxies.clone(),
    }
}

fn bytes(size: &Size) -> usize {
    usize::try_from(size.bytes()).unwrap_or(usize::MAX)
}
