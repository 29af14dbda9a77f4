//! The shapes of what a house has (JSON Schema), for the description of the interface: those of the domain's own types.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::domain::{house::Environment, protocol::sync::HouseCommand};

/// The shapes by the names that [`utoipa`]'s paths refer to.
///
/// Beside those of the domain there are `Thing`, any of the resources with its id, `NewThing`, one that has none yet,
/// `Things`, a list of them, and `Bytes`, which have no shape.
pub fn all() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    generator.subschema_for::<Environment>();
    generator.subschema_for::<HouseCommand>();
    let mut shapes: Map<String, Value> = generator.take_definitions(true).into_iter().collect();
    let kinds = ["Group", "HouseScreen", "HousePlaylist", "HouseItem"].map(refer);
    let id =
        json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}});
    let mut add = |name: &str, shape| shapes.insert(name.to_owned(), shape);
    add("NewThing", json!({"anyOf": kinds}));
    add("Thing", json!({"allOf": [id, refer("NewThing")]}));
    add("Bytes", json!({"description": "The bytes as they are."}));
    let list = json!({"type": "array", "items": refer("Thing")});
    let lists = ["groups", "screens", "playlists", "items"];
    let lists: Map<String, Value> = lists
        .into_iter()
        .map(|name| (name.to_owned(), list.clone()))
        .collect();
    add("Things", json!({"type": "object", "properties": lists}));
    shapes
}

fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
