// SPDX-License-Identifier: Apache-2.0

//! A page of a list: its objects are read one after another, and none is kept.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::object_error::ObjectError;

/// What a page is besides its objects.
#[derive(Debug)]
pub(super) struct Page {
    /// Such as `PodList`.
    pub(super) kind: String,
    /// The token of the next page, if there is one.
    pub(super) next: Option<String>,
}

/// Why a page is not understood.
#[derive(Debug)]
pub(super) enum ReadError {
    /// Because of one object.
    Object(ObjectError),
    /// It is no page, as is seen here.
    NoPage {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

/// Takes one object.
pub(super) type Take<'a> = &'a mut dyn FnMut(&Value) -> Result<(), ObjectError>;

/// A page without one of these is none.
const FIELDS: &[&str] = &["kind", "metadata", "items"];

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

// === impl Page ===

impl Page {
    /// Reads a page, and gives each of its objects away.
    pub(super) fn read(text: &str, take: Take<'_>) -> Result<Self, ReadError> {
        let mut wrong = None;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let visitor = PageVisitor {
            take,
            wrong: &mut wrong,
        };
        let read = deserializer
            .deserialize_map(visitor)
            .and_then(|page| deserializer.end().map(|()| page));
        let page = read.map_err(|error| ReadError::NoPage {
            line: error.line(),
            column: error.column(),
        })?;
        match wrong {
            Some(wrong) => Err(ReadError::Object(wrong)),
            None => Ok(page),
        }
    }
}

struct PageVisitor<'a> {
    take: Take<'a>,
    wrong: &'a mut Option<ObjectError>,
}

impl<'de> Visitor<'de> for PageVisitor<'_> {
    type Value = Page;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a page of a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page, A::Error> {
        let Self { take, wrong } = self;
        let (mut kind, mut metadata, mut has_items) = (None, None::<Metadata>, false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "kind" => kind = Some(map.next_value()?),
                "metadata" => metadata = Some(map.next_value()?),
                "items" => {
                    let items = Items {
                        take: &mut *take,
                        wrong: &mut *wrong,
                    };
                    map.next_value_seed(items)?;
                    has_items = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match (kind, metadata) {
            (Some(kind), Some(Metadata { next })) if has_items => Ok(Page {
                kind,
                next: next.filter(|token| !token.is_empty()),
            }),
            _ => Err(A::Error::custom(format!("one of {FIELDS:?} is missing"))),
        }
    }
}

struct Items<'a> {
    take: Take<'a>,
    wrong: &'a mut Option<ObjectError>,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the objects of a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Value>()? {
            if let Err(error) = (self.take)(&item) {
                *self.wrong = Some(error);
                break;
            }
        }
        // What is cut short is no page, whatever its objects are.
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
