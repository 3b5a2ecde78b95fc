// SPDX-License-Identifier: Apache-2.0

//! The images in an object that a node would pull, and nothing else that reads as one.
//!
//! They are found by shape, at any depth, whatever the kind of the object is:
//!
//! 1. **Pod specs.** `image` of each of `containers`, `initContainers` and `ephemeralContainers`, and `image.reference` of
//!    `volumes`: in workloads, and in the templates of pods that custom resources hold.
//! 2. **Custom resources** besides: any text under `image` or `imageName`, `reference` of an `image`, and `baseImage` with
//!    the `version` or `tag` beside it. It needs a tag or a digest unless it stands in what is run as a container: such as `steps` of Tekton, or
//!    `container` and `script` of Argo Workflows.
//!
//! Not looked at: `metadata`, annotations, `status`, schemas of custom resources, values of charts (`values`, `valuesObject`), patterns
//! that policies compare with (`pattern`, `anyPattern`), and whatever stands inside of texts.

use serde_json::{Map, Value};

use crate::oci::reference::ReferenceError;
use crate::oci::{Reference, Tag};

/// The fields of a pod spec that hold containers (`core/v1`, `PodSpec`).
pub(super) const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];
/// Those of custom resources that hold what becomes containers: Tekton, Argo Workflows.
const STEPS: [&str; 5] = ["steps", "sidecars", "container", "script", "stepTemplate"];
/// Fields beside an image that only what is run has.
const OF_CONTAINERS: [&str; 5] = ["command", "args", "script", "source", "workingDir"];
/// Fields beside an image that is a part of a name, which its operator puts together.
const OF_PARTS: [&str; 2] = ["repository", "registry"];
const OF_ITS_PARTS: &str = "it is a part of a name that its operator puts together";
/// Fields of custom resources that hold one image.
const FIELDS: [&str; 2] = ["image", "imageName"];
/// A name whose tag stands in a field beside it: the first operators had it so.
const BASE: &str = "baseImage";
const BASE_TAGS: [&str; 2] = ["tag", "version"];
/// Fields below which nothing is pulled as it stands there.
const OTHERS: [&str; 9] = [
    "metadata",
    "annotations",
    "labels",
    "openAPIV3Schema",
    "values",
    "valuesObject",
    "valuesInline",
    "pattern",
    "anyPattern",
];
/// The groups of Kubernetes itself whose names have a dot. Others end so, too.
const OF_KUBERNETES: [&str; 18] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];
/// The group of definitions of custom resources, whose examples and defaults are no images.
const DEFINITIONS: &str = "apiextensions.k8s.io";
/// What Istio's injector replaces by its proxy.
const INJECTED: &str = "auto";
/// Of a container without one.
const NO_IMAGE: &str = "it names no image: whatever makes the pod puts one in";
/// Deepest nesting that is looked at.
const DEPTH: usize = 256;
/// Longest text that is read as an image, in bytes: more than any reference has.
const LONGEST: usize = 1024;
/// Longest path of a field that is kept, in characters.
const SHOWN: usize = 512;
/// Longest text that is quoted, in characters.
const QUOTED: usize = 80;

/// What an object says of images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodImages {
    /// What a node would pull.
    pub images: Vec<PodImage>,
    /// Fields for images that name none.
    pub left_out: Vec<LeftOut>,
}

/// An image, and the field that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodImage {
    /// Such as `spec.template.spec.containers[0].image`.
    pub field: String,
    /// With the tag `latest` where neither tag nor digest was written.
    pub image: Reference,
}

/// A field for an image that names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Such as `spec.image`.
    pub field: String,
    /// Why.
    pub message: String,
}

/// A field that cannot be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ImageFieldError {
    /// Such as `spec.template.spec.containers[0].image`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// Finds the images of an object. `more` are the names of further fields of custom resources that hold one, or the ends
/// of their paths, such as `spec.agent`. Where it is strict, what is no image in a workload is an error: a node would not
/// start it.
pub fn pod_images(
    api_version: &str,
    object: &Value,
    more: &[String],
    is_strict: bool,
) -> Result<PodImages, ImageFieldError> {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let mut walk = Walk {
        is_custom: group.contains('.') && !OF_KUBERNETES.contains(&group),
        is_strict,
        more,
        found: PodImages::default(),
    };
    if let Value::Object(fields) = object
        && group != DEFINITIONS
    {
        for (key, value) in fields.iter().filter(|(key, _)| *key != "status") {
            walk.field(fields, key, value, &Place::root(key))?;
        }
    }
    Ok(walk.found)
}

struct Walk<'a> {
    /// Whether operators decide what the fields mean.
    is_custom: bool,
    /// Whether what is no image in a workload is an error.
    is_strict: bool,
    more: &'a [String],
    found: PodImages,
}

/// Where a value stands.
#[derive(Clone)]
struct Place {
    path: String,
    depth: usize,
    /// Whether it is, or stands directly in, what is run as a container.
    is_container: bool,
}

// === impl Place ===

impl Place {
    fn root(key: &str) -> Self {
        Self {
            path: key.to_owned(),
            depth: 0,
            is_container: false,
        }
    }

    fn below(&self, key: &str) -> Self {
        Self {
            path: format!("{}.{key}", self.path),
            depth: self.depth + 1,
            is_container: false,
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            path: format!("{}[{index}]", self.path),
            depth: self.depth + 1,
            is_container: false,
        }
    }

    /// The path without which items of lists it leads through.
    fn without_indices(&self) -> String {
        let mut is_index = false;
        let kept = self.path.chars().filter(|character| {
            let was_index = is_index;
            is_index = *character == '[' || (is_index && *character != ']');
            !is_index && !was_index
        });
        kept.collect()
    }

    /// The path, and of a long one its end.
    fn shown(&self) -> String {
        let long = self.path.chars().count().saturating_sub(SHOWN);
        if long == 0 {
            return self.path.clone();
        }
        let end: String = self.path.chars().skip(long).collect();
        format!("…{end}")
    }

    /// Whether it is a field of an item of `volumes`.
    fn is_of_volume(&self) -> bool {
        let parent = self.path.rsplit_once('.').map_or("", |(parent, _)| parent);
        let list = parent.rsplit_once('[').map_or("", |(list, _)| list);
        list.rsplit('.').next() == Some("volumes")
    }

    fn fail(&self, message: impl Into<String>) -> ImageFieldError {
        ImageFieldError {
            field: self.path.clone(),
            message: message.into(),
        }
    }
}

// === impl Walk ===

impl Walk<'_> {
    /// A field of an object. `is_container` of its place says whether the object is a container.
    fn field(
        &mut self,
        beside: &Map<String, Value>,
        key: &str,
        value: &Value,
        place: &Place,
    ) -> Result<(), ImageFieldError> {
        if OTHERS.contains(&key) {
            return Ok(());
        }
        if place.depth > DEPTH {
            return Err(place.fail(format!("it stands more than {DEPTH} levels deep")));
        }
        if key == "volumes" {
            self.volumes(value, place)?;
        }
        if key == "image" && place.is_container {
            return self.of_container(value, place);
        }
        if self.is_custom {
            match value {
                Value::String(text) => self.of_custom(beside, key, text, place),
                Value::Object(fields) if key == "image" && !place.is_of_volume() => {
                    if let Some(Value::String(text)) = fields.get("reference") {
                        self.of_field(text.trim(), &place.below("reference"), false);
                    } else if OF_PARTS.iter().any(|key| fields.contains_key(*key)) {
                        self.leave_out(place, OF_ITS_PARTS);
                    }
                }
                Value::Object(_)
                | Value::Array(_)
                | Value::Null
                | Value::Bool(_)
                | Value::Number(_) => {}
            }
        }
        let are_containers = CONTAINERS.contains(&key) || self.is_custom && STEPS.contains(&key);
        self.walk(value, place, are_containers)
    }

    /// What stands in a value, which may be containers.
    fn walk(
        &mut self,
        value: &Value,
        place: &Place,
        are_containers: bool,
    ) -> Result<(), ImageFieldError> {
        match value {
            Value::Object(fields) => {
                if are_containers && !self.is_custom && !fields.contains_key("image") {
                    self.leave_out(&place.below("image"), NO_IMAGE);
                }
                for (key, value) in fields {
                    let mut place = place.below(key);
                    place.is_container = are_containers;
                    self.field(fields, key, value, &place)?;
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let item_place = place.item(index);
                    if let Value::String(text) = item
                        && self.is_custom
                        && self.is_more(place)
                    {
                        self.of_field(text.trim(), &item_place, true);
                    }
                    self.walk(item, &item_place, are_containers)?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Ok(())
    }

    fn volumes(&mut self, value: &Value, place: &Place) -> Result<(), ImageFieldError> {
        for (index, volume) in value.as_array().into_iter().flatten().enumerate() {
            let place = place.item(index).below("image").below("reference");
            if let Some(reference) = volume.get("image").and_then(|image| image.get("reference")) {
                self.of_container(reference, &place)?;
            }
        }
        Ok(())
    }

    /// The image of a container, or of a volume: a node pulls it as it stands there.
    fn of_container(&mut self, value: &Value, place: &Place) -> Result<(), ImageFieldError> {
        let text = match value {
            Value::Null => "",
            Value::String(text) => text.trim(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                let message = "an image is a text, such as \"alpine:3.20\"";
                return self.refuse(place, message.to_owned());
            }
        };
        if text.is_empty() {
            self.leave_out(place, NO_IMAGE);
            return Ok(());
        }
        if text == INJECTED {
            self.leave_out(
                place,
                "Istio's injector puts its proxy in place of \"auto\"",
            );
            return Ok(());
        }
        match read(text) {
            Ok(image) => self.add(place, image),
            Err(message) if has_variables(text) => self.leave_out(place, message),
            Err(message) => return self.refuse(place, message),
        }
        Ok(())
    }

    /// What a custom resource says is its operator's business.
    fn refuse(&mut self, place: &Place, message: String) -> Result<(), ImageFieldError> {
        if self.is_strict && !self.is_custom {
            return Err(place.fail(message));
        }
        self.leave_out(place, message);
        Ok(())
    }

    /// Whether a person says that a field holds images. Which item of a list it is in does not matter, unless it is said.
    fn is_more(&self, place: &Place) -> bool {
        let ends = |path: &str, end: &str| {
            path.strip_suffix(end)
                .is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        let mut more = self.more.iter();
        more.any(|end| ends(&place.path, end) || ends(&place.without_indices(), end))
    }

    /// A text in a custom resource.
    fn of_custom(&mut self, beside: &Map<String, Value>, key: &str, text: &str, place: &Place) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if self.is_more(place) {
            self.of_field(text, place, true);
        } else if key == BASE {
            let tags = BASE_TAGS
                .iter()
                .filter_map(|key| beside.get(*key)?.as_str());
            let tag = tags.map(str::trim).find(|tag| !tag.is_empty());
            let whole = match tag {
                Some(tag) if read(text).is_ok_and(|image| image.is_bare()) => {
                    format!("{text}:{tag}")
                }
                _ => text.to_owned(),
            };
            self.of_field(&whole, place, false);
        } else if FIELDS.contains(&key) {
            let has = |key: &str| beside.contains_key(key);
            if read(text).is_ok_and(|image| image.is_bare()) && OF_PARTS.iter().any(|key| has(key))
            {
                self.leave_out(place, OF_ITS_PARTS);
                return;
            }
            let is_run = OF_CONTAINERS.iter().any(|key| has(key));
            self.of_field(text, place, is_run);
        }
    }

    fn of_field(&mut self, text: &str, place: &Place, may_be_bare: bool) {
        match read(text) {
            Ok(image) if image.is_bare() && !may_be_bare => self.leave_out(
                place,
                format!(
                    "{} has neither tag nor digest: what its operator adds is not known here",
                    quote(text)
                ),
            ),
            Ok(image) => self.add(place, image),
            Err(message) => self.leave_out(place, message),
        }
    }

    fn add(&mut self, place: &Place, mut image: Reference) {
        if image.is_bare() {
            image.tag = Some(Tag::latest());
        }
        self.found.images.push(PodImage {
            field: place.shown(),
            image,
        });
    }

    fn leave_out(&mut self, place: &Place, message: impl Into<String>) {
        self.found.left_out.push(LeftOut {
            field: place.shown(),
            message: message.into(),
        });
    }
}

/// Whether a text is to be rendered before anything is pulled.
fn has_variables(text: &str) -> bool {
    let mut variables = ["{{", "${", "$("].iter();
    variables.any(|variable| text.contains(variable))
}

fn read(text: &str) -> Result<Reference, String> {
    if has_variables(text) {
        return Err(format!(
            "{} is made of variables: render it first, such as with helm template, flux build or envsubst",
            quote(text)
        ));
    }
    if text.len() > LONGEST {
        return Err(format!(
            "{} is no image: it has more than {LONGEST} characters",
            quote(text)
        ));
    }
    text.parse().map_err(|error| {
        let why = match error {
            ReferenceError::Name { source, .. } => source.to_string(),
            ReferenceError::Digest { source, .. } => source.to_string(),
        };
        format!("{} is no image: {why}", quote(text))
    })
}

/// In quotes, and not of any length.
fn quote(text: &str) -> String {
    if text.chars().count() <= QUOTED {
        return format!("{text:?}");
    }
    let beginning: String = text.chars().take(QUOTED).collect();
    format!("{:?}", format!("{beginning}…"))
}

#[cfg(test)]
mod tests;
