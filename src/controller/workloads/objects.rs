//! The images in an object, by any field through which a node may fetch one. Only these fields are read.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Kind;
use crate::plan::in_use::InUse;

/// An object that is not understood. It may use anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name} is not understood: {message}")]
pub struct ObjectError {
    kind: &'static str,
    /// `namespace/name`.
    name: String,
    message: String,
}

/// What takes note of the images of objects of one kind.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    kind: Kind,
    object: fn(&mut InUse, Kind, &Value) -> Result<(), ObjectError>,
    page: fn(&mut InUse, Kind, &str) -> Result<Option<String>, PageError>,
}

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
        kind: &'static str,
        /// Where that is seen, if it is at one place.
        place: String,
    },
}

/// A page without one of these is none.
#[derive(Debug, Deserialize)]
struct Page<T> {
    kind: String,
    metadata: PageMetadata,
    items: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct PageMetadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// Takes note of the images of an object of this kind.
pub fn add_object(in_use: &mut InUse, kind: Kind, object: &Value) -> Result<(), ObjectError> {
    Reader::of(kind).add_object(in_use, object)
}

// === impl Reader ===

impl Reader {
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Pod => Self::new::<Pod>(kind),
            Kind::Deployment
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::ReplicationController
            | Kind::ReplicaSet
            | Kind::Job => Self::new::<Templated>(kind),
            Kind::CronJob => Self::new::<CronJob>(kind),
            Kind::PodTemplate => Self::new::<PodTemplate>(kind),
            Kind::ControllerRevision => Self::new::<Revision>(kind),
        }
    }

    fn new<T: Workload>(kind: Kind) -> Self {
        Self {
            kind,
            object: add_one::<T>,
            page: add_page::<T>,
        }
    }

    fn add_object(self, in_use: &mut InUse, object: &Value) -> Result<(), ObjectError> {
        (self.object)(in_use, self.kind, object)
    }

    /// Takes note of the images of a page of a list, and gives the token of the next page, if there is one.
    pub(super) fn add_page(
        self,
        in_use: &mut InUse,
        page: &str,
    ) -> Result<Option<String>, PageError> {
        (self.page)(in_use, self.kind, page)
    }
}

fn add_one<T: Workload>(in_use: &mut InUse, kind: Kind, object: &Value) -> Result<(), ObjectError> {
    let workload = T::deserialize(object).map_err(|error| ObjectError {
        kind: kind.name(),
        name: name_of(object),
        message: error.to_string(),
    })?;
    add(in_use, kind, &workload)
}

fn add_page<T: Workload>(
    in_use: &mut InUse,
    kind: Kind,
    page: &str,
) -> Result<Option<String>, PageError> {
    let Page {
        kind: list,
        metadata,
        items,
    } = serde_json::from_str::<Page<T>>(page).map_err(|error| blame(kind, page, &error))?;
    if list != format!("{}List", kind.name()) {
        let place = format!(", but a {list}");
        return Err(PageError::no_page(kind, place));
    }
    for item in &items {
        add(in_use, kind, item)?;
    }
    Ok(metadata.next.filter(|token| !token.is_empty()))
}

fn add<T: Workload>(in_use: &mut InUse, kind: Kind, workload: &T) -> Result<(), ObjectError> {
    let metadata = workload.metadata();
    workload
        .add_to(in_use, &metadata.user(kind))
        .map_err(|message| ObjectError {
            kind: kind.name(),
            name: format!("{}/{}", metadata.namespace, metadata.name),
            message,
        })
}

/// The object for which a page cannot be read, so that a person finds it.
fn blame(kind: Kind, page: &str, error: &serde_json::Error) -> PageError {
    let place = format!(" (line {}, column {})", error.line(), error.column());
    let Ok(page) = serde_json::from_str::<Page<Value>>(page) else {
        return PageError::no_page(kind, place);
    };
    let mut ignored = InUse::default();
    let mut items = page.items.iter();
    let wrong = items.find_map(|item| add_object(&mut ignored, kind, item).err());
    wrong.map_or_else(|| PageError::no_page(kind, place), PageError::Object)
}

fn name_of(object: &Value) -> String {
    let word = |key: &str| object.pointer(key).and_then(Value::as_str).unwrap_or("?");
    format!("{}/{}", word("/metadata/namespace"), word("/metadata/name"))
}

// === impl PageError ===

impl PageError {
    fn no_page(kind: Kind, place: String) -> Self {
        let kind = kind.name();
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

/// What stands in a revision is its owner's business: a template for those of Kubernetes itself, and
/// whatever looks like an image for others.
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
        add_whatever_is_an_image(in_use, user, data);
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
struct TemplatedData {
    spec: TemplatedSpec,
}

/// The nesting is bounded by that of JSON.
fn add_whatever_is_an_image(in_use: &mut InUse, user: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let is_image = key == "image" || key == "reference";
                if let Some(text) = value.as_str().filter(|_| is_image) {
                    in_use.add_image(user, text);
                } else {
                    add_whatever_is_an_image(in_use, user, value);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                add_whatever_is_an_image(in_use, user, item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
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
