// SPDX-License-Identifier: Apache-2.0

//! The images in an object: by any field through which a node may fetch one, and in any other string.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::gather::Gather;
use super::kinds::Kind;
use super::object_error::ObjectError;
use super::page::{Page, ReadError};
use crate::plan::in_use::InUse;

/// Why a page of a list is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PageError {
    /// Because of one object.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// It is no such page.
    #[error("the answer is no page of a {kind}List{place}")]
    NoPage {
        /// What was asked for.
        kind: String,
        /// Where that is seen, if it is at one place.
        place: String,
    },
}

/// Takes note of the images of an object of this kind.
pub(super) fn add_object(
    in_use: &mut InUse,
    kind: Kind,
    object: &Value,
) -> Result<(), ObjectError> {
    match kind {
        Kind::Pod => add::<Pod>(in_use, kind, object),
        Kind::Deployment
        | Kind::StatefulSet
        | Kind::DaemonSet
        | Kind::ReplicationController
        | Kind::ReplicaSet
        | Kind::Job => add::<Templated>(in_use, kind, object),
        Kind::CronJob => add::<CronJob>(in_use, kind, object),
        Kind::PodTemplate => add::<PodTemplate>(in_use, kind, object),
        Kind::ControllerRevision => add::<Revision>(in_use, kind, object),
    }
}

/// Takes note of whatever reads as an image in an object of any other kind. Its user is its kind and name.
pub(super) fn add_other(in_use: &mut InUse, kind: &str, object: &Value) -> Result<(), ObjectError> {
    let word = |key: &str| object.pointer(key).and_then(Value::as_str);
    let Some(name) = word("/metadata/name") else {
        let message = "it has no metadata.name".to_owned();
        return Err(ObjectError::new(kind, object, message));
    };
    let user = match word("/metadata/namespace") {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    };
    in_use.add_value(&user, object);
    Ok(())
}

impl Gather for InUse {
    fn add(&mut self, api_version: &str, kind: &str, object: &Value) -> Result<(), ObjectError> {
        match Kind::find(api_version, kind) {
            Some(known) => add_object(self, known, object),
            None => add_other(self, kind, object),
        }
    }

    fn merge(&mut self, other: Self) {
        self.merge(other);
    }

    fn is_too_much(&self) -> bool {
        self.is_too_much()
    }
}

/// Takes note of the objects of a page of a list, and gives the token of the next page, if there is one.
pub(super) fn add_page(
    gathered: &mut impl Gather,
    kind: Kind,
    page: &str,
) -> Result<Option<String>, PageError> {
    let (api_version, name) = (kind.api_version(), kind.name());
    let mut take = |object: &Value| gathered.add(api_version, name, object);
    let page = Page::read(page, &mut take).map_err(|error| PageError::of(name, error))?;
    if page.kind != format!("{name}List") {
        let place = format!(", but a {}", page.kind);
        return Err(PageError::no_page(name, place));
    }
    Ok(page.next)
}

/// The same for a list of any other kind, which is called `resource` where it is wrong.
pub(super) fn add_other_page(
    gathered: &mut impl Gather,
    api_version: &str,
    resource: &str,
    text: &str,
) -> Result<Option<String>, PageError> {
    let kind = kind_of_list(text).ok_or_else(|| PageError::no_page(resource, String::new()))?;
    let mut take = |object: &Value| gathered.add(api_version, &kind, object);
    let page = Page::read(text, &mut take).map_err(|error| PageError::of(&kind, error))?;
    Ok(page.next)
}

/// What the objects of a list are. Not those of a table, nor what is left of objects without their fields.
fn kind_of_list(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Header {
        kind: String,
    }
    let Header { kind } = serde_json::from_str(text).ok()?;
    let kind = kind.strip_suffix("List")?;
    (!kind.is_empty() && kind != "PartialObjectMetadata").then(|| kind.to_owned())
}

/// What it says of its images, and whatever else reads as one.
fn add<T: Workload>(in_use: &mut InUse, kind: Kind, object: &Value) -> Result<(), ObjectError> {
    let wrong = |message| ObjectError::new(kind.name(), object, message);
    let workload = T::deserialize(object).map_err(|error| wrong(error.to_string()))?;
    let user = workload.metadata().user(kind);
    workload.add_to(in_use, &user).map_err(wrong)?;
    in_use.add_value(&user, object);
    Ok(())
}

// === impl PageError ===

impl PageError {
    fn of(kind: &str, error: ReadError) -> Self {
        match error {
            ReadError::Object(error) => Self::Object(error),
            ReadError::NoPage { line, column } => {
                Self::no_page(kind, format!(" (line {line}, column {column})"))
            }
        }
    }

    fn no_page(kind: &str, place: String) -> Self {
        let kind = kind.to_owned();
        Self::NoPage { kind, place }
    }
}

/// An object that names images.
trait Workload: DeserializeOwned {
    /// Which one it is.
    fn metadata(&self) -> &Metadata;

    /// Takes note of them, or says what is not understood.
    fn add_to(&self, in_use: &mut InUse, user: &str) -> Result<(), String>;
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    owner_references: Option<Vec<Owner>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    api_version: String,
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Pod {
    metadata: Metadata,
    spec: PodSpec,
    status: Option<PodStatus>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    containers: Vec<Container>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
    volumes: Option<Vec<Volume>>,
}

#[derive(Debug, Deserialize)]
struct Container {
    /// A template may leave it to others.
    image: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Volume {
    image: Option<ImageVolume>,
}

#[derive(Debug, Deserialize)]
struct ImageVolume {
    reference: Option<String>,
}

#[expect(clippy::struct_field_names, reason = "that is what the API calls them")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus {
    container_statuses: Option<Vec<ContainerStatus>>,
    init_container_statuses: Option<Vec<ContainerStatus>>,
    ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    image: Option<String>,
    #[serde(rename = "imageID")]
    image_id: Option<String>,
    volume_mounts: Option<Vec<MountStatus>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MountStatus {
    volume_status: Option<VolumeStatus>,
}

#[derive(Debug, Deserialize)]
struct VolumeStatus {
    image: Option<ImageStatus>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageStatus {
    image_ref: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Templated {
    metadata: Metadata,
    spec: TemplatedSpec,
}

#[derive(Debug, Deserialize)]
struct TemplatedSpec {
    template: Template,
}

#[derive(Debug, Deserialize)]
struct Template {
    spec: PodSpec,
}

#[derive(Debug, Deserialize)]
struct CronJob {
    metadata: Metadata,
    spec: CronJobSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CronJobSpec {
    job_template: JobTemplate,
}

#[derive(Debug, Deserialize)]
struct JobTemplate {
    spec: TemplatedSpec,
}

#[derive(Debug, Deserialize)]
struct PodTemplate {
    metadata: Metadata,
    template: Template,
}

#[derive(Debug, Deserialize)]
struct Revision {
    metadata: Metadata,
    data: Option<Value>,
}

// === impl Workload ===

impl Workload for Pod {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn add_to(&self, in_use: &mut InUse, user: &str) -> Result<(), String> {
        self.spec.add_to(in_use, user);
        if let Some(status) = &self.status {
            status.add_to(in_use, user);
        }
        Ok(())
    }
}

impl Workload for Templated {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn add_to(&self, in_use: &mut InUse, user: &str) -> Result<(), String> {
        self.spec.template.spec.add_to(in_use, user);
        Ok(())
    }
}

impl Workload for CronJob {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn add_to(&self, in_use: &mut InUse, user: &str) -> Result<(), String> {
        self.spec
            .job_template
            .spec
            .template
            .spec
            .add_to(in_use, user);
        Ok(())
    }
}

impl Workload for PodTemplate {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn add_to(&self, in_use: &mut InUse, user: &str) -> Result<(), String> {
        self.template.spec.add_to(in_use, user);
        Ok(())
    }
}

/// What stands in a revision is its owner's business: a template for those of Kubernetes itself.
impl Workload for Revision {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn add_to(&self, in_use: &mut InUse, user: &str) -> Result<(), String> {
        let Self { metadata, data } = self;
        let data = data.as_ref().unwrap_or(&Value::Null);
        match (TemplatedData::deserialize(data), metadata.has_template()) {
            (Ok(data), _) => data.spec.template.spec.add_to(in_use, user),
            (Err(error), true) => return Err(format!("data: {error}")),
            (Err(_), false) => {}
        }
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
struct TemplatedData {
    spec: TemplatedSpec,
}

impl Metadata {
    /// Such as `Deployment shop/web`.
    fn user(&self, kind: Kind) -> String {
        format!("{} {}/{}", kind.name(), self.namespace, self.name)
    }

    /// Whether it is a revision of a kind that keeps a template in it.
    fn has_template(&self) -> bool {
        let mut owners = self.owner_references.iter().flatten();
        owners.any(|owner| {
            owner.api_version.starts_with("apps/")
                && ["DaemonSet", "StatefulSet"].contains(&owner.kind.as_str())
        })
    }
}

impl PodSpec {
    fn add_to(&self, in_use: &mut InUse, user: &str) {
        let Self {
            containers,
            init_containers,
            ephemeral_containers,
            volumes,
        } = self;
        let others = [init_containers, ephemeral_containers];
        let containers = containers
            .iter()
            .chain(others.into_iter().flatten().flatten());
        let images = containers.filter_map(|container| container.image.as_deref());
        let volumes = volumes.iter().flatten();
        let mounted = volumes
            .filter_map(|volume| volume.image.as_ref())
            .filter_map(|image| image.reference.as_deref());
        for image in images.chain(mounted) {
            in_use.add_image(user, image);
        }
    }
}

impl PodStatus {
    fn add_to(&self, in_use: &mut InUse, user: &str) {
        let Self {
            container_statuses,
            init_container_statuses,
            ephemeral_container_statuses,
        } = self;
        let all = [
            container_statuses,
            init_container_statuses,
            ephemeral_container_statuses,
        ];
        for status in all.into_iter().flatten().flatten() {
            status.add_to(in_use, user);
        }
    }
}

impl ContainerStatus {
    fn add_to(&self, in_use: &mut InUse, user: &str) {
        let Self {
            image,
            image_id,
            volume_mounts,
        } = self;
        if let Some(image) = image {
            in_use.add_image(user, image);
        }
        let mounts = volume_mounts.iter().flatten();
        let mounted = mounts
            .filter_map(|mount| mount.volume_status.as_ref())
            .filter_map(|status| status.image.as_ref())
            .filter_map(|image| image.image_ref.as_deref());
        for image_id in image_id.as_deref().into_iter().chain(mounted) {
            in_use.add_image_id(user, image_id);
        }
    }
}

#[cfg(test)]
mod tests;
