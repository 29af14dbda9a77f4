//! The report, `docs/schema/status.schema.json` and the committed example say the same.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::fs;

use jsonschema::Validator;
use musebox::domain::{
    config::{Defaults, Input},
    protocol::{DisplayDriver, Status},
};
use serde_json::{Value, json};

fn json_file(path: &str) -> Value {
    let text = fs::read_to_string(path).expect(path);
    serde_json::from_str(&text).expect(path)
}

fn schema() -> Validator {
    let schema = json_file("docs/schema/status.schema.json");
    jsonschema::meta::validate(&schema).expect("the schema is a schema");
    jsonschema::validator_for(&schema).expect("the schema compiles")
}

fn example() -> Value {
    json_file("docs/schema/status.example.json")
}

/// The way to every object key in a value.
fn ways(value: &Value, prefix: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let way = format!("{prefix}/{key}");
                ways(value, &way, into);
                into.push(way);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                ways(value, &format!("{prefix}/{index}"), into);
            }
        }
        _ => {}
    }
}

#[test]
fn the_example_is_valid_and_comes_back_the_same() {
    let example = example();
    if let Err(error) = schema().validate(&example) {
        panic!("{}: {error}", error.instance_path());
    }
    let status: Status = serde_json::from_value(example.clone()).expect("a report");
    assert_eq!(serde_json::to_value(&status).expect("JSON"), example);
}

#[test]
fn the_report_of_a_box_that_has_just_started_is_valid() {
    let settings = Input::default().settings(Defaults {
        name: "box".to_owned(),
        socket: "/run/control.sock".into(),
        state_dir: "/var/lib/musebox".into(),
    });
    let mode = "1280x720@59.94".parse().ok();
    for (driver, mode) in [(DisplayDriver::Virtual, mode), (DisplayDriver::Kms, None)] {
        let status = Status::new("0.1.0", &settings, driver, &[mode]);
        let value = serde_json::to_value(&status).expect("JSON");
        if let Err(error) = schema().validate(&value) {
            panic!("{}: {error}", error.instance_path());
        }
        assert_eq!(value["screens"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn every_key_is_required_and_no_other_is_allowed() {
    let schema = schema();
    let example = example();
    let mut keys = Vec::new();
    ways(&example, "", &mut keys);
    assert!(keys.len() > 60, "the keys are found");
    for way in keys {
        let (parent, key) = way.rsplit_once('/').expect("a way has a slash");
        let mut without = example.clone();
        let object = without.pointer_mut(parent).expect("the parent");
        object.as_object_mut().expect("an object").remove(key);
        assert!(!schema.is_valid(&without), "the schema does not miss {way}");

        let mut other = example.clone();
        let object = other.pointer_mut(parent).expect("the parent");
        object["other"] = json!(1);
        assert!(!schema.is_valid(&other), "{parent} may have any key");
    }
}

#[test]
fn what_the_types_cannot_read_the_schema_refuses() {
    let schema = schema();
    for (way, wrong) in [
        ("/state", json!("asleep")),
        ("/position", json!("M0T0")),
        ("/items_shown", json!(-1)),
        ("/display/kind", json!("auto")),
        ("/display/mode", json!("1920x1080")),
        ("/screens/0/mode", json!("1920x1080")),
        ("/settings/volume", json!(1.5)),
        ("/settings/fit", json!("zoom")),
        ("/screens/0/slots/0/slot", json!("C")),
        ("/screens/0/slots/0/state", json!("busy")),
        ("/screens/0/slots/0/memory", json!("gpu")),
        ("/errors/0/kind", json!("other")),
        ("/item/kind", json!("audio")),
        ("/uptime_ms", json!(null)),
    ] {
        let mut value = example();
        *value.pointer_mut(way).expect(way) = wrong;
        assert!(!schema.is_valid(&value), "{way}");
        assert!(serde_json::from_value::<Status>(value).is_err(), "{way}");
    }
}

#[test]
fn a_reader_passes_over_keys_of_later_versions() {
    let mut value = example();
    value["later"] = json!(true);
    value["display"]["later"] = json!(1);
    serde_json::from_value::<Status>(value).expect("a report of a later version");
}
