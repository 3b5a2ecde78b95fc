// SPDX-License-Identifier: Apache-2.0

//! An object, a list of objects, or a list of images. The objects of a list are read one after another, and
//! none is kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::error::{TextError, no_json, refuse_too_much};
use super::reading::Reading;

/// Most objects that wait for the kind of their list.
const WAITING: usize = 1000;
/// After how many objects it is looked whether they name too much.
const OBJECTS: usize = 1000;
/// What stands in place of an error that is kept beside it.
const KEPT: &str = "it is not understood";

/// Takes note of the objects of a document. Whether it is a kubeconfig, which has none.
pub(super) fn read_document<'de, D, R>(
    gathered: &mut R,
    document: D,
    file: &str,
) -> Result<bool, TextError>
where
    D: Deserializer<'de, Error = serde_json::Error>,
    R: Reading,
{
    let mut wrong = None;
    let read = document.deserialize_any(Document {
        gathered,
        file,
        wrong: &mut wrong,
        is_listed: false,
    });
    match (wrong, read) {
        (Some(wrong), _) => Err(wrong),
        (None, read) => read.map_err(no_json),
    }
}

/// A value of a document.
struct Document<'a, R> {
    gathered: &'a mut R,
    file: &'a str,
    wrong: &'a mut Option<TextError>,
    /// Whether it is an element of a list of JSON.
    is_listed: bool,
}

impl<R: Reading> Document<'_, R> {
    fn keep<T, E: Error>(self, result: Result<T, TextError>) -> Result<T, E> {
        result.map_err(|wrong| {
            *self.wrong = Some(wrong);
            E::custom(KEPT)
        })
    }

    fn refuse<E: Error>(self) -> Result<bool, E> {
        self.keep(Err(TextError::NoObject))
    }
}

impl<'de, R: Reading> DeserializeSeed<'de> for Document<'_, R> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Reading> Visitor<'de> for Document<'_, R> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object, or a list")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
        self.refuse()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
        self.refuse()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
        self.refuse()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
        self.refuse()
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        self.refuse()
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        if !self.is_listed {
            return self.refuse();
        }
        let added = self.gathered.add_text(text, self.file);
        self.keep(added.map(|()| false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        for number in 1_usize.. {
            let element = Document {
                gathered: &mut *self.gathered,
                file: self.file,
                wrong: &mut *self.wrong,
                is_listed: true,
            };
            if list.next_element_seed(element)?.is_none() {
                break;
            }
            if number.is_multiple_of(OBJECTS) && self.gathered.is_too_much() {
                return self.keep(Err(TextError::TooMuch));
            }
        }
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut object = Object::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                let items = Items {
                    gathered: &mut *self.gathered,
                    wrong: &mut *self.wrong,
                    header: Header::of(&object.fields),
                    waiting: &mut object.waiting,
                };
                object.has_items = Some(map.next_value_seed(items)?);
            } else {
                object.fields.insert(key, map.next_value()?);
            }
        }
        if !self.is_listed && object.is_kubeconfig() {
            return Ok(true);
        }
        let added = object.add_to(self.gathered);
        self.keep(added.map(|()| false))
    }
}

/// An object of Kubernetes, without its `items`.
#[derive(Default)]
struct Object {
    fields: Map<String, Value>,
    /// None where there is no such field; else whether it is a list.
    has_items: Option<bool>,
    /// Those of its items that do not say what they are.
    waiting: Vec<Value>,
}

/// What tells objects apart. The objects of a list by its own kind have none.
#[derive(Clone)]
struct Header {
    api_version: String,
    kind: String,
}

impl Header {
    fn of(fields: &Map<String, Value>) -> Option<Self> {
        let word = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            api_version: word("apiVersion")?,
            kind: word("kind")?,
        })
    }
}

impl Object {
    fn is_kubeconfig(&self) -> bool {
        let header = Header::of(&self.fields);
        header.is_some_and(|header| header.kind == "Config" && header.api_version == "v1")
            && self.fields.contains_key("clusters")
    }

    /// Takes note of it, or of those of its items that waited for its kind.
    fn add_to(self, gathered: &mut impl Reading) -> Result<(), TextError> {
        let Self {
            fields,
            has_items,
            waiting,
        } = self;
        let header = Header::of(&fields).ok_or(TextError::NoObject)?;
        let kind = &header.kind;
        refuse_wrong_kinds(gathered, kind)?;
        let metadata = fields.get("metadata").unwrap_or(&Value::Null);
        let has_name = metadata["name"].is_string();
        if has_items.is_none() && (has_name || !kind.ends_with("List")) {
            return add(gathered, &header, &Value::Object(fields));
        }
        let is_page = metadata["continue"]
            .as_str()
            .is_some_and(|token| !token.is_empty())
            || metadata["remainingItemCount"].as_i64().unwrap_or_default() != 0;
        if is_page {
            return Err(TextError::Page { kind: kind.clone() });
        }
        if has_items != Some(true) {
            return Err(TextError::NoItems { kind: kind.clone() });
        }
        let header = header.of_items();
        waiting
            .iter()
            .try_for_each(|item| add(gathered, &header, item))
    }
}

impl Header {
    /// A `PodList` does not say again that each of them is a Pod.
    fn of_items(self) -> Self {
        Self {
            kind: self.kind.trim_end_matches("List").to_owned(),
            ..self
        }
    }
}

/// The objects of a list; whether it is one.
struct Items<'a, R> {
    gathered: &'a mut R,
    wrong: &'a mut Option<TextError>,
    /// That of the list, where it is known by now.
    header: Option<Header>,
    waiting: &'a mut Vec<Value>,
}

impl<R: Reading> Items<'_, R> {
    fn add(&mut self, item: Value) -> Result<(), TextError> {
        let own = item.as_object().and_then(Header::of);
        let header = own.or_else(|| self.header.clone().map(Header::of_items));
        if let Some(header) = header {
            return add(self.gathered, &header, &item);
        }
        if self.waiting.len() >= WAITING {
            return Err(TextError::LateKind);
        }
        self.waiting.push(item);
        Ok(())
    }
}

impl<'de, R: Reading> DeserializeSeed<'de> for Items<'_, R> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Reading> Visitor<'de> for Items<'_, R> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the objects of a list")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<bool, A::Error> {
        let mut number = 0_usize;
        while let Some(item) = items.next_element::<Value>()? {
            number += 1;
            let mut added = self.add(item);
            if number.is_multiple_of(OBJECTS) {
                added = added.and_then(|()| refuse_too_much(self.gathered));
            }
            if let Err(wrong) = added {
                *self.wrong = Some(wrong);
                return Err(A::Error::custom(KEPT));
            }
        }
        Ok(true)
    }
}

fn refuse_wrong_kinds(gathered: &impl Reading, kind: &str) -> Result<(), TextError> {
    let one = kind.trim_end_matches("List");
    let why = match one {
        "Secret" => "what stands in it is encoded, leave it out",
        "Table" | "PartialObjectMetadata" => "it leaves images out, let kubectl print -o json",
        "Status" => "it is what the API server answers where something failed",
        _ => return Ok(()),
    };
    if gathered.passes_over(one) {
        return Ok(());
    }
    Err(TextError::WrongKind {
        kind: kind.to_owned(),
        why,
    })
}

fn add(gathered: &mut impl Reading, header: &Header, object: &Value) -> Result<(), TextError> {
    let Header { api_version, kind } = header;
    refuse_wrong_kinds(gathered, kind)?;
    gathered.add(api_version, kind, object)?;
    Ok(())
}
