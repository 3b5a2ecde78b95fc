// SPDX-License-Identifier: Apache-2.0

//! The cluster, with the rights of the person who asks.

use std::fmt::Debug;

use kube::api::{ListParams, Patch, PatchParams};
use kube::core::error_boundary::InvalidObject;
use kube::core::{DeserializeGuard, NamespaceResourceScope, Status};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::PluginError;
use crate::api::{ImageMirror, ImagePolicy, MirroredRepository};
use crate::cli::args::{AskedMirror, ClusterArgs};
use crate::cli::error::Error;
use crate::cli::output::Output;
use crate::page::UnreadableMirror;
use crate::plan::named_mirror::NamedMirror;
use crate::plan::why::KnownObjects;
use crate::runtime::kubernetes::{Clients, ObjectPages, advice, explain};

/// Objects of a page.
const PAGE: u32 = 250;
/// Most objects of a kind: what is beyond is not looked at, and that is said.
const OBJECTS: usize = 100_000;
/// Where the rights are that a person needs.
const VIEW: &str = ", which the role view has with the Helm chart";
const EDIT: &str = ", which the role edit has with the Helm chart";

/// A cluster, and the namespaces that are asked for.
pub(super) struct Cluster {
    pub(super) clients: Clients,
    /// None for all.
    namespace: Option<String>,
}

/// All that answers about images go by.
pub(super) struct Listed {
    mirrors: Vec<ImageMirror>,
    policies: Vec<ImagePolicy>,
    records: Vec<MirroredRepository>,
    /// Mirrors that this version does not understand.
    pub(super) unreadable: Vec<UnreadableMirror>,
}

/// Objects of a kind.
struct Objects<K> {
    understood: Vec<K>,
    invalid: Vec<InvalidObject>,
}

/// A mirror with what is on record of it, and the cluster that has both.
pub(super) struct MirrorWithRecords {
    pub(super) cluster: Cluster,
    pub(super) named: NamedMirror,
    pub(super) mirror: ImageMirror,
    pub(super) records: Vec<MirroredRepository>,
}

/// What the plugin reads.
pub(super) trait Readable:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug
{
}

impl<K> Readable for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
{
}

// === impl Listed ===

impl Listed {
    /// What answers go by.
    pub(super) fn known(&self) -> KnownObjects<'_> {
        let Self {
            mirrors,
            policies,
            records,
            unreadable: _,
        } = self;
        KnownObjects::of(mirrors, policies, records)
    }
}

// === impl Cluster ===

impl Cluster {
    /// The cluster and the namespace that were typed, or those of the kubeconfig.
    pub(super) async fn connect(args: &ClusterArgs, all: bool) -> Result<Self, PluginError> {
        let ClusterArgs {
            kubeconfig,
            context,
            namespace,
        } = args;
        let clients = Clients::configure(kubeconfig.as_deref(), context.as_deref()).await?;
        let own = || clients.call.default_namespace().to_owned();
        let namespace = (!all).then(|| namespace.clone().unwrap_or_else(own));
        Ok(Self { clients, namespace })
    }

    /// The same for the mirror that was typed.
    pub(super) async fn of_mirror(
        args: &ClusterArgs,
        asked: &AskedMirror,
    ) -> Result<(Self, NamedMirror), Error> {
        let args = ClusterArgs {
            namespace: namespace_of(args, asked)?,
            ..args.clone()
        };
        let cluster = Self::connect(&args, false).await?;
        let named = NamedMirror::new(cluster.namespace(), &asked.name);
        Ok((cluster, named))
    }

    /// The mirror that was typed, and what is on record of it.
    pub(super) async fn mirror_with_records(
        args: &ClusterArgs,
        asked: &AskedMirror,
        output: &Output,
    ) -> Result<MirrorWithRecords, Error> {
        let (cluster, named) = Self::of_mirror(args, asked).await?;
        let mirror = cluster.mirror(&named.name).await?;
        let records = cluster.records_of(&named.name, output).await?;
        Ok(MirrorWithRecords {
            cluster,
            named,
            mirror,
            records,
        })
    }

    /// Where it is looked, for people.
    pub(super) fn place(&self) -> String {
        place(self.namespace.as_deref())
    }

    /// The namespace of a command about one object.
    pub(super) fn namespace(&self) -> &str {
        let own = self.clients.call.default_namespace();
        self.namespace.as_deref().unwrap_or(own)
    }

    /// All objects of a kind. What cannot be understood is told and left out.
    pub(super) async fn list<K: Readable>(&self, output: &Output) -> Result<Vec<K>, PluginError> {
        let listed = self.list_with(ListParams::default(), output).await?;
        Ok(listed.understood)
    }

    /// What is on record of a mirror, without the manifests that bring tags back.
    pub(super) async fn records_of(
        &self,
        mirror: &str,
        output: &Output,
    ) -> Result<Vec<MirroredRepository>, PluginError> {
        let parameters = ListParams::default().fields(&format!("spec.mirror={mirror}"));
        let records = self.list_with(parameters, output).await?.understood;
        Ok(records.into_iter().map(without_manifests).collect())
    }

    /// The same of all mirrors.
    pub(super) async fn records(
        &self,
        output: &Output,
    ) -> Result<Vec<MirroredRepository>, PluginError> {
        let records = self.list(output).await?;
        Ok(records.into_iter().map(without_manifests).collect())
    }

    /// All mirrors, policies and records.
    pub(super) async fn list_all(&self, output: &Output) -> Result<Listed, PluginError> {
        let all = ListParams::default();
        let (mirrors, policies, records) = tokio::try_join!(
            self.list_with(all, output),
            self.list(output),
            self.records(output)
        )?;
        let unreadable = mirrors.invalid.into_iter().map(UnreadableMirror::of);
        Ok(Listed {
            unreadable: unreadable.collect(),
            mirrors: mirrors.understood,
            policies,
            records,
        })
    }

    /// A mirror.
    pub(super) async fn mirror(&self, name: &str) -> Result<ImageMirror, PluginError> {
        let got = self.api::<ImageMirror>().get(name).await;
        got.map_err(|error| self.failed::<ImageMirror>("get", Some(name), &error))
    }

    /// Changes a mirror, and nothing else of it.
    pub(super) async fn change(
        &self,
        name: &str,
        change: &Value,
    ) -> Result<ImageMirror, PluginError> {
        let parameters = PatchParams::default();
        let api = self.api::<ImageMirror>();
        let changed = api.patch(name, &parameters, &Patch::Merge(change)).await;
        changed.map_err(|error| self.failed::<ImageMirror>("patch", Some(name), &error))
    }

    async fn list_with<K: Readable>(
        &self,
        parameters: ListParams,
        output: &Output,
    ) -> Result<Objects<K>, PluginError> {
        let api: Api<DeserializeGuard<K>> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.clients.call.clone(), namespace),
            None => Api::all(self.clients.call.clone()),
        };
        let mut objects = Objects {
            understood: Vec::new(),
            invalid: Vec::new(),
        };
        let mut pages = ObjectPages::of(&api, parameters.limit(PAGE));
        loop {
            let page = pages.next().await;
            let page = page.map_err(|error| self.failed::<K>("list", None, &error))?;
            let Some(page) = page else {
                return Ok(objects);
            };
            for object in page {
                let name = object.name_any();
                match object.0 {
                    Ok(object) => objects.understood.push(object),
                    Err(error) => {
                        let kind = K::kind(&());
                        output.note(&format!("left out: {kind} {name}: {error}"));
                        objects.invalid.push(error);
                    }
                }
            }
            if pages.are_more() && objects.understood.len() >= OBJECTS {
                let kind = K::plural(&());
                output.note(&format!("only the first {OBJECTS} {kind} are looked at"));
                return Ok(objects);
            }
        }
    }

    fn api<K: Readable>(&self) -> Api<K> {
        Api::namespaced(self.clients.call.clone(), self.namespace())
    }

    /// What a failure of the API server means to the person who asked.
    fn failed<K: Readable>(
        &self,
        verb: &'static str,
        name: Option<&str>,
        error: &kube::Error,
    ) -> PluginError {
        let resource = format!("{}.{}", K::plural(&()), K::group(&()));
        let role = if verb == "patch" { EDIT } else { VIEW };
        match (error, name) {
            (kube::Error::Api(status), Some(name)) if is_missing(status) => PluginError::NoObject {
                kind: K::kind(&()).into_owned(),
                name: name.to_owned(),
                namespace: self.namespace().to_owned(),
            },
            (kube::Error::Api(status), _) if status.code == 404 => {
                PluginError::NotInstalled(resource)
            }
            (error, _) => self.refused(verb, resource, self.place(), role, error),
        }
    }

    /// Why the API server does not do it: the person has no right to, or anything else.
    pub(super) fn refused(
        &self,
        verb: &'static str,
        resource: String,
        place: String,
        role: &'static str,
        error: &kube::Error,
    ) -> PluginError {
        let server = self.clients.server.clone();
        let message = explain(error);
        let code = if let kube::Error::Api(status) = error {
            Some(status.code)
        } else {
            None
        };
        match (code, advice(error)) {
            (Some(403), _) => PluginError::Forbidden {
                verb,
                resource,
                place,
                role,
            },
            (Some(401), _) => PluginError::NotLoggedIn { server },
            (None, Some(advice)) => PluginError::NoAnswer {
                server,
                message,
                advice,
            },
            (Some(_) | None, _) => PluginError::Request {
                verb,
                resource,
                message,
            },
        }
    }
}

/// The namespace that was typed, with -n or in front of the name.
fn namespace_of(args: &ClusterArgs, asked: &AskedMirror) -> Result<Option<String>, Error> {
    match (&args.namespace, &asked.namespace) {
        (Some(flag), Some(typed)) if flag != typed => Err(Error::Usage(format!(
            "{asked} is in namespace {typed:?}, and --namespace says {flag:?}: leave one of them out"
        ))),
        (flag, typed) => Ok(typed.clone().or_else(|| flag.clone())),
    }
}

/// Whether an object is missing, and not its kind: of that the API server names no object.
fn is_missing(status: &Status) -> bool {
    let details = status.details.as_ref();
    status.code == 404 && details.is_some_and(|details| !details.name.is_empty())
}

/// A namespace, or all of them, for people.
pub(super) fn place(namespace: Option<&str>) -> String {
    namespace.map_or_else(
        || "in all namespaces".to_owned(),
        |namespace| format!("in namespace {namespace:?}"),
    )
}

/// They are large, and say nothing to people.
fn without_manifests(mut record: MirroredRepository) -> MirroredRepository {
    if let Some(status) = &mut record.status {
        status.manifests.clear();
    }
    record
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_namespace_is_typed_once() {
        for (flag, asked, expected) in [
            (None, "base", Ok(None)),
            (Some("shop"), "base", Ok(Some("shop"))),
            (Some("shop"), "imir/base", Ok(Some("shop"))),
            (None, "shop/base", Ok(Some("shop"))),
            (Some("shop"), "shop/base", Ok(Some("shop"))),
            (
                Some("team"),
                "shop/base",
                Err(
                    "shop/base is in namespace \"shop\", and --namespace says \"team\": leave one of them out",
                ),
            ),
        ] {
            let args = ClusterArgs {
                kubeconfig: None,
                context: None,
                namespace: flag.map(str::to_owned),
            };
            let found = namespace_of(&args, &asked.parse().unwrap());
            let found = found.map_err(|error| error.to_string());
            let expected = expected.map(|it: Option<&str>| it.map(str::to_owned));
            assert_eq!(found, expected.map_err(str::to_owned), "{asked}");
        }
    }

    #[test]
    fn a_missing_object_is_told_from_a_missing_kind() {
        for (status, expected) in [
            (json!({"code": 404, "details": {"name": "base"}}), true),
            (json!({"code": 404, "details": {}}), false),
            (json!({"code": 404}), false),
            (json!({"code": 403, "details": {"name": "base"}}), false),
        ] {
            let parsed: Status = serde_json::from_value(status.clone()).unwrap();
            assert_eq!(is_missing(&parsed), expected, "{status}");
        }
    }
}
