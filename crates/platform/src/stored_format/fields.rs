//! Fields of stored structs whose type is one of the product's, and so may change.

use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// For `#[serde(with = "StoredAs::<Stored>")]`: encodes a field as the type `Stored`.
#[derive(Debug)]
pub struct StoredAs<Stored>(PhantomData<Stored>);

impl<Stored> StoredAs<Stored> {
    /// Encodes a value.
    ///
    /// # Errors
    /// As of the serializer.
    pub fn serialize<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy,
        Stored: From<T> + Serialize,
        S: Serializer,
    {
        Stored::from(*value).serialize(serializer)
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// As of the deserializer.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        Stored: Into<T> + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Stored::deserialize(deserializer).map(Into::into)
    }
}

/// The same for an optional field.
#[derive(Debug)]
pub struct StoredOption<Stored>(PhantomData<Stored>);

impl<Stored> StoredOption<Stored> {
    /// Encodes a value.
    ///
    /// # Errors
    /// As of the serializer.
    pub fn serialize<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy,
        Stored: From<T> + Serialize,
        S: Serializer,
    {
        value.map(Stored::from).serialize(serializer)
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// As of the deserializer.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        Stored: Into<T> + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Option::<Stored>::deserialize(deserializer)?.map(Into::into))
    }
}

/// The stored form of an enum: a number, by the order in which the variants are listed here. New variants are added at the
/// end, with a new version of the formats that contain it; without a line here the product's enum does not compile.
#[macro_export]
macro_rules! stored_enum {
    ($(#[$doc:meta])* $visibility:vis $stored:ident of $domain:ident { $($variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
        $visibility enum $stored { $(#[doc = stringify!($variant)] $variant),+ }

        impl From<$domain> for $stored {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant),+ }
            }
        }

        impl From<$stored> for $domain {
            fn from(stored: $stored) -> Self {
                match stored { $($stored::$variant => Self::$variant),+ }
            }
        }
    };
}
