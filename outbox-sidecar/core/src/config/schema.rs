//! The configuration as a JSON schema, for the custom resource definition of
//! `Relay` and for editors.
//!
//! The types derive it; here is what they cannot. The result keeps to what
//! Kubernetes calls a structural schema: every value has one type, alternatives
//! are objects with one of several keys, and unknown names are not forbidden by
//! `additionalProperties` (the API server drops them, or refuses them when asked
//! to be strict; the sidecar refuses them always).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value};

use super::{Config, FileRef, KeyRef, Period, SecretRef};
use crate::{
    route::TopicTemplate,
    sql_name::{ColumnName, TableName},
    template::Template,
};

/// The schema of [`Config`], in one piece: without references to definitions.
pub fn schema() -> Schema {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<Config>()
}

/// For structs: unknown fields are the parser's to refuse, and a description is
/// one line.
pub(super) fn structural(schema: &mut Schema) {
    schema.remove("additionalProperties");
    let Some(Value::Object(fields)) = schema.get_mut("properties") else { return };
    for field in fields.values_mut() {
        if let Some(Value::String(description)) = field.get_mut("description") {
            *description = description.replace('\n', " ");
        }
    }
}

/// For enums of plain values: one list of them.
pub(super) fn values(schema: &mut Schema) {
    let Some(Value::Array(variants)) = schema.remove("oneOf") else { return };
    let value = |variant: &Value| variant.get("const").or(variant.pointer("/enum/0")).cloned();
    schema.insert("type".into(), "string".into());
    schema.insert("enum".into(), variants.iter().filter_map(value).collect());
}

macro_rules! text_schema {
    ($type:ty, $name:literal, $pattern:expr, $description:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    };
}

text_schema!(
    Period,
    "Period",
    r"^\s*([0-9]+(\.[0-9]+)?\s*(nanos|nsec|ns|usec|us|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y)\s*)+$",
    "A length of time such as `250ms`, `5s`, `1m 30s` or `7d`."
);
text_schema!(
    TableName,
    "TableName",
    r#"^[^".\x00-\x1f\x7f-\x9f]{1,63}(\.[^".\x00-\x1f\x7f-\x9f]{1,63})?$"#,
    "A table, `table` or `schema.table`, case-sensitive."
);
text_schema!(
    ColumnName,
    "ColumnName",
    r#"^[^".\x00-\x1f\x7f-\x9f]{1,63}$"#,
    "A column, case-sensitive."
);
text_schema!(
    TopicTemplate,
    "TopicTemplate",
    r#"^([a-zA-Z0-9._-]|\{[^".}\x00-\x1f\x7f-\x9f]{1,63}\})+$"#,
    "A topic, or a template over columns such as `{topic}` or `outbox.{aggregate_type}`."
);

text_schema!(
    Template,
    "Template",
    r#"^([^{]|\{[^".}\x00-\x1f\x7f-\x9f]{1,63}\})*$"#,
    "A text, or a template over columns such as `{tenant}` or `/tenants/{tenant}`."
);

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let env = json_schema!({
            "type": "string",
            "description": "The name of an environment variable. Not in a Relay.",
            "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$",
        });
        let mut forms = vec![("env", env)];
        forms.extend(file_or_key(generator));
        one_of(forms)
    }
}

impl JsonSchema for FileRef {
    fn schema_name() -> Cow<'static, str> {
        "FileRef".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        one_of(file_or_key(generator).into())
    }
}

fn file_or_key(generator: &mut SchemaGenerator) -> [(&'static str, Schema); 3] {
    let file = json_schema!({
        "type": "string", "description": "A file's path. Not in a Relay.", "minLength": 1,
    });
    let mut key = |description: &str| {
        let mut schema = KeyRef::json_schema(generator);
        schema.insert("description".into(), description.into());
        schema
    };
    let secret = key("An entry of a Secret in the Relay's namespace.");
    let config_map = key("An entry of a ConfigMap in the Relay's namespace.");
    [("file", file), ("secret", secret), ("configMap", config_map)]
}

/// An object that has exactly one of these keys.
fn one_of(forms: Vec<(&str, Schema)>) -> Schema {
    let alternatives: Vec<Value> =
        forms.iter().map(|(key, _)| serde_json::json!({ "required": [key] })).collect();
    let properties: Map<String, Value> =
        forms.into_iter().map(|(key, schema)| (key.to_owned(), schema.to_value())).collect();
    json_schema!({ "type": "object", "properties": properties, "oneOf": alternatives })
}
