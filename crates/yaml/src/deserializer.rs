//! Reads types from the tree: a serde deserializer whose errors know their places.
//!
//! Must not know how the tree came about.

use serde::{
    de::{
        self, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess,
        SeqAccess, Unexpected, VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};

use crate::{
    SPANNED,
    error::Error,
    node::{Kind, Node},
};

/// What a node is, for a message about something else that was expected.
fn unexpected(node: &Node) -> Unexpected<'_> {
    match &node.kind {
        Kind::Scalar { .. } if node.is_null() => Unexpected::Unit,
        Kind::Scalar { text, .. } => Unexpected::Str(text),
        Kind::Binary(bytes) => Unexpected::Bytes(bytes),
        Kind::Sequence(_) => Unexpected::Seq,
        Kind::Mapping(_) => Unexpected::Map,
    }
}

/// Reads a number of any kind from a plain scalar.
macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty;)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let parsed = match &self.kind {
                Kind::Scalar { text, plain: true } => text.replace('_', "").parse::<$type>().ok(),
                _ => None,
            };
            match parsed {
                Some(number) => visitor.$visit(number),
                None => Err(Error::invalid_type(unexpected(self), &visitor)),
            }
            .map_err(|error| error.at(self))
        })+
    };
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Error;

    numbers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.kind {
            Kind::Sequence(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Mapping(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), value: None })
            }
            Kind::Binary(bytes) => match str::from_utf8(bytes) {
                Ok(text) => visitor.visit_str(text),
                Err(_) => visitor.visit_bytes(bytes),
            },
            Kind::Scalar { .. } if self.is_null() => visitor.visit_unit(),
            Kind::Scalar { text, plain: false } => visitor.visit_str(text),
            Kind::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => visitor.visit_bool(true),
                "false" | "False" | "FALSE" => visitor.visit_bool(false),
                text => {
                    if let Ok(number) = text.parse::<u64>() {
                        visitor.visit_u64(number)
                    } else if let Ok(number) = text.parse::<i64>() {
                        visitor.visit_i64(number)
                    } else {
                        match text.parse::<f64>().ok().filter(|number| number.is_finite()) {
                            Some(number) => visitor.visit_f64(number),
                            None => visitor.visit_str(text),
                        }
                    }
                }
            },
        }
        .map_err(|error| error.at(self))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.kind {
            Kind::Scalar { text, plain: true }
                if matches!(text.as_str(), "true" | "True" | "TRUE") =>
            {
                visitor.visit_bool(true)
            }
            Kind::Scalar { text, plain: true }
                if matches!(text.as_str(), "false" | "False" | "FALSE") =>
            {
                visitor.visit_bool(false)
            }
            _ => Err(Error::invalid_type(unexpected(self), &"true or false")),
        }
        .map_err(|error| error.at(self))
    }

    /// A scalar is its text, whatever else it could be: `8080`, `NO` and `1.10` stay as they were written.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_null() => visitor.visit_str(text),
            // A text may be written as its bytes.
            Kind::Binary(bytes) => match str::from_utf8(bytes) {
                Ok(text) => visitor.visit_str(text),
                Err(_) => Err(Error::invalid_type(unexpected(self), &visitor)),
            },
            _ => Err(Error::invalid_type(unexpected(self), &visitor)),
        }
        .map_err(|error| error.at(self))
    }

    /// The bytes of a `!!binary` scalar as bytes, and any other scalar as its text.
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.kind {
            Kind::Binary(bytes) => {
                visitor.visit_bytes(bytes).map_err(|error: Error| error.at(self))
            }
            _ => self.deserialize_str(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
            .map_err(|error| error.at(self))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self).map_err(|error| error.at(self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == SPANNED {
            return visitor.visit_map(SpannedEntries { node: self, next: 0 });
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.kind {
            Kind::Mapping(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), value: None })
            }
            // `labels:` with nothing behind it is a mapping without entries.
            Kind::Scalar { .. } if self.is_null() => {
                visitor.visit_map(Entries { entries: [].iter(), value: None })
            }
            _ => Err(Error::invalid_type(unexpected(self), &"a mapping (`key: value`)")),
        }
        .map_err(|error| error.at(self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.kind {
            Kind::Sequence(items) => visitor.visit_seq(Items(items.iter())),
            _ => Err(Error::invalid_type(unexpected(self), &"a list (`- item` or `[item, item]`)")),
        }
        .map_err(|error| error.at(self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.kind {
            Kind::Scalar { text, .. } => visitor.visit_enum(text.as_str().into_deserializer()),
            Kind::Mapping(entries) => match entries.as_slice() {
                [(key, value)] => visitor.visit_enum(Variant { key, value }),
                _ => Err(Error::invalid_type(Unexpected::Map, &"one of the choices")),
            },
            Kind::Sequence(_) | Kind::Binary(_) => {
                Err(Error::invalid_type(unexpected(self), &"one of the choices"))
            }
        }
        .map_err(|error| error.at(self))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 unit unit_struct tuple tuple_struct }
}

/// The items of a list.
struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|node| seed.deserialize(node).map_err(|error| error.at(node))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The entries of a mapping.
struct Entries<'a> {
    entries: std::slice::Iter<'a, (Node, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key).map(Some).map_err(|error| error.at(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let node = self
            .value
            .take()
            .ok_or_else(|| Error::custom("a value was asked for before its key"))?;
        seed.deserialize(node).map_err(|error| error.at(node))
    }
}

/// The place and the value of a node, for [`crate::Spanned`].
struct SpannedEntries<'a> {
    node: &'a Node,
    next: usize,
}

impl<'de> MapAccess<'de> for SpannedEntries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.next += 1;
        let name = match self.next {
            1 => "line",
            2 => "column",
            3 => "value",
            _ => return Ok(None),
        };
        seed.deserialize(de::value::StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.next {
            1 => seed.deserialize(self.node.position.line.into_deserializer()),
            2 => seed.deserialize(self.node.position.column.into_deserializer()),
            _ => seed.deserialize(self.node),
        }
        .map_err(|error: Error| error.at(self.node))
    }
}

/// A choice with content: `name: content`.
struct Variant<'a> {
    key: &'a Node,
    value: &'a Node,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = seed.deserialize(self.key).map_err(|error| error.at(self.key))?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Err(Error::custom("this choice has no content").at(self.value))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.value).map_err(|error| error.at(self.value))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.value.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_map(visitor)
    }
}
