//! The fields of a type that is read, and what each of them takes, from the type's schema.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::field_error::FieldError;
use super::keywords::{has_format, has_type, is_within, path_of_field, resolve};
use super::takes::{given, takes};

/// The schema of a type that is read from requests.
pub(crate) struct Shape {
    root: Value,
}

type Shapes = HashMap<TypeId, Arc<Shape>>;

/// Returns the schema of a type, which is generated once.
pub(crate) fn shape<T: JsonSchema + 'static>() -> Arc<Shape> {
    static SHAPES: LazyLock<RwLock<Shapes>> = LazyLock::new(RwLock::default);
    let id = TypeId::of::<T>();
    let known = SHAPES.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
    known.unwrap_or_else(|| {
        let settings = SchemaSettings::draft2020_12().for_deserialize();
        let root = settings.into_generator().into_root_schema_for::<T>().to_value();
        let shape = Arc::new(Shape { root });
        let mut shapes = SHAPES.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shapes.entry(id).or_insert(shape))
    })
}

impl Shape {
    /// Returns the names of the fields at the top.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.names_of(&self.root, &mut names);
        names
    }

    fn names_of<'a>(&'a self, schema: &'a Value, names: &mut Vec<&'a str>) {
        let schema = self.resolve(schema);
        names.extend(
            schema["properties"].as_object().into_iter().flatten().map(|(name, _)| &**name),
        );
        for part in parts(schema) {
            self.names_of(part, names);
        }
    }

    /// Returns the first unknown field of a value, at any depth.
    pub(crate) fn unknown_field(&self, value: &Value) -> Option<FieldError> {
        self.find_unknown(&self.root, value, "")
    }

    /// Returns the first field that is missing or has a value of the wrong kind.
    pub(crate) fn misfit(&self, value: &Value) -> Option<FieldError> {
        self.find_misfit(&self.root, value, "")
    }

    /// Returns the refusal of a parameter whose text is not what it takes.
    pub(crate) fn bad_parameter(&self, name: &str, text: &str) -> Option<FieldError> {
        let schema = self.resolve(&self.root)["properties"].get(name)?;
        let takes = takes(&self.root, schema)?;
        let given = given(name, &Value::String(text.to_owned()));
        Some(FieldError::new(name, format_args!("must be {takes}, not {given}")))
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        resolve(&self.root, schema)
    }

    /// Collects the fields that an object may have: those of the schema, and those of the
    /// alternative that its constant fields choose.
    fn fields<'a>(
        &'a self,
        schema: &'a Value,
        object: &Value,
        fields: &mut Map<String, Value>,
    ) -> bool {
        let schema = self.resolve(schema);
        let mut is_open = schema.get("additionalProperties").is_some_and(|more| *more != false)
            || (schema.get("properties").is_none() && parts(schema).next().is_none());
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let known = fields.remove(name);
            fields.insert(name.clone(), either(known, field));
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            is_open |= self.fields(part, object, fields);
        }
        for alternatives in [&schema["oneOf"], &schema["anyOf"]] {
            let alternatives = alternatives.as_array().map_or(&[][..], Vec::as_slice);
            let none = !alternatives.iter().any(|one| self.is_chosen(one, object));
            for alternative in alternatives {
                if none || self.is_chosen(alternative, object) {
                    is_open |= self.fields(alternative, object, fields);
                }
            }
        }
        is_open
    }

    /// Returns whether an object may be meant for this alternative: its constant fields are equal.
    fn is_chosen(&self, alternative: &Value, object: &Value) -> bool {
        let alternative = self.resolve(alternative);
        if alternative["type"] == "null" {
            return false;
        }
        let fields = alternative["properties"].as_object().into_iter().flatten();
        fields
            .filter_map(|(name, field)| Some((name, field.get("const")?)))
            .all(|(name, constant)| object.get(name).is_none_or(|given| given == constant))
    }

    fn find_unknown(&self, schema: &Value, value: &Value, path: &str) -> Option<FieldError> {
        match value {
            Value::Object(object) => {
                let mut fields = Map::new();
                let is_open = self.fields(schema, value, &mut fields);
                object.iter().find_map(|(name, inner)| {
                    let path = path_of_field(path, name);
                    match fields.get(name) {
                        Some(field) => self.find_unknown(field, inner, &path),
                        None if is_open => None,
                        None => {
                            let known = fields.keys().map(String::as_str);
                            Some(FieldError::unknown("field", path, name, known))
                        }
                    }
                })
            }
            Value::Array(items) => {
                let of = self.items(schema)?;
                let mut items = items.iter().enumerate();
                items.find_map(|(n, item)| self.find_unknown(of, item, &format!("{path}[{n}]")))
            }
            _ => None,
        }
    }

    fn find_misfit(&self, schema: &Value, value: &Value, path: &str) -> Option<FieldError> {
        if let Some(error) = self.wrong_choice(schema, value, path) {
            return Some(error);
        }
        if !self.fits(schema, value) {
            let takes = takes(&self.root, schema);
            let takes = takes.as_deref().unwrap_or("something else");
            return Some(FieldError::new(
                path,
                format_args!("must be {takes}, not {}", given(path, value)),
            ));
        }
        match value {
            Value::Object(object) => {
                let mut fields = Map::new();
                self.fields(schema, value, &mut fields);
                let mut required = Vec::new();
                self.required(schema, value, &mut required);
                let missing = required.iter().find(|name| !object.contains_key(**name));
                if let Some(name) = missing {
                    let takes = fields.get(*name).and_then(|field| takes(&self.root, field));
                    let takes =
                        takes.map_or(String::new(), |takes| format!("; it must be {takes}"));
                    return Some(FieldError::new(
                        path_of_field(path, name),
                        format_args!("is missing{takes}"),
                    ));
                }
                object.iter().find_map(|(name, inner)| {
                    self.find_misfit(fields.get(name)?, inner, &path_of_field(path, name))
                })
            }
            Value::Array(items) => {
                let of = self.items(schema)?;
                let mut items = items.iter().enumerate();
                items.find_map(|(n, item)| self.find_misfit(of, item, &format!("{path}[{n}]")))
            }
            _ => None,
        }
    }

    /// Returns the refusal of an object whose constant fields choose none of the alternatives.
    fn wrong_choice(&self, schema: &Value, value: &Value, path: &str) -> Option<FieldError> {
        let object = value.as_object()?;
        let schema = self.resolve(schema);
        let alternatives = ["oneOf", "anyOf"].iter().find_map(|name| schema[*name].as_array())?;
        if alternatives.iter().any(|one| self.is_chosen(one, value)) {
            return None;
        }
        let mut fields = Map::new();
        self.fields(schema, value, &mut fields);
        let (name, field) = fields.iter().find(|(name, field)| {
            let is_choice = field.get("const").is_some() || field.get("enum").is_some();
            is_choice && object.get(*name).is_some_and(|given| !self.fits(field, given))
        })?;
        let (takes, given) = (takes(&self.root, field)?, given(name, &object[name]));
        Some(FieldError::new(
            path_of_field(path, name),
            format_args!("must be {takes}, not {given}"),
        ))
    }

    fn required<'a>(&'a self, schema: &'a Value, object: &Value, required: &mut Vec<&'a str>) {
        let schema = self.resolve(schema);
        required
            .extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
        for part in parts(schema) {
            let is_all = schema["allOf"].as_array().is_some_and(|all| all.contains(part));
            if is_all || self.is_chosen(part, object) {
                self.required(part, object, required);
            }
        }
    }

    fn items<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        let schema = self.resolve(schema);
        let alternatives = || parts(schema).find_map(|part| self.items(part));
        schema.get("items").or_else(alternatives)
    }

    /// Returns whether a value is of the right kind, whatever is in it.
    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let schema = self.resolve(schema);
        if let Some(constant) = schema.get("const") {
            return constant == value;
        }
        if let Some(all) = schema["enum"].as_array() {
            return all.contains(value);
        }
        let is_of_type = has_type(schema.get("type"), value).unwrap_or(true);
        let format = schema["format"].as_str().filter(|format| *format == "date-time");
        let is_formatted = value.as_str().is_none_or(|text| has_format(format, text));
        let is_bounded = is_within(schema.get("minimum"), schema.get("maximum"), value);
        let alternatives = ["oneOf", "anyOf"].iter().all(|name| {
            let one = |alternatives: &Vec<Value>| {
                alternatives.iter().any(|one| {
                    self.fits(one, value) && (!value.is_object() || self.is_chosen(one, value))
                })
            };
            // Which fields an object lacks is told apart from its kind.
            schema[*name].as_array().is_none_or(one)
        });
        is_of_type && is_formatted && is_bounded && alternatives
    }
}

/// Returns the schema of a field that has another constant in each of several alternatives.
fn either(known: Option<Value>, field: &Value) -> Value {
    let Some(constant) = field.get("const") else {
        return field.clone();
    };
    let mut all = match known {
        Some(Value::Object(known)) => match (known.get("const"), known.get("enum")) {
            (Some(one), _) => vec![one.clone()],
            (None, Some(Value::Array(all))) => all.clone(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    all.push(constant.clone());
    if all.len() == 1 { field.clone() } else { serde_json::json!({"enum": all}) }
}

/// Returns the schemas that a schema consists of.
fn parts(schema: &Value) -> impl Iterator<Item = &Value> {
    ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|name| schema[name].as_array()).flatten()
}
