//! Where secrets and certificates are: the configuration names a place, and
//! never holds the thing itself.

use std::{fmt, marker::PhantomData, path::PathBuf};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Config, InvalidConfig};

/// Where a secret is to be found: `{ env: NAME }`, `{ file: PATH }`, or in a
/// cluster `{ secret: { name, key } }` or `{ configMap: { name, key } }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretRef {
    /// The name of an environment variable. Not in a `Relay`.
    Env(String),
    /// A file; one trailing line break is dropped. Not in a `Relay`.
    File(PathBuf),
    /// A key of a Secret in the namespace of the `Relay`.
    Secret(KeyRef),
    /// A key of a ConfigMap in the namespace of the `Relay`.
    ConfigMap(KeyRef),
}

/// Where a file such as a certificate is to be found: `{ file: PATH }`, or in a
/// cluster `{ secret: { name, key } }` or `{ configMap: { name, key } }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FileRef {
    /// A path. Not in a `Relay`.
    File(PathBuf),
    /// A key of a Secret in the namespace of the `Relay`.
    Secret(KeyRef),
    /// A key of a ConfigMap in the namespace of the `Relay`.
    ConfigMap(KeyRef),
}

/// One entry of a Secret or ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct KeyRef {
    /// The object's name.
    #[schemars(
        length(max = 253),
        regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$")
    )]
    pub name: String,
    /// The entry's name in it.
    #[schemars(length(max = 253), regex(pattern = r"^\.?[a-zA-Z0-9_-][a-zA-Z0-9._-]*$"))]
    pub key: String,
}

/// A field that holds a reference, of either kind.
pub(super) enum Field<'a> {
    /// A secret's.
    Secret(&'a mut SecretRef),
    /// A file's.
    File(&'a mut FileRef),
}

impl KeyRef {
    /// What Kubernetes would refuse, and what would lead out of the folder that
    /// the entry is mounted in.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let name = self.name.as_bytes();
        let valid = (1..=253).contains(&name.len())
            && name.iter().all(|byte| part(*byte) || matches!(byte, b'-' | b'.'))
            && self.name.split('.').all(|label| {
                label.bytes().next().is_some_and(part) && label.bytes().last().is_some_and(part)
            });
        if !valid {
            return Some("name: use 1 to 253 lower-case letters, digits, `-` and `.`");
        }
        let key = self.key.as_bytes();
        let valid = (1..=253).contains(&key.len())
            && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
            && self.key != "."
            && !self.key.starts_with("..");
        (!valid).then_some("key: use 1 to 253 letters, digits, `-`, `_` and `.`")
    }
}

impl Config {
    /// Every field that holds a reference, with its path, in the order of the schema.
    pub(super) fn references(&mut self) -> Vec<(&'static str, Field<'_>)> {
        let (mut fields, mut files) = (Vec::new(), Vec::new());
        if let Some(database) = &mut self.database {
            fields.push(("database.url", Field::Secret(&mut database.url)));
            files.push(("database.ca", database.ca.as_mut()));
        }
        if let Some(tls) = &mut self.kafka.tls {
            files.push(("kafka.tls.ca", tls.ca.as_mut()));
            files.push(("kafka.tls.certificate", tls.certificate.as_mut()));
            files.push(("kafka.tls.key", tls.key.as_mut()));
        }
        fields
            .extend(files.into_iter().filter_map(|(path, file)| Some((path, Field::File(file?)))));
        if let Some(sasl) = &mut self.kafka.sasl {
            fields.push(("kafka.sasl.username", Field::Secret(&mut sasl.username)));
            fields.push(("kafka.sasl.password", Field::Secret(&mut sasl.password)));
        }
        if let Some(token) = &mut self.admin.token {
            fields.push(("admin.token", Field::Secret(token)));
        }
        fields
    }

    /// The files that this configuration names, in the order of the schema.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut config = self.clone();
        let files = config.references().into_iter().filter_map(|(_, field)| match field {
            Field::Secret(SecretRef::File(path)) | Field::File(FileRef::File(path)) => {
                Some(path.clone())
            }
            Field::Secret(_) | Field::File(_) => None,
        });
        files.collect()
    }

    /// What the types of the references cannot say. No value is repeated: who
    /// mistakes a reference for the secret itself would find it in the log.
    pub(super) fn validate_references(&self) -> Result<(), InvalidConfig> {
        for (path, field) in self.clone().references() {
            let (kind, problem) = match field {
                Field::Secret(SecretRef::Env(name)) => ("env", variable_problem(name)),
                Field::Secret(SecretRef::File(file)) | Field::File(FileRef::File(file)) => {
                    ("file", file.as_os_str().is_empty().then_some("must not be empty"))
                }
                Field::Secret(SecretRef::Secret(key)) | Field::File(FileRef::Secret(key)) => {
                    ("secret", key.problem())
                }
                Field::Secret(SecretRef::ConfigMap(key)) | Field::File(FileRef::ConfigMap(key)) => {
                    ("configMap", key.problem())
                }
            };
            if let Some(problem) = problem {
                return Err(InvalidConfig::at_path(format!("{path}.{kind}"), problem));
            }
        }
        Ok(())
    }
}

fn variable_problem(name: &str) -> Option<&'static str> {
    let valid = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    (!valid).then_some("use the name of an environment variable: letters, digits and `_`")
}

/// How a message begins about a secret in the file itself.
pub(super) const INLINE_SECRET: &str = "a secret may not stand here itself";

/// What is read from an object, and never from a plain value: that may be the
/// secret itself, put where its place should be, and is not to be printed back.
trait Reference: Sized {
    /// What may stand there.
    const FORMS: &'static str;

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;

    fn inline<E: de::Error>() -> E {
        E::custom(format!("{INLINE_SECRET}; write {}", Self::FORMS))
    }
}

impl Reference for SecretRef {
    const FORMS: &'static str = "{ env: NAME } or { file: PATH }, or in a Relay \
        { secret: { name, key } } or { configMap: { name, key } }";

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        one_key::<Self, A>(map, &["env", "file", "secret", "configMap"], |key, map| match key {
            "env" => map.next_value().map(Self::Env),
            "file" => map.next_value().map(Self::File),
            "secret" => map.next_value().map(Self::Secret),
            _ => map.next_value().map(Self::ConfigMap),
        })
    }
}

impl Reference for FileRef {
    const FORMS: &'static str =
        "{ file: PATH }, or in a Relay { secret: { name, key } } or { configMap: { name, key } }";

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        one_key::<Self, A>(map, &["file", "secret", "configMap"], |key, map| match key {
            "file" => map.next_value().map(Self::File),
            "secret" => map.next_value().map(Self::Secret),
            _ => map.next_value().map(Self::ConfigMap),
        })
    }
}

impl Reference for KeyRef {
    const FORMS: &'static str = "{ name: NAME, key: KEY }";

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            name: String,
            key: String,
        }
        let Fields { name, key } = Fields::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Self { name, key })
    }
}

/// An object with exactly one of these keys.
fn one_key<'de, R: Reference, A: MapAccess<'de>>(
    mut map: A,
    keys: &'static [&'static str],
    read: impl FnOnce(&str, &mut A) -> Result<R, A::Error>,
) -> Result<R, A::Error> {
    let reference = match map.next_key::<String>()? {
        Some(key) if keys.contains(&key.as_str()) => read(&key, &mut map)?,
        Some(key) if key.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            return Err(de::Error::unknown_field(&key, keys));
        }
        // A secret may even stand where a key should.
        Some(_) => return Err(R::inline()),
        None => return Err(de::Error::custom(format!("nothing is named; write {}", R::FORMS))),
    };
    match map.next_key::<String>()? {
        None => Ok(reference),
        Some(_) => Err(de::Error::custom(format!("give only one of {}", keys.join(", ")))),
    }
}

struct ReferenceVisitor<R>(PhantomData<R>);

impl<'de, R: Reference> Visitor<'de> for ReferenceVisitor<R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(R::FORMS)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<R, E> {
        Err(R::inline())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<R, E> {
        Err(R::inline())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<R, E> {
        Err(R::inline())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<R, E> {
        Err(R::inline())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<R, E> {
        Err(R::inline())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<R, A::Error> {
        Err(R::inline())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<R, A::Error> {
        R::from_map(map)
    }
}

macro_rules! deserialize {
    ($($reference:ty),*) => {$(
        impl<'de> Deserialize<'de> for $reference {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ReferenceVisitor(PhantomData))
            }
        }
    )*};
}

deserialize!(SecretRef, FileRef, KeyRef);
