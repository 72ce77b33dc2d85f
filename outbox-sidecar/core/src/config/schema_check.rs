//! As much of JSON schema as the tests of ours need.

use regex::Regex;
use serde_json::Value;

/// What is wrong with a value by the keywords that the schema uses; `None` if nothing.
pub(super) fn problem(schema: &Value, value: &Value, path: &str) -> Option<String> {
    let wrong = |what: &str| Some(format!("{path}: {what}"));
    if value.is_null() && schema["nullable"] == true {
        return None;
    }
    let right_type = match schema["type"].as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        other => panic!("{path} has the type {other}"),
    };
    if !right_type {
        return wrong("type");
    }
    if let Some(text) = value.as_str() {
        let matches =
            |pattern: &Value| Regex::new(pattern.as_str().unwrap()).unwrap().is_match(text);
        let length = i64::try_from(text.chars().count()).unwrap();
        if schema.get("pattern").is_some_and(|pattern| !matches(pattern)) {
            return wrong("pattern");
        }
        if schema["minLength"].as_i64() > Some(length)
            || schema["maxLength"].as_i64().is_some_and(|maximum| length > maximum)
        {
            return wrong("length");
        }
        if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
            return wrong("enum");
        }
    }
    if let Some(number) = value.as_i64()
        && (schema["minimum"].as_i64() > Some(number)
            || schema["maximum"].as_i64().is_some_and(|maximum| number > maximum))
    {
        return wrong("range");
    }
    let has = |required: &Value| {
        required.as_array().is_none_or(|names| {
            names.iter().all(|name| value.get(name.as_str().unwrap()).is_some())
        })
    };
    if !has(&schema["required"]) {
        return wrong("required");
    }
    if let Some(forms) = schema["oneOf"].as_array()
        && forms.iter().filter(|form| has(&form["required"])).count() != 1
    {
        return wrong("oneOf");
    }
    if schema["minItems"].as_u64() > value.as_array().map(|items| items.len() as u64) {
        return wrong("minItems");
    }
    let items = value.as_array().into_iter().flatten();
    let mut inner: Vec<_> = items.map(|item| ("[]", &schema["items"], item)).collect();
    for (name, field) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name).or(schema.get("additionalProperties")) {
            Some(schema) => inner.push((name, schema, field)),
            None => return wrong(&format!("unknown {name}")),
        }
    }
    inner
        .into_iter()
        .find_map(|(name, schema, value)| problem(schema, value, &format!("{path}.{name}")))
}

/// Calls `check` with every schema within this one.
pub(super) fn walk(schema: &Value, path: &str, check: &mut impl FnMut(&str, &Value)) {
    check(path, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        walk(field, &format!("{path}.{name}"), check);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(key) {
            walk(inner, &format!("{path}.{key}"), check);
        }
    }
}
